import type { Cause, TlsOutcome } from '@kiroku/domain/delivery/queue-events.js';
import { sourcesFor } from '@kiroku/domain/delivery/source-pools.js';
import type { Host, Hosts, Route } from '@kiroku/domain/routing/hosts.js';
import { DnsTrouble } from '@kiroku/domain/routing/dns.js';
import { type ClientConversation, type ClientCredentials, ConnectFailed, LoginUnavailable, type Target } from '@kiroku/domain/smtp-client/types.js';
import type { TlsPlan } from '@kiroku/domain/tls-policy/demands.js';
import { tlsOutcome, type TlsResult } from '@kiroku/domain/tls-policy/outcome.js';
import { atMost } from '@kiroku/infra/cache/bound.js';
import { LRUCache } from 'lru-cache';
import type { OutboundPorts } from './ports.js';

/** Why nothing could be sent. `host` is whom it is about, as far as it got. */
export interface Failure {
  readonly outcome: 'deferred' | 'refused';
  readonly cause: Cause;
  readonly phase: string;
  readonly reply: string;
  readonly host?: Host;
  /** No local address that it should come from can be used. */
  readonly source?: true;
}
/** How a connection is to be made. */
export interface Way {
  readonly route: Route;
  /** A verified TLS session or nothing (RFC 8689 §4.2.1). */
  readonly requireTls: boolean;
  /** What the other side publishes about TLS does not bind (RFC 8689 §4.2.2). */
  readonly tlsOptional?: boolean;
  /** Local addresses, see `OutboundPorts.pool`. */
  readonly pool?: readonly string[];
}
export type Opened =
  | { readonly kind: 'open'; readonly conversation: ClientConversation; readonly host: Host }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** Hosts tried for one attempt (RFC 5321 §5.1 allows a limit). */
const MOST_HOSTS = 5;
/** ms for which a host that failed comes last. */
const SHUNNED = 60_000;
const REMEMBERED = 10_000;
/** RFC 8689 §5. */
const NO_VERIFIED_TLS = '550 5.7.30 REQUIRETLS needed: no host with verified TLS';

const NO_CREDENTIALS = '454 4.7.0 The credentials for the gateway are missing';
const NO_SOURCE = '451 4.3.5 The pool of local addresses has none of the family of any host';

export const hostKey = ({ ip, port }: Pick<Host, 'ip' | 'port'>): string => `${ip} ${port}`;

/** Opens conversations: the hosts of a route in order, each with its fall-back modes of TLS, until one is willing. */
export class Connector {
  readonly #failed = new LRUCache<string, number>(atMost(REMEMBERED));
  /** Local addresses that could not be used, and until when they come last. */
  readonly #unusable = new LRUCache<string, number>(atMost(REMEMBERED));

  constructor(private readonly ports: OutboundPorts) {}

  /** It failed just now: others are tried first for a while. */
  shun(host: Host): void {
    this.#failed.set(hostKey(host), this.ports.engine.clock.now() + SHUNNED);
  }

  /**
   * @param avoid `hostKey`s of hosts that are not to be tried at all. Never rejects.
   * @param signal gives up with the host that is being tried.
   */
  async open(way: Way, avoid: ReadonlySet<string>, report: Report = () => undefined, signal?: AbortSignal): Promise<Opened> {
    const { route } = way;
    const found = await this.#hosts(route);
    if (found.kind !== 'hosts') {
      return failed({ outcome: found.kind, cause: found.kind === 'refused' ? 'refused' : 'no-answer', phase: 'dns', reply: found.reply });
    }
    const open = found.hosts.filter((h) => !avoid.has(hostKey(h)));
    // What cannot be called from the pool takes nobody's place.
    const hosts = this.#order(open.filter((h) => this.#sources(h, way).length > 0)).slice(0, MOST_HOSTS);
    const [uncalled] = open;
    if (hosts.length === 0 && uncalled) return failed({ outcome: 'deferred', cause: 'local', phase: 'policy', reply: NO_SOURCE, host: uncalled, source: true });
    if (hosts.length === 0) return failed({ outcome: 'deferred', cause: 'no-answer', phase: 'dns', reply: '451 4.4.4 No address to connect to' });
    const credentials = await this.#credentials(route);
    if (typeof credentials === 'string') return failed({ outcome: 'deferred', cause: 'line', phase: 'policy', reply: credentials });
    let last: Failure | undefined;
    let hope: Failure | undefined;
    for (const host of hosts) {
      const opened = await this.#tryHost(host, way, credentials, report, signal);
      if ('conversation' in opened) {
        this.#failed.delete(hostKey(host));
        return { kind: 'open', conversation: opened.conversation, host };
      }
      last = opened;
      // No host is at fault when this machine is, and none gets better by trying on.
      if (last.cause === 'local' && !last.source) return failed(last);
      if (last.outcome === 'deferred') hope = last;
      if (!last.source) this.shun(host);
      if (signal?.aborted) break;
    }
    // As long as one of them may still take it, the others' refusal to talk is not the last word.
    return failed(hope ?? (last as Failure));
  }

