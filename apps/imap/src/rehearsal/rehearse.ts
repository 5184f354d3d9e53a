import { setTimeout as pause } from 'node:timers/promises';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { DEFAULTS } from '@kiroku/domain/policy/settings-schema.js';
import type { Hints } from '@kiroku/infra/event-log/hints.js';
import { PostgresEventStore } from '@kiroku/infra/event-store/postgres.js';
import { PostgresMailboxStore } from '@kiroku/infra/read-model/mailboxes/store.js';
import { Projector } from '@kiroku/infra/read-model/projector.js';
import { INLINE_VIEWS } from '@kiroku/infra/read-model/views.js';
import { BodyCache } from '@kiroku/infra/read-model/search-index-cache.js';
import type pg from 'pg';
import { Imap } from '../imap.js';
import { LiveMailboxes } from '../mailboxes/live-mailboxes.js';
import { CachedStructures } from '../mailboxes/structures.js';
import type { ImapPorts } from '../ports.js';
import { ACCOUNT, PaperDatabase } from './paper-database.js';
import { BODIES, MESSAGES, PaperBodies } from './paper-mail.js';
import { ScriptConnection } from './script-connection.js';

/** Rounds of the script: after so many there is little left to compile. */
const ROUNDS = 8;
const SCRIPT = [
  'LOGIN nobody@b.test nothing', 'SELECT INBOX', 'FETCH 1:* (UID FLAGS)', `FETCH 1:${BODIES} (ENVELOPE BODYSTRUCTURE)`, `FETCH 1:${BODIES} (FLAGS UID RFC822.SIZE INTERNALDATE BODY.PEEK[])`,
  `STORE 1:${MESSAGES} +FLAGS (\\Flagged)`, `STORE 1:${MESSAGES} -FLAGS.SILENT (\\Flagged)`, 'STORE 7 +FLAGS (\\Seen)', 'UID FETCH 1:* FLAGS', 'NOOP', 'NOOP', 'SELECT INBOX', 'LOGOUT',
];

/**
 * Runs what clients do most on a mailbox that exists on paper only, so that it is compiled by the time when somebody asks for it: code that
 * runs for the first time is some ten times slower. Everything is real but the database and the bodies; nothing is written anywhere and
 * nothing recorded. Costs about a quarter of a second of one processor, in pieces of some ms, and 10 MB, most of which the first client would cost as well.
 * @returns answers that were not OK: there should be none.
 */
export async function rehearse(engine: Pick<Engine, 'clock' | 'ids'>, signal: AbortSignal, rounds = ROUNDS): Promise<readonly string[]> {
  const bodies = new PaperBodies();
  const database = new PaperDatabase(bodies);
  const refused: string[] = [];
  for (let round = 0; round < rounds && !signal.aborted; round++) {
    if (round === 1) database.learn();
    const connection = new ScriptConnection(SCRIPT, signal);
    const { protocol, mailboxes } = stageOf(database, bodies, engine, refused);
    await protocol.serve(connection);
    await mailboxes.close();
    refused.push(...connection.refused);
  }
  return refused;
}

/** The protocol with all that is below it, new each time: a mailbox is read for the first time again. */
function stageOf(database: PaperDatabase, bodies: PaperBodies, engine: Pick<Engine, 'clock' | 'ids'>, refused: string[]) {
  // Of a pool only `query` is called, and of the bodies nothing but reading.
  const pool = database as unknown as pg.Pool;
  const objects = bodies as unknown as ObjectStore;
  const trouble = (error: unknown): void => void refused.push(String(error));
  const settings = { ...DEFAULTS, plainAuthWithoutTls: true };
  const account = { id: ACCOUNT, address: 'nobody@b.test', enabled: true, smtp: true, pop3: true, imap: true, quota: 0, used: 0, inbox: 'INBOX' };
  const login = (): ReturnType<ImapPorts['authenticator']['password']> => Promise.resolve({ ok: true, account, login: account.address });
  const hints = paperHints();
  const mailboxes = new PostgresMailboxStore(pool, paperEngine(engine, pool, hints), hints, trouble);
  const cache = new BodyCache(pool, objects, trouble);
  const nothing = (): never => { throw new Error('not in the script'); };
  const protocol = new Imap(
    {
      clock: engine.clock, trouble, mailboxes, bodies: objects,
      admission: { admit: () => Promise.resolve({ settings, refused: undefined }), failed: () => Promise.resolve() },
      authenticator: { password: login, digest: login, scram: nothing },
      standing: { watch: () => () => undefined },
      live: new LiveMailboxes(mailboxes, trouble),
      structures: new CachedStructures(cache),
      index: { search: nothing, columns: nothing },
      log: { note: () => undefined },
    },
    { host: 'localhost', product: '' },
  );
  return { protocol, mailboxes };
}

/** Decides as ever; what is appended is forgotten. */
function paperEngine({ clock, ids }: Pick<Engine, 'clock' | 'ids'>, pool: pg.Pool, hints: Hints): Engine {
  return { clock, ids, store: new PostgresEventStore(pool, hints, INLINE_VIEWS.map((view) => new Projector(view))) };
}

/** Nothing ever happens elsewhere. */
const paperHints = (): Hints => {
  const wait = (_topic: unknown, _partition: unknown, _seen: unknown, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })));
  return { epoch: 0, seen: () => 0, send: () => undefined, wait, pause: (ms: number, signal: AbortSignal) => pause(ms, undefined, { signal, ref: false }).catch(() => undefined) } as unknown as Hints;
};
