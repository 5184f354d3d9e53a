import { randomUUID } from 'node:crypto';
import type { AccountFacts } from '@kiroku/domain/mail/directory-port.js';
import type { SessionFact } from '@kiroku/domain/mail/events.js';
import type { Admission } from '@kiroku/domain/policy/admission-port.js';
import { DEFAULTS, type Settings } from '@kiroku/domain/policy/settings-schema.js';
import { makeCredentials, sealCredentials } from '@kiroku/infra/auth/credentials.js';
import { DirectoryAuthenticator, type StoredCredentials } from '@kiroku/infra/auth/directory-authenticator.js';
import { LineServer } from '@kiroku/infra/net/line-server.js';
import { newKey, selfSigned } from '@kiroku/infra/net/self-signed.js';
import { secureContext, type TlsSource } from '@kiroku/infra/net/tls-source.js';
import { LineSocket } from '@kiroku/infra/rig/line-socket.js';
import { Pop3 } from '../pop3.js';
import type { Pop3Options } from '../ports.js';
import { MemoryMaildrops } from './memory-maildrops.js';

const KEY = Buffer.alloc(32, 7);
export const PASSWORD = 'tanstaaf'; // of RFC 1939 §7

const facts = (name: string): AccountFacts => ({
  id: `id-of-${name}`, address: `${name}@x.test`, enabled: true, smtp: true, pop3: name !== 'imap-only', imap: true, quota: 0, used: 0, inbox: name,
});

/** Made once: hashing passwords is slow by design. */
let shared: Promise<{ accounts: Map<string, StoredCredentials>; tls: TlsSource }> | undefined;
async function makeShared() {
  const accounts = new Map<string, StoredCredentials>();
  const credentials = await makeCredentials(PASSWORD, { reversible: true });
  for (const name of ['ann', 'ben', 'mrose', 'imap-only', '山田']) {
    const account = facts(name);
    accounts.set(account.address, { account, domainEnabled: true, sealed: sealCredentials(credentials, KEY, account.id) });
  }
  const key = await newKey();
  const context = secureContext({ key, cert: await selfSigned('pop.x.test', key, Date.now()) });
  return { accounts, tls: { contextOf: () => context } };
}

export interface Rig extends AsyncDisposable {
  readonly drops: MemoryMaildrops;
  readonly facts: readonly SessionFact[];
  readonly troubles: readonly unknown[];
  /** IPs whose failed login was counted, in order; `refuseAfter` that many the address is locked out. */
  readonly failures: string[];
  refuseAfter: number;
  readonly server: LineServer;
  /** A client that has not read the banner yet. */
  connect(listener?: string): Promise<LineSocket>;
  /** A client that has read the banner. */
  greeted(listener?: string): Promise<LineSocket>;
  /** A client that is logged in by TLS and password. */
  loggedIn(user?: string): Promise<LineSocket>;
  /** Resolves when a session has ended, with its last fact. */
  closed(): Promise<Extract<SessionFact, { type: 'SessionClosed' }>>;
}

export interface RigOptions {
  readonly settings?: Partial<Settings>;
  readonly pop3?: Partial<Pop3Options>;
  readonly tls?: boolean;
  readonly tick?: number;
  /** The authenticator's source fails. */
  readonly directoryDown?: boolean;
}

/** The POP3 server on real sockets, with real logins and maildrops in memory. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const { accounts, tls } = await (shared ??= makeShared());
  const drops = new MemoryMaildrops();
  const noted: SessionFact[] = [];
  const troubles: unknown[] = [];
  const failures: string[] = [];
  const waiting: ((fact: SessionFact) => void)[] = [];
  const settings: Settings = { ...DEFAULTS, hostname: 'pop.x.test', ...options.settings };
  const find = async (address: string) => {
    if (options.directoryDown) throw new Error('views are down');
    return accounts.get(address);
  };
  const refused = (): Admission['refused'] => (failures.length >= rig.refuseAfter ? 'locked-out' : undefined);
  const pop3 = new Pop3(
    {
      admission: { admit: async () => ({ settings, refused: refused() }), failed: async (_, ip) => void failures.push(ip) },
      authenticator: new DirectoryAuthenticator({ find }, KEY),
      maildrops: drops,
      bodies: drops,
      log: {
        note: (_, fact) => {
          noted.push(fact);
          if (fact.type === 'SessionClosed') waiting.shift()?.(fact);
        },
      },
      clock: { now: () => 1_700_000_000_000 },
      trouble: (error) => void troubles.push(error),
    },
    { host: 'machine.x.test', product: 'Kiroku 0.1', ...options.pop3 },
  );
  const server = new LineServer({
    protocol: pop3,
    listeners: [{ name: 'pop3', port: 0 }, { name: 'pop3s', port: 0, implicitTls: true }, { name: 'apop', port: 0 }],
    ids: { uuid: () => randomUUID() },
    limits: () => ({ total: 0, perIp: 0, sessionTime: 0, proxyIps: [] }),
    idleTimeout: () => settings.pop3IdleTime,
    tls,
    trouble: (error) => void troubles.push(error),
    tick: options.tick ?? 1000,
  });
  const listeners = await server.listen();
  const open: LineSocket[] = [];
  const rig: Rig = {
    drops,
    facts: noted,
    troubles,
    failures,
    refuseAfter: Infinity,
    server,
    async connect(name = 'pop3') {
      const listener = listeners.find((one) => one.name === name);
      const socket = await LineSocket.connect({ port: listener?.port ?? 0, tls: listener?.implicitTls ?? false });
      open.push(socket);
      return socket;
    },
    async greeted(name) {
      const socket = await rig.connect(name);
      await socket.readLine();
      return socket;
    },
    async loggedIn(user = 'ann@x.test') {
      const socket = await rig.greeted('pop3s');
      await talk(socket, [[`USER ${user}`, '+OK send PASS'], [`PASS ${PASSWORD}`, /^\+OK \d+ messages/]]);
      return socket;
    },
    closed: () => new Promise((resolve) => waiting.push((fact) => resolve(fact as Extract<SessionFact, { type: 'SessionClosed' }>))),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.close();
      await server.close();
    },
  };
  return rig;
}

/** A transcript: each line is sent and its one-line answer compared. @throws Error that shows what came instead. */
export async function talk(socket: LineSocket, lines: readonly (readonly [send: string, answer: string | RegExp])[]): Promise<void> {
  for (const [send, answer] of lines) {
    socket.write(Buffer.from(`${send}\r\n`));
    const line = Buffer.from(await socket.readLine(), 'latin1').toString();
    if (typeof answer === 'string' ? line !== answer : !answer.test(line)) throw new Error(`${send}: expected ${String(answer)}, got ${line}`);
  }
}

/** Sends a line and reads a multi-line answer: first line and the rest with dots removed. */
export async function ask(socket: LineSocket, send: string): Promise<{ first: string; rest: Buffer }> {
  socket.write(Buffer.from(`${send}\r\n`));
  const first = await socket.readLine();
  if (!first.startsWith('+OK')) throw new Error(`${send}: ${first}`);
  return { first, rest: await socket.readDotted() };
}

export const linesOf = (rest: Buffer): string[] => rest.toString().split('\r\n').slice(0, -1);
