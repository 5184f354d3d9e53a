import type { FetchItem } from '@kiroku/domain/imap/grammar/fetch-item.js';
import { listLine, metadataChangedLine } from '@kiroku/domain/imap/grammar/responses.js';
import type { Folder } from '@kiroku/domain/mailbox/store-port.js';
import { announce } from '../announce.js';
import { statusResponse } from '../commands/status.js';
import { planOf } from '../fetch/plan.js';
import { FetchResponder } from '../fetch/responder.js';
import type { Session } from '../session.js';
import { stillReadable } from '../shared-access.js';
import type { Groups } from './groups.js';

/** Mailboxes that one session hears of; who asks for more is told that there are too many (RFC 5465 §5.8). */
export const MOST_WATCHED = 10_000;

type Metadata = ReadonlyMap<string, string>;

/**
 * What a session hears of unasked (RFC 5465), as long as no command is under way: of the selected mailbox all that has happened, of
 * others their STATUS, and changes of the list of mailboxes. Hints that come meanwhile wait, one for each mailbox.
 */
export class Notifications {
  private readonly dirty = new Set<string>();
  private folders = new Map<string, Folder>();
  private readonly watches = new Map<string, () => void>();
  private readonly metadata = new Map<string, Metadata>();
  private unwatch: (() => void) | undefined;
  private listDirty = false;
  private boxDirty = false;
  private open = false;
  private closed = false;
  private working: Promise<void> | undefined;
  /** UIDs of the selected mailbox up to which new messages have been fetched for the client. */
  private fetched = 0;

  constructor(
    private readonly session: Session,
    private readonly groups: Groups,
    folders: readonly Folder[],
  ) {
    this.follow(folders);
    if (groups.any) this.unwatch = session.ports.mailboxes.watchFolders(session.accountId, () => {
      this.listDirty = true;
      this.kick();
    });
    this.selected();
  }

  /** The folders that are told of, with something of their messages. */
  get watched(): readonly Folder[] {
    return [...this.watches.keys()].flatMap((id) => this.folders.get(id) ?? []);
  }

  /** What the metadata are now: only later changes are told. */
  async learn(): Promise<void> {
    if (this.groups.asks('MailboxMetadataChange')) for (const folder of this.folders.values()) if (this.wants(folder, 'MailboxMetadataChange')) await this.metadataOf(folder.name);
    if (this.groups.asks('ServerMetadataChange')) await this.metadataOf('');
  }

  /** Another mailbox has been selected. */
  selected(): void {
    this.fetched = this.session.selected?.tracker.lastUid ?? 0;
    this.boxDirty = false;
  }

  /** No command is under way from here on. @param idle IDLE itself tells of the selected mailbox. */
  resume(idle = false): void {
    this.open = true;
    const { selected } = this.session;
    if (selected && this.groups.selected && !idle) selected.onChange(() => {
      this.boxDirty = true;
      this.kick();
    });
    // What a command has told of new messages is fetched now.
    if (this.groups.selected && (selected?.tracker.lastUid ?? 0) > this.fetched) this.boxDirty = true;
    this.kick();
  }

  /** A command begins: resolves when nothing more is being told. */
  pause(): void | Promise<void> {
    this.open = false;
    if (this.groups.selected) this.session.selected?.onChange(undefined);
    return this.working;
  }

  close(): void {
    this.closed = true;
    this.open = false;
    this.unwatch?.();
    for (const end of this.watches.values()) end();
    this.watches.clear();
  }

  private kick(): void {
    if (!this.open || this.working || !(this.boxDirty || this.listDirty || this.dirty.size > 0)) return;
    this.working = this.work()
      .catch((error: unknown) => this.session.trouble(error))
      .finally(() => {
        this.working = undefined;
        this.kick();
      });
  }

  private async work(): Promise<void> {
    if (this.boxDirty) await this.tellSelected();
    if (this.open && this.listDirty) await this.tellList();
    for (const id of this.dirty) {
      if (!this.open) break;
      this.dirty.delete(id);
      await this.tellStatus(id);
    }
    await this.session.output.flush();
  }

