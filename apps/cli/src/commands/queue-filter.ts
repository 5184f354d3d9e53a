import { QUEUE_OUTCOMES, QUEUE_STATES } from '@kiroku/infra/admin/queue-filter.js';
import { type Command, Option } from 'commander';
import { Failed } from '../client.js';
import { wholeNumber } from '../command.js';

export interface FilterOptions {
  message?: string; sender?: string; recipient?: string; destination?: string; state?: string; outcome?: string; reply?: string; host?: string; route?: string;
  attempts?: number; olderThan?: number; youngerThan?: number; since?: string; until?: string; nextBefore?: string;
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const ageOf = (text: string): number | undefined => {
  const [, digits, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (UNITS[unit] ?? 0);
};
/** 90s, 30m, 2h, 3d in ms. @throws Failed */
function age(text: string): number {
  const ms = ageOf(text);
  if (ms === undefined) throw new Failed('badAge', [text], true);
  return ms;
}

/** Options that say which recipients of the queue are meant; all that are named must fit. */
export const withFilter = (command: Command): Command =>
  command
    .option('--message <id>', 'of this message, by queue id or Message-ID')
    .option('--sender <address>', 'from this envelope sender; * for any characters, <> for reports')
    .option('--recipient <address>', 'to this address, as it waits or as it was accepted; * for any characters')
    .option('--destination <domain>', 'to this domain; * for any characters')
    .addOption(new Option('--state <state>', 'in this state').choices(QUEUE_STATES))
    .addOption(new Option('--outcome <outcome>', 'whose last attempt came to this').choices(QUEUE_OUTCOMES))
    .option('--reply <text>', 'whose last reply has this in it')
    .option('--host <name>', 'whose last attempt was at this server; * for any characters')
    .option('--route <host:port>', 'rerouted there by an administrator; empty = not rerouted')
    .option('--attempts <number>', 'tried so often, at least', wholeNumber)
    .option('--older-than <age>', 'accepted longer ago: 90s, 30m, 2h, 3d', age)
    .option('--younger-than <age>', 'accepted not so long ago', age)
    .option('--since <time>', 'accepted then or later: ISO 8601 with offset, a date (UTC), or epoch ms')
    .option('--until <time>', 'accepted before that time')
    .option('--next-before <time>', 'due before that time, or within an age from now: 10m');

export type Filter = Readonly<Record<string, string | number | undefined>>;

/** As the API takes it. */
export function filterOf({ message, sender, recipient, destination, state, outcome, reply, host, route, attempts, olderThan, youngerThan, since, until, nextBefore }: FilterOptions): Filter {
  const now = Date.now();
  const soon = nextBefore === undefined ? undefined : ageOf(nextBefore);
  return {
    messageId: message, sender, recipient, destination, state, outcome, reply, host, route, attempts,
    since: since ?? (youngerThan === undefined ? undefined : Math.max(0, now - youngerThan)), until: until ?? (olderThan === undefined ? undefined : Math.max(0, now - olderThan)),
    nextBefore: soon === undefined ? nextBefore : now + soon,
  };
}
export const isEmpty = (filter: Filter): boolean => Object.values(filter).every((value) => value === undefined);