  async #hosts(route: Route): Promise<Hosts> {
    try {
      return await this.ports.hosts(route);
    } catch (error) {
      if (!(error instanceof DnsTrouble)) this.ports.trouble(error);
      return { kind: 'deferred', reply: '451 4.4.3 DNS gave no answer' };
    }
  }

  #order(hosts: readonly Host[]): readonly Host[] {
    const now = this.ports.engine.clock.now();
    const shunned = (host: Host): boolean => (this.#failed.get(hostKey(host)) ?? 0) > now;
    return [...hosts.filter((h) => !shunned(h)), ...hosts.filter(shunned)];
  }

  /** @returns a reply when there is nothing to log in with. */
  async #credentials(route: Route): Promise<ClientCredentials | string | undefined> {
    if (route.kind !== 'gateway' || route.credentials === undefined) return undefined;
    try {
      return (await this.ports.credentials(route.credentials)) ?? NO_CREDENTIALS;
    } catch (error) {
      if (error instanceof LoginUnavailable) return error.reply;
      this.ports.trouble(error);
      return NO_CREDENTIALS;
    }
  }

  async #tryHost(
    host: Host, way: Way, credentials: ClientCredentials | undefined, report: Report, signal: AbortSignal | undefined,
  ): Promise<{ conversation: ClientConversation } | Failure> {
    const { route, requireTls, tlsOptional = false } = way;
    const sources = this.#sources(host, way);
    let plan: TlsPlan;
    try {
      plan = await this.ports.tls.demandsFor({ host, route, requireTls, tlsOptional });
    } catch (error) {
      this.ports.trouble(error); // never plain text because a table could not be read
      return { outcome: 'deferred', cause: 'local', phase: 'policy', reply: '451 4.3.0 This server could not look up its rules for TLS', host };
    }
    if (plan.kind !== 'demands') {
      outcomeOf(plan, host, { opened: false, phase: 'policy', reply: plan.reply }, report);
      return { outcome: plan.kind, cause: plan.kind === 'refused' ? 'refused' : 'no-answer', phase: 'policy', reply: plan.reply, host };
    }
    let failure: Failure | undefined;
    for (const tls of plan.demands) {
      try {
        const conversation = await this.#from(sources, {
          name: host.name, ip: host.ip, port: host.port, helo: this.ports.helo(), tls, ...(credentials && { credentials }),
        }, signal);
        if (requireTls && (!conversation.tls || conversation.tls.verified === 'no')) {
          void conversation.quit();
          return { outcome: 'refused', cause: 'refused', phase: 'policy', reply: NO_VERIFIED_TLS, host };
        }
        // When an earlier demand failed, it is the failure that counts, and it has been reported.
        if (!failure) outcomeOf(plan, host, { opened: true, encrypted: conversation.tls !== undefined }, report);
        return { conversation };
      } catch (error) {
        if (!(error instanceof ConnectFailed)) {
          this.ports.trouble(error);
          return { outcome: 'deferred', cause: 'local', phase: 'connect', reply: '451 4.3.0 This server failed to connect', host };
        }
        if (error.tlsFailed) {
          this.ports.tls.failed(host, error.phase === 'tls' ? 'handshake' : 'other');
          if (!failure) outcomeOf(plan, host, { opened: false, phase: error.phase, reply: error.reply }, report);
        }
        // RFC 8689 §4.2.1: without verified TLS the message goes back; another host of the route is tried first.
        failure = requireTls && error.tlsFailed ? { outcome: 'refused', cause: 'refused', phase: 'policy', reply: NO_VERIFIED_TLS, host } : failureOf(error, host);
        if (!error.tlsFailed || signal?.aborted) return failure;
      }
    }
    return failure ?? { outcome: 'refused', cause: 'refused', phase: 'policy', reply: NO_VERIFIED_TLS, host };
  }

  /** As `sourcesFor`, those that could not be used last. */
  #sources({ ip }: Host, { pool }: Way): readonly (string | undefined)[] {
    const sources = sourcesFor(ip, pool, this.ports.sources(), this.ports.chance());
    if (sources.length < 2) return sources;
    const now = this.ports.engine.clock.now();
    const unusable = (source: string | undefined): boolean => (this.#unusable.get(source ?? '') ?? 0) > now;
    return [...sources.filter((source) => !unusable(source)), ...sources.filter(unusable)];
  }

  /** From the first of these that can be used. @throws ConnectFailed */
  async #from(sources: readonly (string | undefined)[], target: Omit<Target, 'source'>, signal: AbortSignal | undefined): Promise<ClientConversation> {
    let failure: unknown;
    for (const source of sources) {
      try {
        return await this.ports.open({ ...target, ...(source !== undefined && { source }) }, signal);
      } catch (error) {
        if (!(error instanceof ConnectFailed) || error.because !== 'source' || source === undefined) throw error;
        this.#unusable.set(source, this.ports.engine.clock.now() + SHUNNED);
        failure = error;
      }
    }
    throw failure;
  }
}

/** Told how the encryption of a connection went, where its domain wants reports. */
export type Report = (outcome: TlsOutcome) => void;

function outcomeOf({ subject }: TlsPlan, host: Host, result: TlsResult, report: Report): void {
  const outcome = tlsOutcome(subject, { host: host.name, ip: host.ip }, result);
  if (outcome) report(outcome);
}

const failed = (failure: Failure): Opened => ({ kind: 'failed', failure });

/** A wrong password is a mistake in this server's settings: no sender's mail bounces for it. */
const failureOf = ({ phase, outcome, because, reply }: ConnectFailed, host: Host): Failure =>
  because === 'source' ? { outcome, cause: 'local', phase, reply, host, source: true }
  : phase === 'AUTH' && outcome === 'refused' ? { outcome: 'deferred', cause: 'line', phase, reply, host } : { outcome, cause: because, phase, reply, host };
