import { isRecord, matchingDomain, PATTERN_EXPECTED, isDomainPattern } from './domain-pattern.js';
import type { QueuedMessage } from './queue-events.js';
import { type SenderClass, senderClassOf } from './retry.js';

/** Lower goes first; 0 is usual. */
export const PRIORITY_LEAST = -100;
export const PRIORITY_MOST = 100;

/** What an administrator sets about who goes first: the parts that fit are added up. */
export interface PrioritySettings {
  readonly senders: { readonly [C in SenderClass]?: number };
  /** For mail that calls itself `Precedence: bulk`, `list` or `junk`. */
  readonly bulk: number;
  /** `x.test`, `*.x.test` (all domains below it) or `*`; of these the one that matches best. Lower-case A-labels. */
  readonly destinations: Readonly<Record<string, number>>;
}

/** Letters before mailings, and both before notices, which nobody waits for and strangers can provoke. */
export const DEFAULT_PRIORITY: PrioritySettings = { senders: { notice: 20 }, bulk: 10, destinations: {} };

export const isPriority = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= PRIORITY_LEAST && (value as number) <= PRIORITY_MOST;

/** The priority of a message on its way to a destination (lower-case A-label domain, or an address literal). */
export function priorityFor({ senders, bulk, destinations }: PrioritySettings, message: Pick<QueuedMessage, 'sender' | 'login' | 'bulk'>, destination: string): number {
  const match = matchingDomain(destinations, destination);
  const sum = (senders[senderClassOf(message)] ?? 0) + (message.bulk ? bulk : 0) + (match === undefined ? 0 : (destinations[match] ?? 0));
  return Math.min(PRIORITY_MOST, Math.max(PRIORITY_LEAST, sum));
}

const EXPECTED = `a whole number from ${PRIORITY_LEAST} to ${PRIORITY_MOST}`;
const MOST_DESTINATIONS = 10_000;

/** What is wrong with proposed settings, in words; [] when all is well. Anything may be given; parts that are missing have their default. */
export function priorityProblemsOf(settings: unknown): readonly string[] {
  if (!isRecord(settings)) return ['expected senders, bulk and destinations'];
  return Object.entries(settings).flatMap(([part, value]) => {
    switch (part) {
      case 'bulk':
        return isPriority(value) ? [] : [`bulk: expected ${EXPECTED}`];
      case 'senders':
        return problemsOfPart(part, value, (name) => ['authenticated', 'outside', 'notice'].includes(name), 'authenticated, outside or notice');
      case 'destinations':
        return problemsOfPart(part, value, isDomainPattern, PATTERN_EXPECTED);
      default:
        return [`${part.slice(0, 100)}: there is no such part`];
    }
  });
}

function problemsOfPart(part: string, value: unknown, isName: (name: string) => boolean, expected: string): readonly string[] {
  if (!isRecord(value)) return [`${part}: expected a number for each name`];
  const entries = Object.entries(value);
  if (entries.length > MOST_DESTINATIONS) return [`${part}: expected at most ${MOST_DESTINATIONS}`];
  return entries.flatMap(([name, number]) => {
    if (!isName(name)) return [`${part} ${name.slice(0, 100)}: expected ${expected}`];
    return isPriority(number) ? [] : [`${part} ${name}: expected ${EXPECTED}`];
  });
}

/** With the defaults for what is missing. */
export const priorityOf = (settings: Partial<PrioritySettings>): PrioritySettings =>
  ({ ...DEFAULT_PRIORITY, ...settings, senders: { ...DEFAULT_PRIORITY.senders, ...settings.senders } });
