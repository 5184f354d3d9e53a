import type { Capabilities } from '@kiroku/domain/smtp-client/capabilities.js';
import { ContentLook } from '@kiroku/domain/smtp-client/content-look.js';
import { downgraded, DowngradeLook } from '@kiroku/domain/smtp-client/downgrade.js';
import { type Content, type EightBit, isTooManyBits, mustLook, plan, type Plan, rcptCommand } from '@kiroku/domain/smtp-client/plan.js';
import { type Reply, replyText } from '@kiroku/domain/smtp-client/reply.js';
import { type Phase, Transaction } from '@kiroku/domain/smtp-client/transaction.js';
import {
  type AskingConversation, type ClientConversation, type ClientTimeouts, type OutboundMessage, type OutboundRecipient, RFC_TIMEOUTS, type SendResult, type Target,
  type VerifyResult,
} from '@kiroku/domain/smtp-client/types.js';
import { words } from '@kiroku/domain/smtp-client/words.js';
import type { ClientSocket } from './client-socket.js';
import { ContentOutput } from './content-output.js';

/** ms for the answer to a lone dot or a goodbye: nothing depends on it. */
const BRIEFLY = 5000;

type Sendable = Extract<Plan, { kind: 'send' }>;

/** One line of the envelope: what is said, what the answer is about, how long to wait for it. */
interface Step {
  readonly command: string;
  readonly phase: Phase;
  readonly ms: number;
  readonly take: (reply: Reply) => void;
}

export interface ConversationOptions {
  /** Default: those of RFC 5321. */
  readonly timeouts?: ClientTimeouts;
  /** What becomes of an 8-bit message at a server that takes 7 bits; asked for each. Default `downgrade`. */
  readonly eightBit?: () => EightBit;
  /** Told why a message could not be read here; replies do not say it, for they may be shown to strangers. */
  readonly trouble?: (error: unknown) => void;
}

/** A conversation after greeting, encryption and login. */
export class Conversation implements AskingConversation {
  sent = 0;
  readonly source: string;

  private readonly timeouts: ClientTimeouts;
  private busy = false;
  private spoiled = false;
  /** The last transaction is still open on the other side. */
  private needsReset = false;

  constructor(
    readonly target: Target,
    readonly tls: ClientConversation['tls'],
    private readonly socket: ClientSocket,
    private readonly offers: Capabilities,
    private readonly options: ConversationOptions,
  ) {
    this.source = socket.source;
    this.timeouts = options.timeouts ?? RFC_TIMEOUTS;
  }

  get usable(): boolean {
    return !this.spoiled && this.socket.broken === undefined && this.sent < this.offers.messagesMax;
  }

  async send(message: OutboundMessage): Promise<readonly SendResult[]> {
    const { recipients } = message;
    if (this.busy || !this.usable) return deferAll(recipients, this.socket.broken?.reply ?? words('busy'), this.busy ? 'local' : 'line');
    this.busy = true;
    try {
      const [how, ready] = await this.prepare(message);
      if (how.kind === 'never') return recipients.map(({ address }) => ({ address, outcome: 'refused', cause: 'refused', reply: how.reply, phase: 'MAIL' }));
      return await this.transactions(ready, how);
    } catch (error) {
      this.options.trouble?.(error);
      return deferAll(recipients, words('content'), 'local');
    } finally {
      this.busy = false;
    }
  }

  async verify(sender: string, recipient: string): Promise<VerifyResult> {
    if (this.busy || !this.usable) return { outcome: 'deferred', reply: this.socket.broken?.reply ?? words('busy'), phase: 'MAIL' };
    const made = rcptCommand({ address: recipient }, this.offers);
    if ('never' in made) return { outcome: 'refused', reply: made.never, phase: 'RCPT' };
    this.busy = true;
    this.sent++;
    let said = words('unexpected');
    const transaction = new Transaction([{ address: recipient }], false);
    const utf8 = this.offers.utf8 && NON_ASCII.test(`${sender}${recipient}`);
    const { mail, rcpt } = this.timeouts;
    const steps = this.begin(`MAIL FROM:<${sender}>${utf8 ? ' SMTPUTF8' : ''}\r\n`, mail, transaction);
    steps.push({ command: made.command, phase: 'RCPT', ms: rcpt, take: (reply) => ((said = replyText(reply)), transaction.rcpt(0, reply)) });
    await (this.offers.pipelining ? this.inOne(steps, utf8, transaction) : this.inTurn(steps, utf8, transaction));
    this.needsReset = transaction.open;
    if (transaction.lost) this.spoil();
    this.busy = false;
    if (transaction.accepted > 0 && !this.spoiled) return { outcome: 'taken', reply: said, phase: 'RCPT' };
    const [{ outcome, reply, phase }] = transaction.done() as readonly [SendResult];
    return { outcome: outcome === 'refused' ? 'refused' : 'deferred', reply, phase };
  }

