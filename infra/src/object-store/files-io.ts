import { close, constants, fdatasync, open, read, writev } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';

// node:fs with callbacks: one promise per call, where node:fs/promises makes several and a FileHandle.

/**
 * Each write is durable when it returns: one trip to the thread pool where write and fdatasync are two
 * (measured at 50 in flight: 0.35–0.44 ms per batch against 0.51–0.54 ms). macOS takes the flag but does not flush the drive;
 * there a sync of its own follows.
 */
export const SYNC_WRITES = process.platform === 'linux' ? constants.O_DSYNC : 0;

export const openFd = (path: string, flags: number): Promise<number> =>
  new Promise((resolve, reject) => open(path, flags, 0o600, (error, fd) => (error ? reject(error) : resolve(fd))));

export const closeFd = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => close(fd, (error) => (error ? reject(error) : resolve())));

/** Fewer bytes than asked for only at the end of the file. */
export async function readAt(fd: number, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length);
  let got = 0;
  while (got < length) {
    const n = await new Promise<number>((resolve, reject) =>
      read(fd, buffer, got, length - got, position + got, (error, bytes) => (error ? reject(error) : resolve(bytes))),
    );
    if (n === 0) break;
    got += n;
  }
  return buffer.subarray(0, got);
}

/** Writes all or rejects; how much a rejected write left behind is unknown. */
export async function writeAllAt(fd: number, buffers: readonly Uint8Array[], length: number, position: number): Promise<void> {
  if (length === 0) return;
  const written = await new Promise<number>((resolve, reject) =>
    writev(fd, buffers, position, (error, bytes) => (error ? reject(error) : resolve(bytes))),
  );
  if (written === length) return;
  // libuv goes on after a short write and stops only at an error, which the next attempt meets again.
  const rest = Buffer.concat(buffers).subarray(written);
  await writeAllAt(fd, [rest], rest.length, position + written);
}

export const syncFd = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => fdatasync(fd, (error) => (error ? reject(error) : resolve())));

/** Durable when it resolves, if `fd` was opened with SYNC_WRITES. */
export async function writeDurablyAt(fd: number, buffers: readonly Uint8Array[], length: number, position: number): Promise<void> {
  await writeAllAt(fd, buffers, length, position);
  if (SYNC_WRITES === 0) await syncFd(fd);
}

export const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException | undefined)?.code ?? 'unknown';

/** @returns whether there was such a file. */
export async function unlinkIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return false;
  }
}

export const unavailable = (cause: unknown): StoreUnavailable =>
  cause instanceof StoreUnavailable ? cause : new StoreUnavailable(`the object store cannot write: ${codeOf(cause)}`, { cause });
