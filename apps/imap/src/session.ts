import type { Ability } from '@kiroku/domain/imap/session/capabilities.js';
import type { Phase } from '@kiroku/domain/imap/session/phases.js';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import type { AccountFacts } from '@kiroku/domain/mail/directory-port.js';
import type { SessionFact } from '@kiroku/domain/mail/events.js';
import type { Settings } from '@kiroku/domain/policy/settings-schema.js';
import type { Connection } from '@kiroku/infra/net/connection.js';
import type { Notifications } from './notify/notifications.js';
import { Output } from './output.js';
import type { ImapOptions, ImapPorts } from './ports.js';
import { No } from './refusal.js';
import type { Selected } from './selected.js';
import type { Fall } from './standing.js';

/** How a session ended. */
export type Ending = 'logout' | 'client-left' | 'errors' | 'locked-out' | 'not-imap' | 'body-failed' | 'mailbox-deleted' | 'rights-gone' | Fall;

/** What a connection has come to: who is there, what is selected and switched on. Commands work on it, one after another. */
export class Session {
  phase: Phase = 'not-authenticated';
  account: AccountFacts | undefined;
  selected: Selected | undefined;
  notifications: Notifications | undefined;
  readonly enabled = new Set<Ability>();
  /** UIDs of the saved search result, `$` (RFC 5182), ascending. */
  saved = new Uint32Array();
  compressed = false;
  ending: Ending = 'logout';
  /** How far the command under way is, where it knows: of how many is not always known. For INPROGRESS. */
  progress: { done: number; readonly of?: number } | undefined;
  /** ms of silence that somebody who has not logged in is allowed. */
  readonly strangersTime: number;
  readonly output: Output;
  /** The client is to speak next: BYE may be said at any moment. */
  private listening = false;
  /** The account may not use IMAP any more, or not with the password that this session has come with. */
  private dismissed: Fall | undefined;
  private standing: (() => void) | undefined;

  constructor(
    public connection: Connection,
    readonly ports: ImapPorts,
    readonly options: ImapOptions,
    readonly settings: Settings,
    /** See Admission. */
    readonly digests: boolean,
  ) {
    this.output = new Output(connection);
    this.strangersTime = connection.idleTimeout;
  }

  get host(): string {
    return this.settings.hostname || this.options.host;
  }

  /** @throws when nobody is logged in: the table of phases lets no such command through. */
  get accountId(): string {
    if (!this.account) throw new Error('nobody is logged in');
    return this.account.id;
  }

  /** @throws when nothing is selected. */
  get box(): Selected {
    if (!this.selected) throw new No('Select a mailbox first', undefined, 'BAD');
    return this.selected;
  }

  get origin(): Origin {
    const { id } = this.connection;
    return { actor: this.account ? `account:${this.account.id}` : `session:${id}`, correlation: id };
  }

  /** Are mailbox names UTF-8 on the wire, quoted strings too (RFC 6855 §3, RFC 9051 §5.1)? */
  get utf8(): boolean {
    return this.enabled.has('UTF8=ACCEPT') || this.enabled.has('IMAP4REV2');
  }

  get rev2(): boolean {
    return this.enabled.has('IMAP4REV2');
  }

  get uidOnly(): boolean {
    return this.enabled.has('UIDONLY');
  }

  /** RFC 7162 §3.1: after the first command that shows it, all FETCH responses with flags tell MODSEQ. */
  get condstore(): boolean {
    return this.enabled.has('CONDSTORE') || this.qresync;
  }

  get qresync(): boolean {
    return this.enabled.has('QRESYNC');
  }

  note(fact: SessionFact): void {
    this.ports.log.note(this.connection.id, fact);
  }

  refused(verb: string, rule: string, reply: string): void {
    this.note({ type: 'CommandRefused', data: { protocol: 'imap', peer: this.connection.peer, verb, rule, reply } });
  }

  trouble(error: unknown): void {
    this.ports.trouble(error, this.connection.id);
  }

  hangUp(ending: Ending): void {
    this.ending = ending;
    this.phase = 'logout';
  }

  /** Somebody has logged in. @param mark see `LoginResult`. */
  enter(account: AccountFacts, mark = ''): void {
    this.account = account;
    this.phase = 'authenticated';
    this.connection.idleTimeout = this.settings.imapIdleTime;
    this.dismissed = undefined;
    this.standing = this.ports.standing.watch(account.id, mark, (why) => {
      this.dismissed = why;
      if (this.listening) this.dismiss(why);
    });
  }

  /** Waits for the client, by `work`. @throws what it throws. */
  async listen<T>(work: () => Promise<T>): Promise<T> {
    this.listening = true;
    if (this.dismissed) this.dismiss(this.dismissed);
    try {
      return await work();
    } finally {
      this.listening = false;
    }
  }

  private dismiss(why: Fall): void {
    if (this.phase === 'logout') return;
    this.hangUp(why);
    // A notification under way is not to be cut in two.
    void Promise.resolve(this.notifications?.pause()).then(() => {
      this.output.untagged(why === 'account-off' ? 'BYE The account may not be used any more' : 'BYE The password has been changed');
      this.connection.close();
    });
  }

  deselect(): void {
    const { selected } = this;
    this.selected = undefined;
    this.saved = new Uint32Array();
    if (!selected) return;
    selected.close();
    if (this.phase === 'selected') this.phase = 'authenticated';
  }

  /** Gives back all that it holds. */
  release(): void {
    this.notifications?.close();
    this.notifications = undefined;
    this.standing?.();
    this.standing = undefined;
    this.deselect();
  }
}
