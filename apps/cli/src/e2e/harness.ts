import { accessSync, chmodSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, it } from '@jest/globals';
import { Kiroku, type KirokuOptions } from '@kiroku/infra/rig/kiroku.js';
import { Pop3Client } from '@kiroku/infra/rig/pop3-client.js';
import { until } from '@kiroku/infra/rig/until.js';

export const DOMAIN = 'x.test';
export const PASSWORD = 'correct horse battery';

const STARTING = 120_000; // ms for a first start: initdb, migrations, keys

/** A real server with accounts, whose log comes with every failure. */
export class ServerUnderTest {
  #kiroku: Kiroku | undefined;

  constructor(
    private readonly users: readonly string[],
    private readonly options: KirokuOptions = {},
  ) {}

  get kiroku(): Kiroku {
    if (!this.#kiroku) throw new Error('the server is not started yet');
    return this.#kiroku;
  }

  async start(): Promise<void> {
    this.#kiroku = await Kiroku.start({ patience: STARTING - 20_000, ...this.options });
    await this.#kiroku.addDomain(DOMAIN);
    for (const user of this.users) await this.#kiroku.addAccount(addressOf(user), PASSWORD, true);
  }

  async remove(): Promise<void> {
    await this.#kiroku?.remove();
  }

  /** A test whose failure shows the last lines of the server's log. */
  it(sentence: string, test: () => Promise<void>, patience?: number): void {
    const explained = async (): Promise<void> => {
      try {
        await test();
      } catch (error) {
        throw new Error(`${inWords(error)}\n\nlast lines of the server:\n${this.#kiroku?.logTail(40) ?? 'none'}`, {
          cause: error,
        });
      }
    };
    it(sentence, explained, patience);
  }

  login(user: string): Promise<Pop3Client> {
    return Pop3Client.login({ port: this.kiroku.ports.pop3s, tls: true }, addressOf(user), PASSWORD);
  }

  /** All messages of a mailbox, in order. */
  async mailOf(user: string): Promise<Buffer[]> {
    const client = await this.login(user);
    const { count } = await client.stat();
    const messages: Buffer[] = [];
    await client.retrAll(upTo(count), (message) => messages.push(message));
    await client.quit();
    return messages;
  }

  /** The message with this text in it, as soon as it is in the mailbox. */
  async arrived(user: string, token: string, ms = 15_000): Promise<Buffer> {
    return until(`a message with ${token} is in the mailbox of ${user}`, ms, async () =>
      (await this.mailOf(user)).find((message) => message.includes(token)),
    );
  }

  async empty(user: string): Promise<void> {
    const client = await this.login(user);
    const { count } = await client.stat();
    for (const number of upTo(count)) await client.command(`DELE ${number}`);
    await client.quit();
  }
}

/** An error's message and those of its causes. */
export function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}\ncaused by ${inWords(error.cause)}`;
}

/** A server for all tests of the file. */
export function useServer(users: readonly string[], options?: KirokuOptions): ServerUnderTest {
  const server = new ServerUnderTest(users, options);
  beforeAll(() => server.start(), STARTING);
  afterAll(() => server.remove(), 60_000);
  return server;
}

export const addressOf = (user: string): string => `${user}@${DOMAIN}`;

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/**
 * A message with all that a transport may spoil: leading dots, a lonely dot, blank lines, spaces at a line's end, 8-bit text,
 * a line of 998 octets (RFC 5322 §2.1.1). Lines end in LF; the last one too.
 */
export function letter(token: string, to: string): string {
  return [
    `From: Alice <${addressOf('alice')}>`,
    `To: <${to}>`,
    `Subject: ${token}`,
    'Date: Mon, 05 Jan 2026 09:00:00 +0900',
    `Message-ID: <${token}@client.test>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    '.a dot first',
    '..two dots first',
    '.',
    '',
    '',
    'spaces at the end   ',
    'From the start of a line',
    '日本語の本文。記録。',
    'x'.repeat(998),
    'the end',
    '',
  ].join('\n');
}

export const crlf = (text: string): Buffer => Buffer.from(text.replaceAll('\n', '\r\n'), 'utf8');

/** A temporary folder for the file's tests. */
export function useFolder(): { readonly path: string; file(name: string, content: string | Buffer): string } {
  const path = mkdtempSync(join(tmpdir(), 'kiroku-e2e-'));
  chmodSync(path, 0o755); // as root, some clients store as another user
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return {
    path,
    file: (name, content) => {
      writeFileSync(join(path, name), content, { mode: 0o600 }); // mail clients refuse a readable password file
      return join(path, name);
    },
  };
}

/** Whether the program is on the PATH. */
export function installed(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Numbers from 0 to 1 that the seed determines (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
