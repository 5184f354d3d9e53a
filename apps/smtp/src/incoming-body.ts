import type { BodyRef, BodyWriter, ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { HeaderScan } from '@kiroku/domain/mail/header-scan.js';
import { DataReader } from '@kiroku/domain/smtp/data-reader.js';
import type { Reason } from '@kiroku/domain/smtp/replies.js';

/** A client may send this much over twice the limit before it is cut off rather than read to the end. */
const GRACE = 65_536;

/** A message body on its way from the socket to the object store, and what is learnt of it meanwhile. */
export class IncomingBody {
  /** Why the message cannot be taken; the rest of it is read and forgotten. The first reason counts. */
  problem: Reason | undefined;
  /** Bytes that came from the client. */
  taken = 0;
  /** To be waited for before more is taken: the store is slower than the client. */
  pressure: Promise<void> | undefined;

  private readonly writer: BodyWriter;
  private readonly header = new HeaderScan();
  private readonly reader: DataReader | undefined;
  private size = 0;

  /**
   * @param form `binary` is BDAT with BODY=BINARYMIME: any bytes will do.
   * @param limit bytes of a message, 0 = none.
   */
  constructor(store: ObjectStore, form: 'dot-stuffed' | 'plain' | 'binary', private readonly limit: number) {
    this.writer = store.create();
    this.reader = form === 'binary' ? undefined : new DataReader(form);
  }

  get eightBit(): boolean {
    return this.reader?.eightBit ?? true;
  }

  /** Far more has come than is allowed: waiting for the end would be a favour to an attacker. */
  get hopeless(): boolean {
    return this.limit > 0 && this.taken > 2 * this.limit + GRACE;
  }

  /**
   * Takes what has arrived and owns it.
   * @returns where in the chunk the data ended (dot-stuffed only), or -1.
   */
  take(chunk: Uint8Array): number {
    const end = this.reader ? this.reader.push(chunk) : -1;
    const slice = this.reader ? this.reader.slice : chunk;
    this.taken += end < 0 ? chunk.length : end;
    this.pressure = undefined;
    if (this.reader?.violation) this.fail(this.reader.violation);
    if (this.problem !== undefined || slice.length === 0) return end;
    this.size += slice.length;
    if (this.limit > 0 && this.size > this.limit) this.fail('message-too-big');
    else {
      this.header.push(slice);
      this.pressure = this.writer.write(slice) ?? undefined;
    }
    return end;
  }

  /** All has come. */
  finish() {
    this.reader?.finish();
    if (this.reader?.violation) this.fail(this.reader.violation);
    return this.header.finish();
  }

  /** @throws StoreUnavailable */
  commit(): Promise<BodyRef> {
    return this.writer.commit();
  }

  fail(problem: Reason): void {
    if (this.problem !== undefined) return;
    this.problem = problem;
    this.abort();
  }

  abort(): void {
    // Nothing is owed to anybody: what cannot be removed now is won back by the store's compaction.
    this.writer.abort().catch(() => undefined);
  }
}