  private async tellSelected(): Promise<void> {
    this.boxDirty = false;
    const { selected } = this.session;
    const { groups } = this;
    if (!selected || !groups.selected) return;
    if (!(await stillReadable(this.session))) return this.session.connection.close();
    if (!this.open) return void (this.boxDirty = true);
    announce(this.session, !groups.selected.delayed && groups.selected.events.some(({ event }) => event === 'MessageExpunge'));
    // Its mailbox is gone: the reader waits for a command that no longer matters.
    if (this.session.phase === 'logout') return this.session.connection.close();
    const fresh = selected.tracker.atLeast(this.fetched + 1);
    this.fetched = Math.max(this.fetched, selected.tracker.lastUid);
    const items = groups.selected.events.flatMap((event): readonly FetchItem[] => (event.event === 'MessageNew' ? event.items : []));
    if (items.length === 0 || fresh > selected.tracker.size) return;
    const uids = Uint32Array.from({ length: selected.tracker.size - fresh + 1 }, (_, i) => selected.tracker.uid(fresh + i));
    const uid = this.session.uidOnly ? [] : [{ item: 'UID' } as const];
    await new FetchResponder(this.session, selected, planOf([...uid, ...items.filter(({ item }) => item !== 'UID')], this.session.utf8)).run(uids);
  }

  private async tellStatus(id: string): Promise<void> {
    const folder = this.folders.get(id);
    if (!folder || this.session.selected?.live.id === id) return;
    const [known] = await this.session.ports.mailboxes.status([id]);
    if (!known) return;
    const modSeq = this.session.condstore ? (['HIGHESTMODSEQ'] as const) : [];
    const line = await statusResponse(this.session, folder, known, ['MESSAGES', 'UIDNEXT', 'UIDVALIDITY', 'UNSEEN', ...modSeq]);
    if (this.open) this.session.output.untagged(line);
    else this.dirty.add(id);
  }

  private async tellList(): Promise<void> {
    const { mailboxes } = this.session.ports;
    const now = await mailboxes.folders(this.session.accountId);
    if (!this.open) return;
    this.listDirty = false;
    const before = this.folders;
    this.follow(now);
    for (const old of before.values()) if (!this.folders.has(old.id) && this.wants(old, 'MailboxName')) this.tellName(['\\NonExistent'], old.name);
    for (const folder of now) {
      const old = before.get(folder.id);
      if (old?.name !== folder.name && this.wants(folder, 'MailboxName')) this.tellName(folder.subscribed ? ['\\Subscribed'] : [], folder.name, old?.name);
      else if (old && old.subscribed !== folder.subscribed && this.wants(folder, 'SubscriptionChange')) this.tellName(folder.subscribed ? ['\\Subscribed'] : [], folder.name);
    }
    await this.tellMetadata(now);
  }

  private tellName(attributes: readonly string[], name: string, oldName?: string): void {
    this.session.output.untagged(listLine('LIST', { attributes, name, ...(oldName !== undefined && { oldName }) }, this.session.utf8));
  }

  private async tellMetadata(folders: readonly Folder[]): Promise<void> {
    const names = this.groups.asks('MailboxMetadataChange') ? folders.filter((folder) => this.wants(folder, 'MailboxMetadataChange')).map(({ name }) => name) : [];
    if (this.groups.asks('ServerMetadataChange')) names.push('');
    for (const name of names) {
      const before = this.metadata.get(name) ?? new Map<string, string>();
      const now = await this.metadataOf(name);
      const changed = [...new Set([...before.keys(), ...now.keys()])].filter((entry) => before.get(entry) !== now.get(entry));
      if (changed.length > 0) this.session.output.untagged(metadataChangedLine(name, changed, this.session.utf8));
    }
  }

  private async metadataOf(name: string): Promise<Metadata> {
    const { mailboxes } = this.session.ports;
    // A copy: what it is compared with must stay.
    const now = new Map(await mailboxes.metadata(this.session.accountId, name).catch(() => new Map<string, string>()));
    this.metadata.set(name, now);
    return now;
  }

  private wants(folder: Folder, event: 'MailboxName' | 'SubscriptionChange' | 'MailboxMetadataChange'): boolean {
    return this.groups.eventsFor(folder, this.session.accountId).has(event);
  }

  /** Watches the mailboxes that something of is asked for, and no others. */
  private follow(folders: readonly Folder[]): void {
    const { mailboxes } = this.session.ports;
    this.folders = new Map(folders.map((folder) => [folder.id, folder]));
    for (const [id, end] of this.watches) {
      if (this.folders.has(id)) continue;
      end();
      this.watches.delete(id);
    }
    for (const folder of folders) {
      if (this.closed || this.watches.has(folder.id) || !folder.rights.includes('r') || this.watches.size >= MOST_WATCHED) continue;
      const events = this.groups.eventsFor(folder, this.session.accountId);
      if (!events.has('MessageNew') && !events.has('MessageExpunge') && !events.has('FlagChange')) continue;
      this.watches.set(folder.id, mailboxes.watch(folder.id, () => {
        this.dirty.add(folder.id);
        this.kick();
      }));
    }
  }
}
