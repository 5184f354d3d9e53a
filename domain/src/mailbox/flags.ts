import { MailboxRefusal } from './store-port.js';

/** Flags that the protocol defines (RFC 9051 §2.3.2). `\Recent` is a session's affair and never stored. */
const SYSTEM = new Map(['\\Answered', '\\Deleted', '\\Draft', '\\Flagged', '\\Seen'].map((flag) => [flag.toLowerCase(), flag]));
/** Keywords that a mailbox may ever have had, flags per message, characters per keyword. */
const MOST_KEYWORDS = 1_000;
const MOST_PER_MESSAGE = 100;
const LONGEST = 100;
/** A flag-keyword is an atom (RFC 9051 §9): ASCII without controls, spaces and specials. */
const KEYWORD = /^[!#$&'+,\-./0-9:;<=>?@A-Z[^_`a-z|}~]+$/;

/**
 * A list of flags as it is stored: sorted, each once, system flags in the RFC's spelling, keywords as the mailbox stored them first.
 * @param known keywords of the mailbox: in lower case → as stored first.
 * @throws MailboxRefusal `bad-name` for what is no flag, `too-many`, `too-big`.
 */
export function storedFlags(flags: readonly string[], known: ReadonlyMap<string, string>): readonly string[] {
  const found = new Map<string, string>();
  let fresh = 0;
  for (const flag of flags) {
    const name = flag.toLowerCase();
    if (name === '\\recent' || found.has(name)) continue;
    if (flag.length > LONGEST) throw new MailboxRefusal('too-big', flag.slice(0, LONGEST));
    const stored = SYSTEM.get(name) ?? known.get(name);
    if (stored === undefined) {
      if (!KEYWORD.test(flag)) throw new MailboxRefusal('bad-name', flag);
      if (known.size + ++fresh > MOST_KEYWORDS) throw new MailboxRefusal('too-many', flag);
    }
    found.set(name, stored ?? flag);
  }
  if (found.size > MOST_PER_MESSAGE) throw new MailboxRefusal('too-many', 'flags');
  return sorted([...found.values()]);
}

export const sorted = (flags: readonly string[]): readonly string[] => [...flags].sort();

export const isKeyword = (flag: string): boolean => !flag.startsWith('\\');
