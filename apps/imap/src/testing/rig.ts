import { createHash, randomUUID } from 'node:crypto';
import type { AccountFacts } from '@kiroku/domain/mail/directory-port.js';
import type { SessionFact } from '@kiroku/domain/mail/events.js';
import type { Admission } from '@kiroku/domain/policy/admission-port.js';
import { DEFAULTS, type Settings } from '@kiroku/domain/policy/settings-schema.js';
import { makeCredentials, sealCredentials } from '@kiroku/infra/auth/credentials.js';
import { DirectoryAuthenticator, type StoredCredentials } from '@kiroku/infra/auth/directory-authenticator.js';
import { LineServer } from '@kiroku/infra/net/line-server.js';
import { newKey, selfSigned } from '@kiroku/infra/net/self-signed.js';
import { secureContext, type TlsSource } from '@kiroku/infra/net/tls-source.js';
import { MemoryObjectStore } from '@kiroku/infra/object-store/memory.js';
import { Imap } from '../imap.js';
import { LiveMailboxes } from '../mailboxes/live-mailboxes.js';
import { CachedStructures, ReadStructures } from '../mailboxes/structures.js';
import type { ImapOptions, ImapPorts } from '../ports.js';
import { Standing } from '../standing.js';
import { ImapClient } from './imap-client.js';
import { MemoryIndex } from './memory-index.js';
import { MemoryMailboxes } from './memory-mailboxes.js';

const KEY = Buffer.alloc(32, 7);
export const PASSWORD = 'tanstaaf';
const NAMES = ['ann', 'ben', 'pop-only'];

const facts = (name: string, id: string): AccountFacts => ({
  id, address: `${name}@x.test`, enabled: true, smtp: true, pop3: true, imap: name !== 'pop-only', quota: 0, used: 0, inbox: name,
});

/** Made once: hashing passwords is slow by design. */
let shared: Promise<{ credentials: Awaited<ReturnType<typeof makeCredentials>>; tls: TlsSource }> | undefined;
async function makeShared() {
  const credentials = await makeCredentials(PASSWORD, { reversible: true });
  const key = await newKey();
  const context = secureContext({ key, cert: await selfSigned('imap.x.test', key, Date.now()) });
  return { credentials, tls: { contextOf: () => context } };
}

export interface Rig extends AsyncDisposable {
  readonly boxes: MemoryMailboxes;
  readonly bodies: MemoryObjectStore;
  readonly facts: readonly SessionFact[];
  readonly troubles: readonly unknown[];
  readonly failures: string[];
  /** Accounts that may not use IMAP any more. */
  readonly off: Set<string>;
  /** Somebody gives the account another password. */
  changePassword(name: string): void;
  /** Resolves when a look at the accounts that begins from now on is over. */
  nextLook(): Promise<void>;
  refuseAfter: number;
  readonly server: LineServer;
  /** Puts a message into a mailbox, as delivery does. @returns its UID. */
  deliver(text: string | Uint8Array, more?: { readonly to?: string; readonly path?: string; readonly flags?: readonly string[]; readonly prefix?: string }): Promise<number>;
  /** A client that has not read the greeting yet. */
  connect(listener?: 'imap' | 'imaps'): Promise<ImapClient>;
  /** A client that is logged in, by TLS. */
  loggedIn(user?: string): Promise<ImapClient>;
  /** A client that has a mailbox open; commands before that in `first`. */
  selected(mailbox?: string, ...first: string[]): Promise<ImapClient>;
  closed(): Promise<Extract<SessionFact, { type: 'SessionClosed' }>>;
}

/** Other adapters than those in memory. */
export interface RealPorts extends Pick<ImapPorts, 'mailboxes' | 'bodies' | 'structures' | 'index'> {
  idOf(name: string): string;
}

export interface RigOptions {
  readonly real?: RealPorts;
  readonly settings?: Partial<Settings>;
  readonly imap?: Partial<ImapOptions>;
  readonly tick?: number;
}

