import { hostname } from 'node:os';
import { parseHours, withinHours } from '@kiroku/domain/delivery/hours.js';
import { noticeStyleFor, subjectsIn } from '@kiroku/domain/delivery/notice-styles.js';
import { parseRoute } from '@kiroku/domain/delivery/queue.js';
import { poolFor } from '@kiroku/domain/delivery/source-pools.js';
import { QUEUE_PARTITIONS } from '@kiroku/domain/delivery/queue-view.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { Settings } from '@kiroku/domain/policy/settings-schema.js';
import type { Route } from '@kiroku/domain/routing/hosts.js';
import { routeOf, type RouteTable } from '@kiroku/domain/routing/route-table.js';
import { type ClientTimeouts, RFC_TIMEOUTS } from '@kiroku/domain/smtp-client/types.js';
import type { Config } from '@kiroku/infra/config/config.js';
import { TlsReports } from '@kiroku/infra/admin/tls-reports.js';
import { DnsResolver } from '@kiroku/infra/dns/resolver.js';
import { PartitionLeases } from '@kiroku/infra/event-log/leases.js';
import type { Platform } from '@kiroku/infra/platform/platform.js';
import type { PostgresGateways } from '@kiroku/infra/read-model/gateways.js';
import { PostgresNotices } from '@kiroku/infra/read-model/notices.js';
import { PostgresQueue } from '@kiroku/infra/read-model/queue.js';
import { hostFinder } from '@kiroku/infra/routing/hosts.js';
import { smtpClient } from '@kiroku/infra/smtp-client/open-conversation.js';
import { type FetchPolicy, policyFetcher } from '@kiroku/infra/tls-policy/fetch-policy.js';
import { reportPoster } from '@kiroku/infra/tls-policy/post-report.js';
import { OutboundTls } from '@kiroku/infra/tls-policy/outbound-tls.js';
import { StsPolicies } from '@kiroku/infra/tls-policy/sts-policies.js';
import { PostgresTlsTable } from '@kiroku/infra/tls-policy/tls-table.js';
import { Notices } from './notices/notices.js';
import type { NoticeSettings, SubmitMessage } from './notices/ports.js';
import type { OutboundPorts } from './outbound/ports.js';
import { Outbound } from './outbound/scheduler.js';
import { TlsReporter, type TlsReportSettings } from './tls-reports/tls-reporter.js';

const PARTITIONS = Array.from({ length: QUEUE_PARTITIONS }, (_, partition) => ({ topic: 'mail' as const, partition }));
/** The port on which other servers call this one, whatever it listens on behind a router. */
const SMTP = 25;
const MOST_HOSTS = 10;
/** ms for conversations under way when the process is asked to end, and as much for writing down: the supervisor kills it after 30 s. */
const PATIENCE = 12_000;
const DAY = 24 * 60 * 60_000;

export interface OutboundParts {
  readonly platform: Platform;
  readonly config: Config;
  readonly bodies: ObjectStore;
  readonly settings: () => Settings;
  readonly gateways: PostgresGateways;
  readonly table: () => RouteTable;
  readonly submit: SubmitMessage;
}

export interface RunningOutbound {
  /** Settings have changed. */
  wake(): void;
  stop(): Promise<void>;
}

