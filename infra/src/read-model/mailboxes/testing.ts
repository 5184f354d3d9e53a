import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { appendMessage, type MailboxEvent, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import type { Snapshot } from '@kiroku/domain/mailbox/store-port.js';
import { Hints } from '../../event-log/hints.js';
import { type Member, NINE, type OpenStore, recorded, sha256, type TestHistory, testHistory } from '../testing.js';
import { PostgresMailboxStore } from './store.js';

export const ORIGIN = { actor: 'session:I1', correlation: 'I1' };
export const body = (n: number, size = 100): BodyRef => ({ sha256: sha256(n), size });
export const prefixOf = (n: number): string => `Return-Path: <bob@y.test>\r\nDelivered-To: ann@x.test\r\nX-Number: ${n}\r\n`;

export interface Person { readonly id: string; readonly address: string; readonly inbox: string }

/** Accounts and mailboxes on a database of a test file's own. */
export interface MailboxWorld {
  readonly h: TestHistory;
  readonly store: PostgresMailboxStore;
  readonly directory: DirectoryCommands;
  /** Another process. */
  process(): { readonly member: Member; readonly store: PostgresMailboxStore };
  person(name: string, more?: { readonly quota?: number; readonly domain?: string }): Promise<Person>;
  /** Mail comes in, in one append. */
  deliver(inbox: string, count: number, member?: Member): Promise<void>;
  close(): Promise<void>;
}

export async function mailboxWorld(openStore?: OpenStore): Promise<MailboxWorld> {
  const h = await testHistory(openStore);
  const directory = new DirectoryCommands(h.engine);
  const domains = new Set<string>();
  const ends: (() => Promise<void>)[] = [];
  const storeOn = (member: Member): PostgresMailboxStore => {
    const trouble = (error: unknown): void => void member.troubles.push(error);
    const hints = new Hints(h.connection, member.pool, trouble);
    const store = new PostgresMailboxStore(member.pool, member.engine, hints, trouble);
    ends.push(async () => { await store.close(); await hints.close(); });
    return store;
  };
  return {
    h, directory, store: storeOn(h),
    process: () => {
      const member = h.another();
      return { member, store: storeOn(member) };
    },
    person: async (name, { quota = 0, domain = 'x.test' } = {}) => {
      if (!domains.has(domain)) await directory.addDomain(domain, { accountLimit: 0 }, ORIGIN);
      domains.add(domain);
      const [id, address] = [h.engine.ids.uuid(), `${name}@${domain}`];
      await directory.addAccount({ accountId: id, address, fullName: '', smtp: true, pop3: true, imap: true, quota, credentials: 'sealed', reversible: false }, ORIGIN);
      const { rows } = await h.pool.query<{ inbox: string }>('SELECT inbox FROM view.account_1 WHERE id = $1', [id]);
      return { id, address, inbox: rows[0]?.inbox ?? '' };
    },
    deliver: (inbox, count, member = h) => deliver(member, inbox, count),
    close: async () => {
      for (const end of ends) await end();
      await h.close();
    },
  };
}

/** As local delivery does it: an event per message, again when somebody was faster. */
async function deliver({ engine }: Member, inbox: string, count: number): Promise<void> {
  const stream = mailboxStream(inbox);
  for (;;) {
    const last = (await engine.store.readLast([stream])).get(stream);
    let { head } = (last?.event as unknown as MailboxEvent).data;
    const events = Array.from({ length: count }, () => {
      const n = head.uidNext;
      const prefix = prefixOf(n);
      const fact = appendMessage(inbox, head, {
        messageId: `Q${n}`, sha256: sha256(n), bodySize: 100, prefix, size: 100 + prefix.length, receivedAt: NINE, recipient: 'ann@x.test', via: [], deliveredTo: 'ann@x.test',
      });
      head = fact.data.head;
      return recorded(engine, fact);
    });
    try {
      return await engine.store.append([{ stream, expected: last?.version ?? 0, events }]);
    } catch (error) {
      if (!(error instanceof VersionConflict)) throw error;
    }
  }
}

/** A snapshot as people read it: UID, MODSEQ, flags. */
export const shown = (snapshot: Snapshot | undefined): readonly (readonly [number, number, string])[] =>
  snapshot ? Array.from(snapshot.uids, (uid, i) => [uid, snapshot.modSeqs[i] as number, (snapshot.flagSets[snapshot.flags[i] as number] ?? []).join(' ')] as const) : [];

export const upTo = (n: number, from = 1): number[] => Array.from({ length: n }, (_, i) => from + i);
