import { parseAddress } from '../mail/address.js';
import { isDomainPattern, isRecord, matchingDomain, PATTERN_EXPECTED } from './domain-pattern.js';
import type { NoticeKind } from './queue-events.js';

const KINDS: readonly NoticeKind[] = ['failed', 'delayed', 'delivered', 'relayed', 'expanded'];
const LANGUAGES = ['ja', 'en'] as const;
type Language = (typeof LANGUAGES)[number];
/** One text for all languages, or one for each. `{subject}`, `{recipient}` and `{id}` stand for those of the message. */
type Subject = string | { readonly [L in Language]?: string };

/** What an administrator says about notices to senders of one domain. */
export interface NoticeStyleSettings {
  /** From address, in ASCII, and display name. */
  readonly from?: string;
  readonly name?: string;
  readonly language?: Language | 'both';
  readonly subjects?: { readonly [K in NoticeKind]?: Subject };
}

/** By the domain of whom they go to: `x.test`, `*.x.test`, `*`; in lower-case A-labels. */
export interface NoticeStyles {
  readonly domains: Readonly<Record<string, NoticeStyleSettings>>;
}
export const NO_STYLES: NoticeStyles = { domains: {} };

/** For notices to a sender: what holds for `*`, and over it what fits the domain best. */
export function noticeStyleFor({ domains }: NoticeStyles, sender: string): NoticeStyleSettings {
  const match = matchingDomain(domains, sender.slice(sender.lastIndexOf('@') + 1).toLowerCase());
  if (match === undefined) return {};
  const [all, own] = [domains['*'], domains[match]];
  return { ...all, ...own, subjects: { ...all?.subjects, ...own?.subjects } };
}

/** The subjects as texts, those of several languages with a slash between them; what is not said in one of them is said nowhere. */
export function subjectsIn({ subjects = {} }: NoticeStyleSettings, languages: readonly Language[]): { readonly [K in NoticeKind]?: string } {
  const texts = Object.entries(subjects).map(([kind, subject]) => [kind, typeof subject === 'string' ? subject : languages.map((l) => subject[l] ?? '').filter((text) => text !== '').join(' / ')] as const);
  return Object.fromEntries(texts.filter(([, text]) => text !== ''));
}

const MOST_DOMAINS = 10_000;
const LONGEST = 200;
const isText = (value: unknown): boolean => typeof value === 'string' && value.length > 0 && value.length <= LONGEST && value.isWellFormed() && !/\p{Cc}/u.test(value);
const TEXT = `1 to ${LONGEST} characters, no control characters`;

/** What is wrong with proposed settings, in words; [] when all is well. Anything may be given. */
export function noticeStyleProblemsOf(settings: unknown): readonly string[] {
  if (!isRecord(settings) || !isRecord(settings.domains)) return ['expected domains'];
  const [other] = Object.keys(settings).filter((part) => part !== 'domains');
  if (other !== undefined) return [`${other.slice(0, 100)}: there is no such part`];
  const entries = Object.entries(settings.domains);
  if (entries.length > MOST_DOMAINS) return [`expected at most ${MOST_DOMAINS} domains`];
  return entries.flatMap(([domain, style]) => {
    if (!isDomainPattern(domain)) return [`${domain.slice(0, 100)}: expected ${PATTERN_EXPECTED}`];
    return problemsOfStyle(style).map((problem) => `${domain}: ${problem}`);
  });
}

function problemsOfStyle(style: unknown): readonly string[] {
  if (!isRecord(style)) return ['expected from, name, language and subjects'];
  return Object.entries(style).flatMap(([part, value]) => {
    switch (part) {
      case 'from':
        return typeof value === 'string' && /^[!-~]+$/.test(value) && parseAddress(value) !== undefined ? [] : ['from: expected a mail address in ASCII'];
      case 'name':
        return isText(value) ? [] : [`name: expected ${TEXT}`];
      case 'language':
        return value === 'ja' || value === 'en' || value === 'both' ? [] : ['language: expected both, ja or en'];
      case 'subjects':
        return problemsOfSubjects(value);
      default:
        return [`${part.slice(0, 100)}: there is no such part`];
    }
  });
}

function problemsOfSubjects(subjects: unknown): readonly string[] {
  if (!isRecord(subjects)) return [`subjects: expected texts for ${KINDS.join(', ')}`];
  return Object.entries(subjects).flatMap(([kind, subject]) => {
    if (!KINDS.some((known) => known === kind)) return [`subjects ${kind.slice(0, 100)}: expected ${KINDS.join(', ')}`];
    const texts = isRecord(subject) ? Object.entries(subject) : [['ja', subject] as const];
    return texts.every(([language, text]) => LANGUAGES.some((known) => known === language) && isText(text)) ? [] : [`subjects ${kind}: expected ${TEXT}; or such a text for ja and en each`];
  });
}