/** The IMAP server on real sockets, with real logins and mailboxes in memory. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const { credentials, tls } = await (shared ??= makeShared());
  const accounts = new Map<string, StoredCredentials>();
  for (const name of NAMES) {
    const account = facts(name, options.real?.idOf(name) ?? `id-of-${name}`);
    accounts.set(account.address, { account, domainEnabled: true, sealed: sealCredentials(credentials, KEY, account.id) });
  }
  const boxes = new MemoryMailboxes(NAMES.map((name) => `id-of-${name}`));
  const bodies = new MemoryObjectStore();
  const noted: SessionFact[] = [];
  const troubles: unknown[] = [];
  const failures: string[] = [];
  const looks: (() => void)[] = [];
  const waiting: ((fact: SessionFact) => void)[] = [];
  const settings: Settings = { ...DEFAULTS, hostname: 'imap.x.test', ...options.settings };
  const trouble = (error: unknown): void => void troubles.push(error);
  const refused = (): Admission['refused'] => (failures.length >= rig.refuseAfter ? 'locked-out' : undefined);
  const imap = new Imap(
    {
      admission: { admit: async () => ({ settings, refused: refused() }), failed: async (_, ip) => void failures.push(ip) },
      authenticator: new DirectoryAuthenticator({ find: async (address) => accounts.get(address) }, KEY),
      mailboxes: options.real?.mailboxes ?? boxes,
      standing: new Standing(async (ids) => {
        for (const done of looks.splice(0)) setImmediate(done);
        return new Map(ids.filter((id) => !rig.off.has(id)).map((id) => [id, createHash('md5').update([...accounts.values()].find(({ account }) => account.id === id)?.sealed ?? '').digest('hex')]));
      }, trouble, 5),
      live: new LiveMailboxes(options.real?.mailboxes ?? boxes, trouble),
      structures: options.real?.structures ?? new CachedStructures(new ReadStructures(bodies)),
      index: options.real?.index ?? new MemoryIndex(boxes, bodies),
      bodies: options.real?.bodies ?? bodies,
      log: {
        note: (_, fact) => {
          noted.push(fact);
          if (fact.type === 'SessionClosed') waiting.shift()?.(fact);
        },
      },
      clock: { now: () => 1_700_000_000_000 },
      trouble,
    },
    { host: 'machine.x.test', product: 'Kiroku 0.2', ...options.imap },
  );
  const server = new LineServer({
    protocol: imap,
    listeners: [{ name: 'imap', port: 0 }, { name: 'imaps', port: 0, implicitTls: true }],
    ids: { uuid: () => randomUUID() },
    limits: () => ({ total: 0, perIp: 0, sessionTime: 0, proxyIps: [] }),
    idleTimeout: () => settings.imapIdleTime,
    tls, trouble,
    tick: options.tick ?? 1000,
  });
  const listeners = await server.listen();
  const open: ImapClient[] = [];
  const rig: Rig = {
    boxes, bodies, facts: noted, troubles, failures, off: new Set(), changePassword: (name) => {
      const before = accounts.get(`${name}@x.test`);
      if (before) accounts.set(before.account.address, { ...before, sealed: 'another' });
    },
    nextLook: () => new Promise((resolve) => looks.push(resolve)), refuseAfter: Infinity, server,
    async deliver(text, { to = 'ann', path = 'INBOX', flags = [], prefix = '' } = {}) {
      const writer = bodies.create();
      await writer.write(typeof text === 'string' ? Buffer.from(text) : text);
      return boxes.deliver(`id-of-${to}`, path, await writer.commit(), flags, prefix);
    },
    async connect(name = 'imap') {
      const listener = listeners.find((one) => one.name === name);
      const client = await ImapClient.connect(listener?.port ?? 0, listener?.implicitTls ?? false);
      open.push(client);
      return client;
    },
    async loggedIn(user = 'ann') {
      const client = await rig.connect('imaps');
      await client.line();
      await client.ok(`LOGIN ${user}@x.test ${PASSWORD}`);
      return client;
    },
    async selected(mailbox = 'INBOX', ...first) {
      const client = await rig.loggedIn();
      for (const command of first) await client.ok(command);
      await client.ok(`SELECT ${mailbox}`);
      return client;
    },
    closed: () => new Promise((resolve) => waiting.push((fact) => resolve(fact as Extract<SessionFact, { type: 'SessionClosed' }>))),
    async [Symbol.asyncDispose]() {
      for (const client of open) client.close();
      await server.close();
    },
  };
  return rig;
}
