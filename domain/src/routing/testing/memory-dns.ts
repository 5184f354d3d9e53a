import { type Answer, type Dns, DnsTrouble, type Mx, type Tlsa } from '../dns.js';

/** What a test's DNS knows of a name. A list is an answer, `trouble` none. Names that are not there do not exist. */
export interface Zone {
  readonly mx?: readonly (readonly [preference: number, host: string])[] | 'trouble';
  readonly a?: readonly string[] | 'trouble';
  readonly aaaa?: readonly string[] | 'trouble';
  readonly txt?: readonly string[] | 'trouble';
  readonly tlsa?: readonly Tlsa[] | 'trouble';
  /** Answers about the name are validated. */
  readonly secure?: boolean;
}

/** A DNS in memory; tests may change `zones` as they go. */
export class MemoryDns implements Dns {
  /** Questions so far, e.g. `mx x.test`. */
  readonly asked: string[] = [];

  constructor(readonly zones: Record<string, Zone>) {}

  async mx(domain: string): Promise<Answer<Mx>> {
    const list = this.zones[domain]?.mx;
    return this.#answer('mx', domain, list === 'trouble' ? list : list?.map(([preference, host]) => ({ preference, host })));
  }
  async a(host: string): Promise<Answer<string>> {
    return this.#answer('a', host, this.zones[host]?.a);
  }
  async aaaa(host: string): Promise<Answer<string>> {
    return this.#answer('aaaa', host, this.zones[host]?.aaaa);
  }
  async txt(name: string): Promise<Answer<string>> {
    return this.#answer('txt', name, this.zones[name]?.txt);
  }
  async tlsa(name: string): Promise<Answer<Tlsa>> {
    return this.#answer('tlsa', name, this.zones[name]?.tlsa);
  }

  #answer<T>(type: string, name: string, records: readonly T[] | 'trouble' = []): Answer<T> {
    this.asked.push(`${type} ${name}`);
    if (records === 'trouble') throw new DnsTrouble('SERVFAIL');
    const zone = this.zones[name];
    const secure = zone?.secure ?? false;
    return records.length > 0 ? { kind: 'found', records, secure } : { kind: 'none', nxdomain: zone === undefined, secure };
  }
}