/** Outbound delivery with all it stands on: the queue, the DNS, gateways, TLS policies, reports. */
export async function startOutbound({ platform, config, bodies, settings, gateways, table, submit }: OutboundParts): Promise<RunningOutbound> {
  const { pool, hints, engine, metrics, trouble } = platform;
  const { clock } = engine;
  const name = (): string => settings().hostname || config.hostname || hostname();
  const queue = new PostgresQueue(pool, hints, engine.ids.uuid());
  const leases = await PartitionLeases.open(hints, 'outbound', PARTITIONS, trouble);
  const reports = await PartitionLeases.open(hints, 'notices', [{ topic: 'mail', partition: 0 }], trouble);
  const dns = new DnsResolver({
    ...(config.dns && { servers: config.dns }), clock,
    settings: () => ({ trustResolver: settings().trustResolver, cacheTime: DAY, mxCacheTime: settings().mxCache }),
  });
  const fetch: FetchPolicy = (domain) => policyFetcher({ dns, port: config.remoteHttps, allowPrivate: settings().outboundLoopback })(domain);
  const sts = new StsPolicies({ dns, fetch, pool, clock, trouble });
  const tls = new OutboundTls({ dns, sts, table: new PostgresTlsTable(pool), clock });
  const ports: OutboundPorts = {
    engine, queue, bodies, trouble, chance: Math.random, helo: name,
    changes: { seen: () => hints.seen('decision', 0), wait: (since, signal) => hints.wait('decision', 0, since, signal) },
    owns: (partition) => leases.has('mail', partition),
    open: smtpClient({ trouble, eightBit: () => settings().outboundEightBit, timeouts: timeoutsWithin(config.remotePatience) }),
    route: (row) => byHand(row.route) ?? routeOf({ address: row.address, sender: row.sender }, table()),
    hosts: hostFinder({
      dns, clock,
      settings: () => ({
        names: [name()], publicIps: [], ports: [SMTP], family: settings().outboundFamily, maxHosts: MOST_HOSTS, port: config.remoteSmtp,
        allowLoopback: settings().outboundLoopback,
      }),
    }),
    tls,
    credentials: (credentials) => gateways.credentials(credentials),
    pool: ({ destination, sender, envelope_sender }) => poolFor(settings().outboundPools, destination, envelope_sender ?? sender)?.addresses,
    sources: () => settings().outboundSources,
    mayDeliver: (_, now) => mayDeliver(settings(), now),
    settings: () => {
      const { outboundConcurrency: concurrency, outboundSessions: sessions, outboundRate, retry } = settings();
      return { concurrency, sessions, retry, perMinute: () => outboundRate };
    },
    counted: (outcome, recipients) => metrics.count('kiroku_outbound_total', 'Recipients on other servers that were tried, by outcome', recipients, { outcome }),
  };
  const outbound = new Outbound(ports);
  const notices = new Notices({
    engine, rows: new PostgresNotices(pool), bodies, submit, settings: () => noticeSettings(settings(), name()), owns: () => reports.has('mail', 0), trouble,
  });
  const tlsReporter = new TlsReporter({
    engine, pool, dns, bodies, submit, trouble, reports: new TlsReports(pool, () => Promise.resolve(name())), owns: () => reports.has('mail', 0),
    post: (uri, gzip) => reportPoster({ dns, allowPrivate: settings().outboundLoopback })(uri, gzip), settings: () => tlsReportSettings(settings(), name()),
  });
  metrics.gauge('kiroku_outbound_sessions', 'Connections to other servers', () => outbound.state.sessions);
  metrics.gauge('kiroku_outbound_window', 'Recipients of the queue that are in memory', () => outbound.state.rows);
  outbound.start();
  notices.start();
  tlsReporter.start();
  const daily = setInterval(() => void sts.refreshAll().catch(trouble), DAY);
  return {
    wake: () => outbound.wake(),
    stop: async () => {
      clearInterval(daily);
      await Promise.all([outbound.stop(PATIENCE), notices.stop(), tlsReporter.stop()]);
      await queue.close();
      await leases.close();
      await reports.close();
    },
  };
}

/** @param most ms. */
const timeoutsWithin = (most = Infinity): ClientTimeouts =>
  Object.fromEntries(Object.entries({ ...RFC_TIMEOUTS }).map(([name, ms]) => [name, Math.min(ms, most)])) as Record<keyof ClientTimeouts, number>;

/** An administrator's `host:port` for one recipient stands above all. */
function byHand(route: string): Route | undefined {
  const parsed = route === '' ? undefined : parseRoute(route);
  return parsed && { kind: 'gateway', ...parsed };
}

/** The gateway table at hand: at most a second older than what the administrator sees. */
export async function tableOf(gateways: PostgresGateways, trouble: (error: unknown) => void): Promise<() => RouteTable> {
  let known = await gateways.table();
  return () => {
    const table = gateways.table();
    if (table instanceof Promise) table.then((fresh) => (known = fresh), trouble);
    else known = table;
    return known;
  };
}

function mayDeliver({ outboundDelivery, outboundHours }: Settings, now: number): boolean {
  if (!outboundDelivery) return false;
  if (outboundHours === '') return true;
  const at = new Date(now);
  return withinHours(parseHours(outboundHours) ?? [], at.getHours() * 60 + at.getMinutes());
}

const offsetAt = (at: number): number => -new Date(at).getTimezoneOffset();

const tlsReportSettings = ({ tlsReports, tlsReportOrganization, tlsReportContact }: Settings, host: string): TlsReportSettings => ({
  on: tlsReports, hostname: host, organization: tlsReportOrganization || host, contact: tlsReportContact || `postmaster@${host}`, offset: offsetAt,
});

function noticeSettings({ noticeSender, noticeLanguage, noticeStyles, postmasterCopy, noticesPerHour }: Settings, host: string): NoticeSettings {
  return {
    hostname: host, offset: offsetAt, postmasterCopy, perHour: noticesPerHour,
    styleOf: ({ message }) => {
      const style = noticeStyleFor(noticeStyles, message.sender);
      const { from = `${noticeSender}@${host}`, name, language = noticeLanguage } = style;
      const languages = language === 'both' ? (['ja', 'en'] as const) : [language];
      return { domain: host, from, ...(name !== undefined && { name }), languages, subjects: subjectsIn(style, languages) };
    },
  };
}
