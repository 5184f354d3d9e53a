import type { Decider } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';

/** One report on its way to one address. */
interface About {
  /** UTC day, as `dayOf` writes it. */
  readonly day: string;
  readonly domain: string;
  readonly reportId: string;
  /** `mailto:` or `https:` URI, as the domain published it. */
  readonly to: string;
  /** 1 for the first. */
  readonly attempt: number;
}

/** Stream `tls-report-<day>-<domain>`. */
export type TlsReportSendingEvent =
  /** `messageId`: the queue id of the mail that carries it; without one it was posted, and taken. */
  | Fact<'TlsReportSent', About & { readonly messageId?: string }>
  /** Without `nextAt` (epoch ms) it is given up. */
  | Fact<'TlsReportFailed', About & { readonly reason: string; readonly nextAt?: number }>;

/** How one attempt ended. */
export type TlsReportCommand = Pick<About, 'day' | 'domain' | 'reportId' | 'to'> & { readonly now: number } & (
    | { readonly type: 'Sent'; readonly messageId?: string }
    | { readonly type: 'Failed'; readonly reason: string; readonly forGood?: true }
  );

interface Progress {
  readonly attempts: number;
  readonly over: boolean;
  /** Epoch ms. */
  readonly nextAt: number;
}
/** By URI. */
export type TlsReportProgress = ReadonlyMap<string, Progress>;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** ms after the first, second … failure; then it is given up. RFC 8460 §5.4: within 24 hours of the first attempt. */
const WAITS = [10 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR];
export const REPORT_ATTEMPTS = WAITS.length + 1;

export const tlsReportStream = (day: string, domain: string): string => `tls-report-${day}-${domain}`;

/** Which addresses have had a report, and when others are to be tried again. */
export const tlsReportSending: Decider<TlsReportCommand, TlsReportSendingEvent, TlsReportProgress> = {
  initial: new Map(),

  decide(command, state) {
    const { day, domain, reportId, to, now } = command;
    const before = state.get(to);
    if (before?.over) return [];
    const attempt = (before?.attempts ?? 0) + 1;
    const about = { day, domain, reportId, to, attempt };
    switch (command.type) {
      case 'Sent':
        return [{ type: 'TlsReportSent', data: { ...about, ...(command.messageId !== undefined && { messageId: command.messageId }) } }];
      case 'Failed': {
        const wait = command.forGood ? undefined : WAITS[attempt - 1];
        return [{ type: 'TlsReportFailed', data: { ...about, reason: command.reason, ...(wait !== undefined && { nextAt: now + wait }) } }];
      }
    }
  },

  evolve(state, { type, data }) {
    const next = new Map(state);
    switch (type) {
      case 'TlsReportSent':
        return next.set(data.to, { attempts: data.attempt, over: true, nextAt: Infinity });
      case 'TlsReportFailed':
        return next.set(data.to, { attempts: data.attempt, over: data.nextAt === undefined, nextAt: data.nextAt ?? Infinity });
    }
  },
};

/** Addresses that are to be tried now. */
export const dueNow = (state: TlsReportProgress, addresses: readonly string[], now: number): readonly string[] =>
  [...new Set(addresses)].filter((to) => (state.get(to)?.nextAt ?? 0) <= now);

/** Nothing is left to do for any of them. */
export const isSettled = (state: TlsReportProgress, addresses: readonly string[]): boolean => addresses.every((to) => state.get(to)?.over === true);

const SPREAD = 4 * HOUR;

/**
 * When the report of a day is due, epoch ms: after its end, at a time of the domain's own within four hours, so that the servers of the world
 * do not report at the stroke of midnight all at once (RFC 8460 §4.1).
 */
export function reportDueAt(day: string, domain: string): number {
  let hash = 0;
  for (const char of domain) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return Date.parse(`${day}T00:00:00Z`) + DAY + (hash % SPREAD);
}
