import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import { type Append, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Aggregate, type Engine, execute, load, record } from '@kiroku/domain/kernel/execute.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { formatAddress, parseAddress } from '@kiroku/domain/mail/address.js';
import { received } from '@kiroku/domain/mail/received.js';
import { type Dns, DnsTrouble } from '@kiroku/domain/routing/dns.js';
import type { TlsReport } from '@kiroku/domain/tls-policy/report.js';
import { reportAddresses } from '@kiroku/domain/tls-policy/report-record.js';
import {
  dueNow, isSettled, reportDueAt, type TlsReportCommand, type TlsReportProgress, tlsReportSending, type TlsReportSendingEvent, tlsReportStream,
} from '@kiroku/domain/tls-policy/report-sending.js';
import { dayOf } from '@kiroku/domain/tls-policy/views.js';
import { atMost } from '@kiroku/infra/cache/bound.js';
import type { PostReport } from '@kiroku/infra/tls-policy/post-report.js';
import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import type { SubmitMessage } from '../notices/ports.js';
import { reportMail } from './report-mail.js';

export interface TlsReportSettings {
  readonly on: boolean;
  /** This server's name: it submits. */
  readonly hostname: string;
  readonly organization: string;
  /** A mail address in ASCII; reports come from there. */
  readonly contact: string;
  /** Minutes east of UTC at that time. */
  offset(at: number): number;
}

export interface TlsReporterParts {
  readonly engine: Engine;
  readonly pool: pg.Pool;
  /** `TlsReports` of infra. @throws Refusal when there is nothing to report. */
  readonly reports: { report(day: string, domain: string): Promise<TlsReport> };
  readonly dns: Pick<Dns, 'txt'>;
  readonly bodies: Pick<ObjectStore, 'create'>;
  readonly submit: SubmitMessage;
  readonly post: PostReport;
  /** As set now. */
  readonly settings: () => TlsReportSettings;
  readonly owns: () => boolean;
  readonly trouble: (error: unknown) => void;
}

/** ms between two looks, which is also the shortest wait after a failure. */
const EVERY = 10 * 60_000;
const DAY = 24 * 60 * 60_000;
/** Days that are made up for when this server was away. */
const OLDEST = 3;
const PAGE = 1_000;
const TOGETHER = 4;
const ADDRESS = /^mailto:([^?]+)/i;
const OWN_TRACE = 'by {host} id {id}; {date}';
const compressed = promisify(gzip);

const sending: Aggregate<TlsReportCommand, TlsReportSendingEvent, TlsReportProgress> = { decider: tlsReportSending, upgrades: {} };
interface Day { readonly day: string; readonly domain: string }
interface Ready extends Day { readonly report: TlsReport; readonly gzip: Uint8Array }

/**
 * Sends reports about TLS (RFC 8460) to the domains that ask for them: one a day, domain and address. What has been sent is in the stream of
 * that day and domain. A mail and the record of it are one append, so it is sent once whatever stops and whenever; a report that was posted
 * and not recorded is posted again, with the same report id.
 */
export class TlsReporter {
  /** Nothing is left to do for them: `day domain`. */
  readonly #settled = new LRUCache<string, true>(atMost(100_000));
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #busy = false;
  #stopped = false;

  constructor(private readonly parts: TlsReporterParts) {}

