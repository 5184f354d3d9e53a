import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import type { Entry, EventLog } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { type BodyRef, type BodyWriter, type ObjectStore, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import type { MessageAccepted, MessageRefused, SessionFact } from '@kiroku/domain/mail/events.js';
import type { Admission, AdmissionPolicy } from '@kiroku/domain/policy/admission-port.js';
import { DEFAULTS, type Settings } from '@kiroku/domain/policy/settings-schema.js';
import { People, resolve } from '@kiroku/domain/smtp/testing/people.js';
import type { Authenticator, LoginResult, ScramKeys } from '@kiroku/infra/auth/authenticator.js';
import { saslExchange } from '@kiroku/infra/auth/sasl.js';
import { MemoryEventLog } from '@kiroku/infra/event-log/memory.js';
import { fixedClock, fixedIds } from '@kiroku/infra/ids/ids.js';
import { srsKeys } from '@kiroku/infra/srs/keys.js';
import { srsDirectory } from '@kiroku/infra/srs/srs-directory.js';
import type { SmtpDependencies } from '../dependencies.js';
import { SmtpServer } from '../server.js';

export const NOON = Date.UTC(2026, 2, 2, 3, 0, 0); // noon in Tokyo

/** RFC 5802 §3, made at once: the client in memory waits for turns, not for time. */
const KEYS = ((): ScramKeys => {
  const salt = Buffer.from('salt of ann');
  const salted = pbkdf2Sync('secret', salt, 4096, 32, 'sha256');
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return { salt: salt.toString('base64'), iterations: 4096, storedKey, serverKey: hmac('Server Key').toString('base64') };
})();

/** Passwords are `secret`. */
class MemoryAuthenticator implements Authenticator {
  constructor(private readonly world: World) {}

  password(_: string, login: string, password: string, defaultDomain?: string): Promise<LoginResult> {
    return this.answer(login, password === 'secret', defaultDomain);
  }

  digest(_kind: string, _protocol: string, login: string, _challenge: string, digest: string, defaultDomain?: string): Promise<LoginResult> {
    return this.answer(login, digest === '0'.repeat(32), defaultDomain);
  }

  async scram(_: string, login: string, defaultDomain?: string): Promise<{ keys: ScramKeys; result: LoginResult }> {
    return { keys: KEYS, result: await this.answer(login, true, defaultDomain) };
  }

  private async answer(login: string, right: boolean, defaultDomain?: string): Promise<LoginResult> {
    if (this.world.directory.broken) throw new Error('the views are away');
    const address = login.includes('@') ? login : `${login}@${defaultDomain ?? ''}`;
    const found = resolve(address.toLowerCase());
    if (found.kind !== 'account') return { ok: false, reason: 'unknown-account' };
    return right ? { ok: true, account: found.account, login: address } : { ok: false, reason: 'wrong-password' };
  }
}

class MemoryAdmission implements AdmissionPolicy {
  refused: Admission['refused'];
  digests = true;
  broken = false;
  failures = 0;
  connections = 0;
  /** Failed logins that lock the address out. */
  lockAfter = Infinity;

  constructor(private readonly settings: Settings) {}

  admit(): Promise<Admission> {
    if (this.broken) return Promise.reject(new Error('the views are away'));
    return Promise.resolve({ settings: this.settings, refused: this.failures >= this.lockAfter ? 'locked-out' : this.refused, digests: this.digests });
  }

  failed(): Promise<void> {
    this.failures++;
    return Promise.resolve();
  }

  connected(): Promise<void> {
    this.connections++;
    return Promise.resolve();
  }
}

class MemoryBodies implements Pick<ObjectStore, 'create'> {
  readonly kept = new Map<string, Buffer>();
  /** Writers neither committed nor aborted. */
  open = 0;
  full = false;

  create(): BodyWriter {
    const chunks: Uint8Array[] = [];
    let size = 0;
    let done = false;
    const close = (): void => {
      if (!done) this.open--;
      done = true;
    };
    this.open++;
    return {
      get size() {
        return size;
      },
      write: (chunk) => {
        chunks.push(chunk);
        size += chunk.length;
        return size > 100_000 ? Promise.resolve() : undefined;
      },
      commit: () => {
        close();
        if (this.full) return Promise.reject(new StoreUnavailable('disk full'));
        const body = Buffer.concat(chunks);
        const sha256 = createHash('sha256').update(body).digest('hex');
        this.kept.set(sha256, body);
        return Promise.resolve<BodyRef>({ sha256, size: body.length, at: 'memory' });
      },
      abort: () => {
        close();
        return Promise.resolve();
      },
    };
  }
}

/** What relay domains and the queue say. */
class MemoryOutward {
  verdict: 'yes' | 'no' | 'temporary' | 'elsewhere' = 'yes';
  broken = false;
  /** Recipients asked about. */
  readonly asked: string[] = [];
  /** Recipients that wait, and how often somebody wanted to know. */
  waiting = 0;
  counts = 0;

  verify(address: string): Promise<MemoryOutward['verdict']> {
    this.asked.push(address);
    return this.broken ? Promise.reject(new Error('the views are away')) : Promise.resolve(this.verdict);
  }

  full(limit: number): boolean | Promise<boolean> {
    this.counts++;
    return limit > 0 && Promise.resolve(this.waiting >= limit);
  }
}

/** Everything an SMTP server needs, in memory, with switches for what can go wrong. */
export class World {
  readonly directory = new People();
  readonly admission: MemoryAdmission;
  readonly outward = new MemoryOutward();
  /** Bytes free on the disk; a promise while the system is asked. */
  free: number | Promise<number> = Infinity;
  readonly srs = srsKeys(Buffer.alloc(32, 7));
  readonly bodies = new MemoryBodies();
  readonly facts: SessionFact[] = [];
  readonly clock = fixedClock(NOON);
  readonly server: SmtpServer;
  /** Set to make the log refuse. */
  logFails = false;
  /** What the log was given, in order; also when it failed. */
  readonly appended: Recorded[] = [];
  /** What administrators hear of. */
  readonly troubles: string[] = [];
  private readonly memory = new MemoryEventLog();

  constructor(settings: Partial<Settings> = {}, { tls = true }: { readonly tls?: boolean } = {}) {
    this.admission = new MemoryAdmission({ ...DEFAULTS, hostname: 'mx.x.test', defaultDomain: 'x.test', ...settings });
    const authenticator = new MemoryAuthenticator(this);
    const on: SmtpDependencies = {
      directory: srsDirectory(this.directory, this.srs, this.clock),
      relays: this.outward,
      backlog: this.outward,
      disk: { free: () => this.free },
      admission: this.admission,
      sasl: (mechanism, context) => saslExchange(mechanism, { authenticator, protocol: 'smtp', ...context }),
      bodies: this.bodies as unknown as ObjectStore, // the server only creates
      log: this.log(),
      sessions: { note: (_, fact) => void this.facts.push(fact) },
      clock: this.clock,
      ids: fixedIds(),
      offersTls: () => tls,
      hostname: 'machine.test',
      product: 'Kiroku 0.1.0',
      offset: () => 540,
      trouble: (error) => void this.troubles.push(String(error)),
    };
    this.server = new SmtpServer(on);
  }

  /** Data of the accepted messages, in order. */
  get accepted(): readonly MessageAccepted['data'][] {
    return this.appended.filter(({ type }) => type === 'MessageAccepted').map(({ data }) => data as MessageAccepted['data']);
  }

  get refused(): readonly MessageRefused['data'][] {
    return this.appended.filter(({ type }) => type === 'MessageRefused').map(({ data }) => data as MessageRefused['data']);
  }

  bodyOf({ sha256 }: Pick<MessageAccepted['data'], 'sha256'>): string {
    return this.bodies.kept.get(sha256)?.toString('latin1') ?? 'no such body';
  }

  /** Data of the session facts of one type. */
  noted(type: SessionFact['type']): readonly SessionFact['data'][] {
    return this.facts.filter((fact) => fact.type === type).map(({ data }) => data);
  }

  private log(): EventLog {
    const append = (entries: readonly Entry[]): Promise<void> => {
      this.appended.push(...entries.map(({ event }) => event));
      return this.logFails ? Promise.reject(new Error('the log is away')) : this.memory.append(entries);
    };
    return new Proxy<EventLog>(this.memory, { get: (target, name) => (name === 'append' ? append : Reflect.get(target, name)) as unknown });
  }
}