  async quit(): Promise<void> {
    await this.socket.leave(this.busy ? '' : 'QUIT\r\n');
  }

  /** The message in the form in which this server takes it. @throws what the content, or its seal, throws. */
  private async prepare(message: OutboundMessage): Promise<readonly [Plan, OutboundMessage]> {
    const hop = { offers: this.offers, verified: this.tls?.verified };
    const eightBit = this.options.eightBit?.() ?? 'downgrade';
    const content = mustLook(message, hop) ? await this.look(message, eightBit === 'downgrade') : undefined;
    const how = plan(message, hop, content, eightBit);
    if (how.kind === 'never' || (!how.downgrade && !message.seal)) return [how, message];
    const { downgrade } = how;
    const form: OutboundMessage = downgrade ? { ...message, content: () => downgraded(message.content(), downgrade) } : message;
    const lines = (await message.seal?.(() => form.content())) ?? '';
    if (lines === '') return [how, form];
    const sealed = Buffer.from(lines, 'utf8');
    const ready: OutboundMessage = { ...form, size: form.size + sealed.length, content: () => prefixed(sealed, form.content()) };
    return [plan(ready, hop, content, eightBit), ready];
  }

  /** @param sevenBit also in which way it could be made 7-bit, if it has to be. */
  private async look(message: OutboundMessage, sevenBit: boolean): Promise<Content> {
    const look = new ContentLook();
    for await (const chunk of message.content()) look.push(chunk);
    if (!sevenBit || !isTooManyBits(message, { offers: this.offers, verified: undefined }, look)) return look;
    const closer = new DowngradeLook();
    for await (const chunk of message.content()) closer.push(chunk);
    const { eightBit, eightBitHeader, binary } = look;
    return { eightBit, eightBitHeader, binary, sevenBit: closer.result() };
  }

  /** As many transactions as the server's limit of recipients makes necessary (RFC 5321 §4.5.3.1.10, RFC 9422 §4.1). */
  private async transactions(message: OutboundMessage, how: Sendable): Promise<readonly SendResult[]> {
    const { recipients } = message;
    const results = new Array<SendResult | undefined>(recipients.length).fill(undefined);
    const commands = recipients.map((recipient) => rcptCommand(recipient, this.offers));
    let waiting: number[] = [];
    commands.forEach((made, i) => {
      if ('command' in made) waiting.push(i);
      else results[i] = { address: recipients[i]?.address ?? '', outcome: 'refused', cause: 'refused', reply: made.never, phase: 'RCPT' };
    });
    while (waiting.length > 0 && this.usable) {
      const now = waiting.slice(0, this.offers.recipientsMax);
      const next = waiting.slice(now.length);
      const transaction = new Transaction(now.map((i) => recipients[i] as OutboundRecipient), !this.offers.dsn);
      await this.transact(message, how, now.map((i) => (commands[i] as { readonly command: string }).command), transaction);
      const done = transaction.done();
      now.forEach((i, n) => (results[i] = done[n]));
      // Those who did not fit go at once, as long as that gets on.
      const again = done.some(({ outcome }) => outcome === 'delivered') ? transaction.overflow.map((n) => now[n] as number) : [];
      waiting = [...again, ...next];
    }
    const reply = this.socket.broken?.reply ?? words('too-many-messages');
    return results.map((result, i) => result ?? { address: recipients[i]?.address ?? '', outcome: 'deferred', cause: 'line', reply, phase: 'MAIL' });
  }

  private async transact(message: OutboundMessage, how: Sendable, recipients: readonly string[], transaction: Transaction): Promise<void> {
    this.sent++;
    const { mail, rcpt, dataInit } = this.timeouts;
    const steps = this.begin(how.mail, mail, transaction);
    recipients.forEach((line, i) => steps.push({ command: line, phase: 'RCPT', ms: rcpt, take: (reply) => transaction.rcpt(i, reply) }));
    if (!how.binary) steps.push({ command: 'DATA\r\n', phase: 'DATA', ms: dataInit, take: (reply) => transaction.data(reply) });

    await (this.offers.pipelining ? this.inOne(steps, how.utf8, transaction) : this.inTurn(steps, how.utf8, transaction));
    const { early, broken } = this.socket;
    if (transaction.awaited !== 'nothing' && early) {
      // It took 354 back before it had anything of the text (RFC 5321 §4.3.2 has no such reply; servers do).
      transaction.interrupted(early);
      this.spoil();
    } else if (broken) transaction.broken(broken.reply, 'DATA');
    else if (!transaction.lost) {
      if (transaction.awaited === 'dot') await this.dot(transaction);
      else if (how.binary ? transaction.accepted > 0 : transaction.awaited === 'text') await this.body(message, how.binary, transaction);
    }
    this.needsReset = transaction.open;
    if (transaction.lost) this.spoil();
  }

