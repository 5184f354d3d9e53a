import { enhancedCode, type Reply, replyText } from './reply.js';
import type { OutboundRecipient, SendResult } from './types.js';
import { words } from './words.js';

export type Phase = 'MAIL' | 'RCPT' | 'DATA' | 'end-of-data';

type Verdict = 'ok' | 'deferred' | 'refused' | 'unexpected';

function judge({ code }: Reply): Verdict {
  if (code < 300) return 'ok';
  if (code < 400) return 'unexpected';
  return code < 500 ? 'deferred' : 'refused';
}

/** RFC 5321 §4.5.3.1.10: 552 for RCPT once meant too many recipients. With an enhanced code that says something else it means that. */
function tooMany(reply: Reply): boolean {
  const enhanced = enhancedCode(reply);
  if (reply.code === 552) return enhanced === undefined || enhanced === '5.5.3';
  return reply.code === 452 && (enhanced === undefined || enhanced === '4.5.3');
}

/** The fate of each recipient in one transaction, told reply by reply (RFC 5321 §3.3). */
export class Transaction {
  /** MAIL was accepted and no final reply has ended the transaction: the server needs RSET before the next one. */
  open = false;
  /** Recipients that the server took and that have no result yet. */
  accepted = 0;
  /** The server said something that has no place here: what its next reply is about is uncertain, so leave. */
  lost = false;
  /** What the server waits for after DATA. `dot`: for a text that has no recipient; an empty one ends that (RFC 2920 §3.1). */
  awaited: 'text' | 'dot' | 'nothing' = 'nothing';
  /** Recipients, by index, that did not fit into this transaction. */
  readonly overflow: number[] = [];

  private readonly results: (SendResult | undefined)[];

  /** @param relayed the server does not report on delivery itself (no DSN). */
  constructor(
    private readonly recipients: readonly OutboundRecipient[],
    private readonly relayed: boolean,
  ) {
    this.results = new Array<SendResult | undefined>(recipients.length).fill(undefined);
  }

  mail(reply: Reply): void {
    const verdict = judge(reply);
    if (verdict === 'ok') this.open = true;
    else this.all(verdict, reply, 'MAIL');
  }

  rcpt(index: number, reply: Reply): void {
    if (this.results[index] !== undefined) return; // MAIL has decided already
    const verdict = judge(reply);
    if (verdict === 'ok') this.accepted++;
    else if (verdict !== 'unexpected' && tooMany(reply)) {
      this.overflow.push(index);
      this.settle(index, 'deferred', reply, 'RCPT');
    } else this.settle(index, verdict, reply, 'RCPT');
  }

  data(reply: Reply): void {
    if (reply.code === 354) {
      this.awaited = this.accepted > 0 ? 'text' : 'dot';
      return;
    }
    this.interrupted(reply);
  }

  /** The reply to the end of data: one for all that were accepted. */
  end(reply: Reply): void {
    this.open = false;
    const verdict = judge(reply);
    if (verdict !== 'ok') return this.all(verdict, reply, 'end-of-data');
    const text = replyText(reply);
    this.rest((address) => ({ address, outcome: 'delivered', reply: text, phase: 'end-of-data', ...(this.relayed && { relayed: true }) }));
  }

  /** An answer where none but 354 is in place, or while the text is still on its way. */
  interrupted(reply: Reply): void {
    const verdict = judge(reply);
    this.all(verdict === 'ok' ? 'unexpected' : verdict, reply, 'DATA');
  }

  /** The conversation ended before the server could have the whole message. */
  broken(reply: string, phase: Phase, cause: 'line' | 'local' = 'line'): void {
    this.rest((address) => ({ address, outcome: 'deferred', cause, reply, phase }));
  }

  /** The whole message was sent and the answer never came: it may have arrived, or not. */
  unknown(reply: string): void {
    this.rest((address) => ({ address, outcome: 'unknown', cause: 'line', reply, phase: 'end-of-data' }));
  }

  /** One per recipient, in order. Call when every way out was told. */
  done(): readonly SendResult[] {
    this.broken(words('unexpected'), 'DATA');
    return this.results as SendResult[];
  }

  private all(verdict: Exclude<Verdict, 'ok'>, reply: Reply, phase: Phase): void {
    for (let i = 0; i < this.results.length; i++) if (this.results[i] === undefined) this.settle(i, verdict, reply, phase);
    this.accepted = 0;
  }

  private settle(index: number, verdict: Exclude<Verdict, 'ok'>, reply: Reply, phase: Phase): void {
    const { address } = this.recipients[index] as OutboundRecipient;
    const text = replyText(reply);
    if (verdict === 'refused') this.results[index] = { address, outcome: 'refused', cause: 'refused', reply: text, phase };
    else if (verdict === 'deferred') this.results[index] = { address, outcome: 'deferred', cause: 'line', reply: text, phase };
    else {
      this.lost = true;
      this.results[index] = { address, outcome: 'deferred', cause: 'line', reply: words('unexpected', text), phase };
    }
  }

  private rest(result: (address: string) => SendResult): void {
    this.recipients.forEach(({ address }, i) => (this.results[i] ??= result(address)));
    this.accepted = 0;
  }
}
