import type { AppendHead } from '@kiroku/domain/imap/grammar/append.js';
import type { AppendMessage, AppendPart } from '@kiroku/domain/imap/grammar/commands.js';
import type { BodyWriter } from '@kiroku/domain/kernel/object-store.js';
import type { Folder, NewMessage } from '@kiroku/domain/mailbox/store-port.js';
import { copyUrl } from './catenate.js';
import { No, noTarget } from './refusal.js';
import type { Session } from './session.js';

/** Messages whose octets go to disk at the same time when they are made durable. */
const AT_ONCE = 32;

interface Draft {
  readonly writer: BodyWriter;
  /** Parts of a CATENATE that are in it. */
  parts: number;
  smtputf8: boolean;
}

/**
 * The messages of one APPEND or REPLACE on their way to the object store: octets go there as they arrive, so memory does not depend on
 * their size. Nothing is kept before `commit`.
 */
export class Intake {
  private readonly drafts: Draft[] = [];
  private folder: Folder | undefined;
  private room = Infinity;
  /** Why the messages cannot be kept; said at the end, because the octets come anyway. */
  private problem: No | undefined;

  constructor(private readonly session: Session) {}

  /** Where they are to go, looked up once per command. @throws No */
  async target(mailbox: string): Promise<Folder> {
    this.folder ??= await this.session.ports.mailboxes.folder(this.session.accountId, mailbox);
    if (!this.folder) throw noTarget(mailbox);
    return this.folder;
  }

  /** A literal of a message is announced. @throws No when the command will fail in any case: the client need not send it. */
  async begin({ mailbox, messages, parts }: AppendHead, size: number): Promise<void> {
    await this.admit(mailbox, size);
    const draft = this.draft(messages.length);
    if (parts) await this.urls(draft, parts);
    this.checkSize(draft, size);
  }

  /** @returns a promise to wait for before the next. */
  take(chunk: Buffer, binary: boolean): void | Promise<void> {
    if (!binary && !this.problem && chunk.includes(0)) this.problem = new No('NUL in a literal that is not binary', undefined, 'BAD');
    if (!this.problem) return this.drafts.at(-1)?.writer.write(chunk);
  }

  /** All messages, durable. @throws No, StoreUnavailable */
  async commit(messages: readonly AppendMessage[]): Promise<NewMessage[]> {
    for (const [index, message] of messages.entries()) {
      const draft = this.draft(index);
      if (message.catenate) await this.urls(draft, message.parts);
      if (message.utf8) draft.smtputf8 = true;
      if (draft.writer.size === 0) this.problem ??= new No('An empty message', undefined, 'BAD');
    }
    if (this.problem) throw this.problem;
    const kept: NewMessage[] = [];
    for (let at = 0; at < messages.length; at += AT_ONCE) kept.push(...(await Promise.all(messages.slice(at, at + AT_ONCE).map((message, i) => this.keep(message, at + i)))));
    return kept;
  }

  async abort(): Promise<void> {
    await Promise.all(this.drafts.map(({ writer }) => writer.abort()));
  }

  private async keep({ flags, receivedAt }: AppendMessage, index: number): Promise<NewMessage> {
    const { writer, smtputf8 } = this.draft(index);
    const body = await writer.commit();
    return { body, flags, ...(receivedAt !== undefined && { receivedAt }), ...(smtputf8 && { smtputf8 }) };
  }

  private draft(index: number): Draft {
    while (this.drafts.length <= index) this.drafts.push({ writer: this.session.ports.bodies.create(), parts: 0, smtputf8: false });
    return this.drafts[index] as Draft;
  }

  /** Asked once per command; the store decides in the end. */
  private async admit(mailbox: string, size: number): Promise<void> {
    if (!this.folder) {
      const { mailboxes } = this.session.ports;
      const folder = await this.target(mailbox);
      if (!folder.rights.includes('i')) throw new No('Your rights do not allow that', 'NOPERM');
      // REPLACE, which needs a selected mailbox, gives room back: the store decides alone.
      if (folder.accountId === this.session.accountId && this.session.phase !== 'selected') this.room = await mailboxes.room(folder.accountId, folder.id);
    }
    this.room -= size;
    if (this.room < 0) throw new No('There is not enough room left', 'OVERQUOTA');
  }

  /** The parts up to the next literal: messages of our own that a URL names. */
  private async urls(draft: Draft, parts: readonly AppendPart[]): Promise<void> {
    for (; draft.parts < parts.length; draft.parts++) {
      const part = parts[draft.parts];
      if (part?.part === 'url') await copyUrl(this.session, part.url, draft.writer, (size) => this.checkSize(draft, size));
    }
  }

  private checkSize({ writer }: Draft, more: number): void {
    const { imapAppendLimit } = this.session.settings;
    if (imapAppendLimit > 0 && writer.size + more > imapAppendLimit) throw new No('The message is too big', 'TOOBIG');
  }
}
