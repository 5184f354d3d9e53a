import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { canonicalIp } from '@kiroku/domain/mail/ip.js';
import type { Answer, Dns, Mx, Tlsa } from '@kiroku/domain/routing/dns.js';
import { lookUp, type Looked, type ReadRecord } from './lookup.js';
import { serversOf } from './servers.js';
import { Shelf } from './shelf.js';
import { Turns } from './turns.js';
import { DNS_TIMES, type DnsTimes, Upstream } from './upstream.js';
import { isQueryName, plainName, type RecordType } from './wire.js';

/** What an administrator can change while the server runs. */
export interface DnsSettings {
  /** Believe the AD bit of servers that are not on this machine: the way to them is safe. */
  readonly trustResolver: boolean;
  /** ms that answers are kept at most, whatever their TTL; 0 = off. */
  readonly cacheTime: number;
  /** The same for MX records. */
  readonly mxCacheTime: number;
}

const DAY = 86_400_000;
/** E-Post keeps MX records for up to 864,000 s. */
export const DNS_DEFAULTS: DnsSettings = { trustResolver: false, cacheTime: DAY, mxCacheTime: 10 * DAY };

export interface DnsOptions {
  /** `host:port`, in the order in which they are asked; the system's when there are none. */
  readonly servers?: readonly string[] | undefined;
  readonly clock: Clock;
  readonly settings?: () => DnsSettings;
  readonly times?: DnsTimes;
  /** Names kept per type of record. */
  readonly entries?: number;
}

/** Questions that are on the network at the same time; each has a socket. */
const MOST_AT_ONCE = 200;
const DENIED: Answer<never> = { kind: 'none', nxdomain: true, secure: false };

/** Asks recursive resolvers by UDP and TCP, keeps what they say, and believes nothing that does not look like their answer. */
export class DnsResolver implements Dns {
  readonly #upstream: Upstream;
  readonly #turns = new Turns(MOST_AT_ONCE);
  readonly #settings: () => DnsSettings;
  readonly #mx: Shelf<Mx>;
  readonly #a: Shelf<string>;
  readonly #aaaa: Shelf<string>;
  readonly #txt: Shelf<string>;
  readonly #tlsa: Shelf<Tlsa>;

  /** @throws RangeError when a server is not `host:port`. */
  constructor({ servers, clock, settings = () => DNS_DEFAULTS, times = DNS_TIMES, entries = 10_000 }: DnsOptions) {
    this.#upstream = new Upstream(serversOf(servers), times);
    this.#settings = settings;
    const shelf = <T extends string | object>(type: RecordType, read: ReadRecord<T>, longest: () => number): Shelf<T> =>
      new Shelf((name) => this.#find(name, type, read), clock, longest, entries);
    const cacheTime = (): number => settings().cacheTime;
    this.#mx = shelf('MX', readMx, () => settings().mxCacheTime);
    this.#a = shelf('A', readA, cacheTime);
    this.#aaaa = shelf('AAAA', readAaaa, cacheTime);
    this.#txt = shelf('TXT', readTxt, cacheTime);
    this.#tlsa = shelf('TLSA', readTlsa, cacheTime);
  }

  mx(domain: string): Promise<Answer<Mx>> {
    return answer(this.#mx, domain);
  }

  a(host: string): Promise<Answer<string>> {
    return answer(this.#a, host);
  }

  aaaa(host: string): Promise<Answer<string>> {
    return answer(this.#aaaa, host);
  }

  txt(name: string): Promise<Answer<string>> {
    return answer(this.#txt, name);
  }

  tlsa(name: string): Promise<Answer<Tlsa>> {
    return answer(this.#tlsa, name);
  }

  /** Forgets all answers: after a change of `trustResolver`, or because an administrator says so. */
  clear(): void {
    for (const shelf of [this.#mx, this.#a, this.#aaaa, this.#txt, this.#tlsa]) shelf.clear();
  }

  #find<T>(name: string, type: RecordType, read: ReadRecord<T>): Promise<Looked<T>> {
    return this.#turns.take(() => {
      const deadline = this.#upstream.deadline();
      const ask = async (at: string, wanted: RecordType) => {
        const { reply, server } = await this.#upstream.ask({ name: at, type: wanted }, deadline);
        return { reply, trusted: server.loopback || this.#settings().trustResolver };
      };
      return lookUp(ask, name, type, read);
    });
  }
}

/** What cannot be a name in the DNS has no records there. */
async function answer<T extends string | object>(shelf: Shelf<T>, asked: string): Promise<Answer<T>> {
  const name = plainName(asked);
  return isQueryName(name) ? shelf.answer(name) : DENIED;
}

const readMx: ReadRecord<Mx> = (record) =>
  record.type === 'MX' ? { preference: record.data.preference ?? 0, host: plainName(record.data.exchange) } : undefined;
const readA: ReadRecord<string> = (record) => (record.type === 'A' ? canonicalIp(record.data) : undefined);
/** An IPv4-mapped address would be an IPv4 one in disguise. */
const readAaaa: ReadRecord<string> = (record) => {
  const ip = record.type === 'AAAA' ? canonicalIp(record.data) : undefined;
  return ip?.includes(':') ? ip : undefined;
};
const readTxt: ReadRecord<string> = (record) =>
  record.type === 'TXT' ? Buffer.concat([record.data].flat().map((part) => Buffer.from(part))).toString('utf8') : undefined;
const readTlsa: ReadRecord<Tlsa> = (record) => {
  if (record.type !== 'TLSA') return undefined;
  const { usage, selector, matchingType, certificate } = record.data;
  return { usage, selector, matching: matchingType, data: certificate.toString('hex') };
};
