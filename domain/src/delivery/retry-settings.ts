import { isDomainPattern, isRecord, matchingDomain, PATTERN_EXPECTED } from './domain-pattern.js';
import { DEFAULT_RETRY, type RetryPolicy, type SenderClass } from './retry.js';

/** What an administrator sets about retries: each part changes what stands in the ones before it. */
export interface RetrySettings {
  readonly base: Partial<RetryPolicy>;
  readonly senders: { readonly [C in SenderClass]?: Partial<RetryPolicy> };
  /** `x.test`, `*.x.test` (all domains below it) or `*`; the longest that matches counts, an exact one before all. Lower-case A-labels. */
  readonly destinations: Readonly<Record<string, Partial<RetryPolicy>>>;
}
export const DEFAULT_RETRY_SETTINGS: RetrySettings = { base: {}, senders: {}, destinations: {} };

/** Settings are values that do not change: what was found for them once holds. */
const found = new WeakMap<RetrySettings, Map<string, RetryPolicy>>();

/** The policy for a destination (lower-case A-label domain, or an address literal) and a class of sender. */
export function policyFor(settings: RetrySettings, destination: string, sender: SenderClass): RetryPolicy {
  const match = matchingDomain(settings.destinations, destination);
  const name = `${sender} ${match ?? ''}`;
  let policies = found.get(settings);
  if (!policies) found.set(settings, (policies = new Map<string, RetryPolicy>()));
  let policy = policies.get(name);
  if (!policy) policies.set(name, (policy = made(settings, match, sender)));
  return policy;
}

function made({ base, senders, destinations }: RetrySettings, match: string | undefined, sender: SenderClass): RetryPolicy {
  const special = match === undefined ? {} : destinations[match];
  const policy: RetryPolicy = { ...DEFAULT_RETRY, ...base, ...senders[sender], ...special };
  if (sender !== 'notice') return policy;
  // Nobody waits for a notice as for a letter: it is never tried for longer than mail with a sender, and nobody hears of its delay.
  const other: RetryPolicy = { ...DEFAULT_RETRY, ...base, ...special };
  const least = (name: 'refused' | 'line' | 'noAnswer' | 'maxAge'): number => Math.min(policy[name], other[name]);
  return {
    ...policy, refused: least('refused'), line: least('line'), noAnswer: least('noAnswer'), maxAge: least('maxAge'), delayNotice: 0,
    table: other.table.length > 0 && policy.table.length > 0 ? policy.table.slice(0, other.table.length) : policy.table,
  };
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** ms; a queue that keeps mail for longer is an archive. */
const LONGEST = 30 * DAY;
const MOST_TRIES = 1_000;
const MOST_DESTINATIONS = 10_000;

const between = (least: number, most: number) => ({
  expected: `a whole number from ${least} to ${most}`,
  rule: (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
});

/** The rule of each field. */
const FIELDS: { readonly [K in keyof RetryPolicy]: { readonly expected: string; readonly rule: (value: unknown) => boolean } } = {
  refused: between(0, MOST_TRIES),
  line: between(MINUTE, LONGEST),
  noAnswer: between(MINUTE, LONGEST),
  interval: between(1_000, DAY),
  longest: between(1_000, DAY),
  asIs: { expected: 'true or false', rule: (value) => typeof value === 'boolean' },
  table: {
    expected: `a list of at most ${MOST_TRIES} whole numbers of seconds, each from 1 to 604800`,
    rule: (value) => Array.isArray(value) && value.length <= MOST_TRIES && value.every((n) => Number.isSafeInteger(n) && n >= 1 && n <= 604_800),
  },
  jitter: between(0, 50),
  maxAge: between(MINUTE, LONGEST),
  delayNotice: between(0, LONGEST),
};

/** What is wrong with proposed settings, in words; [] when all is well. Anything may be given. */
export function retryProblemsOf(settings: unknown): readonly string[] {
  if (!isRecord(settings)) return ['expected base, senders and destinations'];
  return Object.entries(settings).flatMap(([part, value]) => {
    switch (part) {
      case 'base':
        return problemsOfPolicy('base', value);
      case 'senders':
        return problemsOfParts(part, value, (name) => ['authenticated', 'outside', 'notice'].includes(name), 'authenticated, outside or notice');
      case 'destinations':
        return problemsOfParts(part, value, isDomainPattern, PATTERN_EXPECTED);
      default:
        return [`${part.slice(0, 100)}: there is no such part`];
    }
  });
}

function problemsOfParts(part: string, value: unknown, isName: (name: string) => boolean, expected: string): readonly string[] {
  if (!isRecord(value)) return [`${part}: expected a policy for each name`];
  const entries = Object.entries(value);
  if (entries.length > MOST_DESTINATIONS) return [`${part}: expected at most ${MOST_DESTINATIONS}`];
  return entries.flatMap(([name, policy]) =>
    isName(name) ? problemsOfPolicy(`${part} ${name}`, policy) : [`${part} ${name.slice(0, 100)}: expected ${expected}`]);
}

function problemsOfPolicy(where: string, policy: unknown): readonly string[] {
  if (!isRecord(policy)) return [`${where}: expected a policy`];
  return Object.entries(policy).flatMap(([name, value]) => {
    if (!Object.hasOwn(FIELDS, name)) return [`${where} ${name.slice(0, 100)}: there is no such setting`];
    const { expected, rule } = FIELDS[name as keyof RetryPolicy];
    return rule(value) ? [] : [`${where} ${name}: expected ${expected}`];
  });
}

/** Settings from data. @returns undefined when `retryProblemsOf` has something to say. Parts that are missing are empty. */
export const parseRetrySettings = (data: unknown): RetrySettings | undefined =>
  retryProblemsOf(data).length > 0 ? undefined : { ...DEFAULT_RETRY_SETTINGS, ...(data as Partial<RetrySettings>) };

/** A table of seconds as people write it: `300, 900 1800`. @returns undefined unless it is one. */
export function parseTable(text: string): readonly number[] | undefined {
  const parts = text.split(/[\s,]+/).filter((part) => part !== '');
  const table = parts.map((part) => (/^\d{1,6}$/.test(part) ? Number(part) : NaN));
  return table.length > 0 && FIELDS.table.rule(table) ? table : undefined;
}