  start(): void {
    this.#timer ??= setInterval(() => {
      if (this.#busy) return;
      this.#busy = true;
      this.#running = this.round().catch(this.parts.trouble).finally(() => (this.#busy = false));
    }, EVERY);
  }

  /** Resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  /** Sends what is due now. */
  async round(): Promise<void> {
    const { engine, settings, owns } = this.parts;
    if (!settings().on) return;
    const now = engine.clock.now();
    for (let [last, more] = [{ day: dayOf(now - OLDEST * DAY), domain: '' }, true]; more && !this.#stopped && owns(); ) {
      const page = await this.#page(last, dayOf(now));
      const due = page.filter(({ day, domain }) => now >= reportDueAt(day, domain) && !this.#settled.has(`${day} ${domain}`));
      for (let at = 0; at < due.length && !this.#stopped; at += TOGETHER)
        await Promise.all(due.slice(at, at + TOGETHER).map((one) => this.#report(one, now).catch(this.parts.trouble)));
      more = page.length === PAGE;
      last = page.at(-1) ?? last;
    }
  }

  async #page(after: Day, before: string): Promise<readonly Day[]> {
    const { rows } = await this.parts.pool.query<Day>({
      name: 'tls-reports-to-send', values: [after.day, after.domain, before, PAGE],
      text: 'SELECT DISTINCT day, domain FROM view.tls_report_1 WHERE (day, domain) > ($1, $2) AND day < $3 ORDER BY day, domain LIMIT $4',
    });
    return rows;
  }

  async #report({ day, domain }: Day, now: number): Promise<void> {
    const addresses = await this.#addresses(domain);
    if (!addresses || this.#stopped) return;
    const { state } = await load(this.parts.engine.store, sending, tlsReportStream(day, domain));
    if (isSettled(state, addresses)) return void this.#settled.set(`${day} ${domain}`, true);
    const due = dueNow(state, addresses, now);
    const ready = due.length > 0 ? await this.#ready({ day, domain }) : undefined;
    if (!ready) return;
    for (const to of due) {
      if (/^https:/i.test(to)) await this.#post(ready, to);
      else await this.#mail(ready, to);
    }
  }

  /** Where the domain wants them today; undefined when the DNS has no answer now. */
  async #addresses(domain: string): Promise<readonly string[] | undefined> {
    try {
      const answer = await this.parts.dns.txt(`_smtp._tls.${domain}`);
      return answer.kind === 'found' ? reportAddresses(answer.records) : [];
    } catch (error) {
      if (error instanceof DnsTrouble) return undefined;
      throw error;
    }
  }

  async #ready({ day, domain }: Day): Promise<Ready | undefined> {
    const { organization, contact } = this.parts.settings();
    try {
      const report = { ...(await this.parts.reports.report(day, domain)), 'organization-name': organization, 'contact-info': contact };
      return { day, domain, report, gzip: await compressed(JSON.stringify(report)) };
    } catch (error) {
      if (error instanceof Refusal) return undefined; // its rows have just been forgotten
      throw error;
    }
  }

  #about({ day, domain, report }: Ready, to: string) {
    return { day, domain, reportId: report['report-id'], to, now: this.parts.engine.clock.now() };
  }

  async #post(ready: Ready, to: string): Promise<void> {
    const posted = await this.parts.post(to, ready.gzip);
    await this.#record(posted.taken ? { type: 'Sent', ...this.#about(ready, to) } : {
      type: 'Failed', ...this.#about(ready, to), reason: posted.reason, ...(posted.forGood && { forGood: true }),
    });
  }

  async #record(command: TlsReportCommand): Promise<void> {
    await execute(this.parts.engine, sending, tlsReportStream(command.day, command.domain), command, originOf(command));
  }

  async #mail(ready: Ready, to: string): Promise<void> {
    const recipient = addressIn(to);
    if (recipient === undefined) return this.#record({ type: 'Failed', ...this.#about(ready, to), reason: 'not a mail address', forGood: true });
    const { engine, submit } = this.parts;
    const stream = tlsReportStream(ready.day, ready.domain);
    const { version, state } = await load(engine.store, sending, stream);
    const messageId = engine.ids.queueId();
    const command: TlsReportCommand = { type: 'Sent', ...this.#about(ready, to), messageId };
    const facts = tlsReportSending.decide(command, state);
    if (facts.length === 0) return;
    const sent: Append = { stream, expected: version, events: record(facts, engine, originOf(command), {}) };
    try {
      await submit(await this.#written(ready, recipient, messageId), [sent]);
    } catch (error) {
      if (!(error instanceof VersionConflict)) throw error; // somebody else was faster
    }
  }

  async #written({ day, domain, report, gzip: bytes }: Ready, to: string, messageId: string): Promise<QueueFact<'MessageSubmitted'>> {
    const { engine, bodies, settings } = this.parts;
    const set = settings();
    const { hostname, contact } = set;
    const now = engine.clock.now();
    const offset = set.offset(now);
    const headerMessageId = `${messageId}.tlsrpt@${hostname}`;
    const writer = bodies.create();
    try {
      await writer.write(reportMail({
        domain, submitter: hostname, day, reportId: report['report-id'], from: contact, to, messageId: headerMessageId, now, offset, gzip: bytes,
      }));
      const ref = await writer.commit();
      const trace = received({ helo: '', ip: '', host: hostname, product: '', protocol: '', id: messageId, at: now, offset, hideClient: true }, OWN_TRACE);
      return {
        messageId, origin: 'tls-report', recipients: [to],
        message: { sender: '', ...ref, trace, body: '7BIT', smtputf8: false, requireTls: false, tlsOptional: true, hops: 0, acceptedAt: now, headerMessageId },
      };
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }
}

const originOf = ({ reportId }: TlsReportCommand) => ({ actor: 'system:tls-reports', correlation: reportId });

/** The address that a `mailto:` URI (RFC 6068) names, in ASCII; what it says of subjects and the like is left out. */
function addressIn(uri: string): string | undefined {
  try {
    const parts = parseAddress(decodeURIComponent(ADDRESS.exec(uri)?.[1] ?? ''));
    const address = parts && formatAddress(parts);
    return address !== undefined && /^[!-~]+$/.test(address) && !/[<>]/.test(address) ? address : undefined;
  } catch {
    return undefined; // broken percent-encoding
  }
}
