import type { AccountFacts, Resolved } from '../mail/directory-port.js';

/** Where one message goes, once all aliases are followed. A mailbox and a remote address each appear once per message. */
export interface Expansion {
  readonly local: readonly { readonly account: AccountFacts; readonly recipient: string; readonly deliveredTo: string; readonly via: readonly string[] }[];
  /** `sender`: envelope sender for it alone, where it is not the message's (SRS). */
  readonly remote: readonly { readonly recipient: string; readonly address: string; readonly via: readonly string[]; readonly sender?: string }[];
  readonly failures: readonly { readonly recipient: string; readonly address: string; readonly via: readonly string[]; readonly reason: Failure }[];
}
export type Failure = 'unknown' | 'disabled' | 'loop' | 'too-many';

/** Aliases one behind the other, and targets of one message. */
const DEEPEST = 20;
const MOST_TARGETS = 10_000;

interface Step {
  readonly message: number;
  /** Envelope recipient it began with. */
  readonly recipient: string;
  /** The address to look up now. */
  readonly address: string;
  /** The address mail is shown to be delivered to: the alias, where the alias says to keep it. */
  readonly shown: string | undefined;
  readonly via: readonly string[];
}

/** A message's findings so far. */
class Findings implements Expansion {
  readonly local: Expansion['local'][number][] = [];
  readonly remote: Expansion['remote'][number][] = [];
  readonly failures: Expansion['failures'][number][] = [];
  readonly #seen = new Set<string>();
  /** Recipients that led somewhere, and where loops closed: a recipient that did nothing but run in circles has failed. */
  readonly arrived = new Set<string>();
  readonly circles = new Map<string, Expansion['failures'][number]>();
  targets = 0;

  /** True the first time. */
  first(what: string): boolean {
    if (this.#seen.has(what)) return false;
    this.#seen.add(what);
    return true;
  }
}

/**
 * Follows the aliases of many messages at once, breadth first: each round asks about all open addresses in one call. Loops are
 * cut where they close; an alias reached twice in a message counts once.
 * @param messages envelope recipients per message.
 * @returns an expansion per message, in order. Nothing is dropped silently: a recipient that leads nowhere is a failure.
 */
export async function expand(
  messages: readonly (readonly string[])[],
  lookup: (addresses: readonly string[]) => Promise<readonly Resolved[]>,
): Promise<readonly Expansion[]> {
  const findings = messages.map(() => new Findings());
  let open: Step[] = messages.flatMap((recipients, message) =>
    recipients.map((recipient) => ({ message, recipient, address: recipient, shown: undefined, via: [] })));
  for (let depth = 0; open.length > 0; depth++) {
    const addresses = [...new Set(open.map((s) => s.address))];
    const answers = await lookup(addresses);
    const known = new Map(addresses.map((address, i) => [address, answers[i] as Resolved]));
    open = open.flatMap((step) => follow(step, known.get(step.address) as Resolved, findings[step.message] as Findings, depth));
  }
  for (const found of findings) for (const [recipient, circle] of found.circles) if (!found.arrived.has(recipient)) found.failures.push(circle);
  return findings;
}

function follow(step: Step, resolved: Resolved, found: Findings, depth: number): readonly Step[] {
  const { recipient, address, via } = step;
  const fail = (reason: Failure): readonly Step[] => {
    found.arrived.add(recipient);
    found.failures.push({ recipient, address, via, reason });
    return [];
  };
  switch (resolved.kind) {
    case 'unknown':
      return fail('unknown');
    case 'domain-disabled':
      return fail('disabled');
    case 'remote':
      found.arrived.add(recipient);
      if (found.first(`remote ${address.toLowerCase()}`)) found.remote.push({ recipient, address, via });
      return [];
    case 'account': {
      const { account } = resolved;
      if (!account.enabled) return fail('disabled');
      found.arrived.add(recipient);
      if (found.first(`mailbox ${account.inbox}`)) found.local.push({ account, recipient, deliveredTo: step.shown ?? address, via });
      return [];
    }
    case 'alias': {
      const { alias, targets } = resolved;
      if (via.includes(alias)) {
        found.circles.set(recipient, { recipient, address, via, reason: 'loop' });
        return [];
      }
      if (depth >= DEEPEST) return fail('too-many');
      if (!found.first(`alias ${alias} ${address}`)) {
        found.arrived.add(recipient); // goes where the earlier one goes
        return [];
      }
      found.targets += targets.length;
      if (found.targets > MOST_TARGETS) return fail('too-many');
      return targets.map((target) => ({
        message: step.message, recipient, address: target.address, shown: target.rewrite ? undefined : (step.shown ?? address), via: [...via, alias],
      }));
    }
  }
}