  private begin(command: string, ms: number, transaction: Transaction): Step[] {
    const mail: Step = { command, phase: 'MAIL', ms, take: (reply) => transaction.mail(reply) };
    if (!this.needsReset) return [mail];
    return [{ command: 'RSET\r\n', phase: 'MAIL', ms: this.timeouts.command, take: (reply) => this.reset(reply, transaction) }, mail];
  }

  /** RFC 2920: all commands at once, the answers in order. */
  private async inOne(steps: readonly Step[], utf8: boolean, transaction: Transaction): Promise<void> {
    let text = '';
    for (const step of steps) text += step.command;
    this.socket.write(text, utf8 ? 'utf8' : 'latin1');
    const { replies, broken } = await this.socket.replies(steps.length, (i) => steps[i]?.ms ?? 0);
    for (let i = 0; i < replies.length; i++) (steps[i] as Step).take(replies[i] as Reply);
    if (broken) transaction.broken(broken.reply, steps[replies.length]?.phase ?? 'DATA');
  }

  private async inTurn(steps: readonly Step[], utf8: boolean, transaction: Transaction): Promise<void> {
    for (const { command, phase, ms, take } of steps) {
      if (transaction.lost || (phase === 'RCPT' && !transaction.open) || (phase === 'DATA' && transaction.accepted === 0)) return;
      this.socket.write(command, utf8 ? 'utf8' : 'latin1');
      const heard = await this.socket.reply(ms);
      if ('kind' in heard) return transaction.broken(heard.reply, phase);
      take(heard);
    }
  }

  private reset(reply: Reply, transaction: Transaction): void {
    if (reply.code >= 200 && reply.code < 300) return;
    transaction.lost = true;
    transaction.broken(words('unexpected', `${reply.code} to RSET`), 'MAIL');
  }

  /** The server awaits a text although it took no recipient: an empty one ends that (RFC 2920 §3.1). */
  private async dot(transaction: Transaction): Promise<void> {
    this.socket.stream(false);
    this.socket.write('.\r\n');
    await this.socket.reply(Math.min(this.timeouts.dataEnd, BRIEFLY));
    transaction.open = false;
  }

  private async body(message: OutboundMessage, binary: boolean, transaction: Transaction): Promise<void> {
    const { socket } = this;
    const output = new ContentOutput(socket, binary ? message.size : undefined);
    socket.stream(true);
    try {
      if (binary) socket.write(`BDAT ${message.size} LAST\r\n`);
      await this.pour(message.content(), output);
    } catch (error) {
      // What was begun cannot be taken back: only an end without the final dot keeps half a message from being delivered.
      this.spoil();
      this.options.trouble?.(error);
      return transaction.broken(words('content'), 'DATA', 'local');
    } finally {
      socket.stream(false);
    }
    if (socket.early) {
      transaction.interrupted(socket.early);
      return this.spoil();
    }
    if (socket.broken) return transaction.broken(socket.broken.reply, 'DATA');
    if (output.misfit) {
      this.spoil();
      return transaction.broken(words('wrong-size'), 'DATA', 'local');
    }
    output.end();
    await this.final(transaction);
  }

  private async pour(content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, output: ContentOutput): Promise<void> {
    const { socket } = this;
    const { dataBlock } = this.timeouts;
    if (Symbol.iterator in content) {
      for (const chunk of content) {
        output.put(chunk);
        if (socket.full) await socket.room(dataBlock);
        if (socket.stopped || output.tooMuch) return;
      }
      return;
    }
    for await (const chunk of content) {
      output.put(chunk);
      if (socket.full) await socket.room(dataBlock);
      if (socket.stopped || output.tooMuch) return;
    }
  }

  private async final(transaction: Transaction): Promise<void> {
    const heard = await this.socket.reply(this.timeouts.dataEnd);
    if (!('kind' in heard)) transaction.end(heard);
    else if (heard.kind === 'closing') transaction.broken(heard.reply, 'end-of-data');
    else if (this.socket.cutOff) transaction.broken(heard.reply, 'DATA');
    else transaction.unknown(heard.reply);
  }

  /** Not to be used again: the other side may be anywhere. */
  private spoil(): void {
    this.spoiled = true;
    void this.socket.leave();
  }
}

const NON_ASCII = /[^\x00-\x7f]/;

async function* prefixed(first: Uint8Array, rest: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

const deferAll = (recipients: readonly OutboundRecipient[], reply: string, cause: 'line' | 'local'): readonly SendResult[] =>
  recipients.map(({ address }) => ({ address, outcome: 'deferred', cause, reply, phase: 'MAIL' }));
