import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { parseIp } from '@kiroku/domain/mail/ip.js';
import { type Dns, DnsTrouble } from '@kiroku/domain/routing/dns.js';
import type { Host, Route } from '@kiroku/domain/routing/hosts.js';
import { type Dane, tlsaName, usableTlsa } from '@kiroku/domain/tls-policy/dane.js';
import { decidesAlone, planTls, policyDomain, type Sts, type TlsPlan } from '@kiroku/domain/tls-policy/demands.js';
import { reportAddresses } from '@kiroku/domain/tls-policy/report-record.js';
import { stsNames } from '@kiroku/domain/tls-policy/sts.js';
import { LRUCache } from 'lru-cache';
import { atMost } from '../cache/bound.js';
import type { StsPolicies } from './sts-policies.js';
import type { CompiledTlsTable } from './tls-table.js';

export interface OutboundTlsParts {
  readonly dns: Pick<Dns, 'txt' | 'tlsa'>;
  readonly sts: Pick<StsPolicies, 'of'>;
  readonly table: { current(): Promise<CompiledTlsTable> };
  readonly clock: Clock;
  /** Gather what reports about TLS are made of (RFC 8460), where domains want them. Default true. */
  readonly reports?: boolean;
}

interface Question { readonly host: Host; readonly route: Route; readonly requireTls?: boolean; readonly tlsOptional?: boolean }
type Failure = 'handshake' | 'other';

/** Hosts whose TLS failed, at a time, and how long that is remembered. */
const MOST_FAILED = 10_000;
const REMEMBERED = 24 * 60 * 60 * 1000;
/** ms: connections that were under way when the first one failed are not the next try. */
const SAME_TRY = 30_000;
const LONGEST_DETAIL = 200;

/** How to encrypt towards a host: the administrator's table, DANE, MTA-STS, REQUIRETLS and `TLS-Required: No` together. */
export class OutboundTls {
  readonly #failed = new LRUCache<string, { readonly failure: Failure; readonly at: number }>(atMost(MOST_FAILED));

  constructor(private readonly parts: OutboundTlsParts) {}

  /**
   * To be asked before each connection, not for each message.
   * @throws what the database throws when the table cannot be read. Trouble of the DNS is an answer.
   */
  async demandsFor({ host, route, requireTls = false, tlsOptional = false }: Question): Promise<TlsPlan> {
    const row = (await this.parts.table.current()).rowFor(host, route);
    const failedBefore = this.#failedBefore(host);
    // RFC 8689 §4.2.2: DANE and MTA-STS are ignored, and so nobody hears how it went.
    if ((decidesAlone(row) || tlsOptional) && !requireTls)
      return planTls({ host, route, row, dane: { kind: 'none' }, sts: {}, requireTls, failedBefore, reports: false });
    const domain = policyDomain(route);
    const [dane, sts, reports] = await Promise.all([
      this.#dane(host), domain === undefined ? {} : this.#sts(domain, host), domain === undefined ? false : this.#wantsReports(domain),
    ]);
    return planTls({ host, route, row, dane, sts, requireTls, failedBefore, reports });
  }

  /**
   * TLS with a host failed: `handshake`, or `other` such as a refused STARTTLS. The modes `plain-next-…` of the table go by it at the
   * next try. Remembered for a day by this process alone; whoever forgets tries TLS once more.
   */
  failed(host: Host, failure: Failure): void {
    const at = this.parts.clock.now();
    const before = this.#failed.get(hostKey(host));
    this.#failed.set(hostKey(host), { failure, at: before && before.failure === failure && at - before.at < REMEMBERED ? before.at : at });
  }

  #failedBefore(host: Host): Failure | undefined {
    const known = this.#failed.get(hostKey(host));
    const age = known ? this.parts.clock.now() - known.at : 0;
    return known && age >= SAME_TRY && age < REMEMBERED ? known.failure : undefined;
  }

  /** RFC 7672 §2.2: only a chain that DNSSEC vouches for from the MX to the TLSA record counts. */
  async #dane({ name, port, secure }: Host): Promise<Dane> {
    if (!secure || parseIp(name) !== undefined) return { kind: 'none' };
    try {
      const answer = await this.parts.dns.tlsa(tlsaName(name, port));
      return answer.kind === 'found' && answer.secure ? { kind: 'found', usable: usableTlsa(answer.records) } : { kind: 'none' };
    } catch (error) {
      if (!(error instanceof DnsTrouble)) throw error;
      return { kind: 'trouble', detail: error.message.replace(/[^\x20-\x7e]+/g, ' ').slice(0, LONGEST_DETAIL) };
    }
  }

  /** Before a host is passed over, it is made sure that the policy is not one of yesterday (RFC 8461 §5.1). */
  async #sts(domain: string, { name }: Host): Promise<Sts> {
    const { sts } = this.parts;
    const answer = await sts.of(domain);
    return answer.policy?.mode === 'enforce' && !stsNames(answer.policy, name) ? sts.of(domain, { current: true }) : answer;
  }

  async #wantsReports(domain: string): Promise<boolean> {
    if (this.parts.reports === false) return false;
    const answer = await this.parts.dns.txt(`_smtp._tls.${domain}`).catch((error: unknown) => {
      if (error instanceof DnsTrouble) return undefined;
      throw error;
    });
    return answer?.kind === 'found' && reportAddresses(answer.records).length > 0;
  }
}

const hostKey = ({ name, ip, port }: Host): string => `${name} ${ip} ${port}`;
