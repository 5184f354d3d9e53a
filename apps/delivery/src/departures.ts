import type { Expansion } from '@kiroku/domain/delivery/expand.js';
import type { Clock } from '@kiroku/domain/kernel/clock.js';
import type { Directory } from '@kiroku/domain/mail/directory-port.js';
import { gatewayOf, type RouteTable } from '@kiroku/domain/routing/route-table.js';
import { forward, needsSrs, srsDomain, type SrsKeys } from '@kiroku/domain/srs/srs.js';
import { canonical, domainOf } from '@kiroku/domain/mail/address.js';
import type { Mail } from './placement.js';

export interface DepartureParts {
  readonly directory: Directory;
  /** As it is now: must be quick. */
  readonly table: () => RouteTable;
  readonly srs: SrsKeys;
  /** Is SRS switched on? */
  readonly rewrites: () => boolean;
  readonly clock: Clock;
}

/** What aliases alone do not decide about where mail goes: gateways that take all received mail, and senders of forwarded mail. */
export class Departures {
  constructor(private readonly parts: DepartureParts) {}

  prepare = async (mails: readonly Mail[], expansions: readonly Expansion[]): Promise<readonly Expansion[]> => {
    const table = this.parts.table();
    const once = expansions.map((expansion, i) => withoutLoops(expansion, mails[i] as Mail));
    const routed = table.forwardAll ? once.map((expansion, i) => toGateways(expansion, mails[i] as Mail, table)) : once;
    if (!this.parts.rewrites() || !routed.some((e, i) => forwarded(e, mails[i] as Mail))) return routed;
    const ours = await this.#ours(mails.filter((mail, i) => forwarded(routed[i] as Expansion, mail)));
    return routed.map((expansion, i) => this.#rewritten(expansion, mails[i] as Mail, ours, table));
  };

  /** Domains of these senders that are served here. */
  async #ours(mails: readonly Mail[]): Promise<ReadonlySet<string>> {
    const domains = [...new Set(mails.map(({ message }) => domainOf(message.sender)))];
    const answers = await this.parts.directory.lookup(domains.map((domain) => `postmaster@${domain}`));
    return new Set(domains.filter((_, i) => answers[i]?.kind !== 'remote').map((domain) => domain.toLowerCase()));
  }

  #rewritten(expansion: Expansion, { message }: Mail, ours: ReadonlySet<string>, table: RouteTable): Expansion {
    const remote = expansion.remote.map((one) => {
      if (!needsSrs({ sender: message.sender, via: one.via, ours: (domain) => ours.has(domain.toLowerCase()) })) return one;
      // Behind a gateway nobody asks the DNS who may send for whom.
      if (gatewayOf({ address: one.address, sender: message.sender }, table)) return one;
      // An address that cannot be rewritten stays: better a doubtful sender than none who hears of a failure.
      const sender = forward(message.sender, srsDomain(one.via) ?? '', this.parts.clock.now(), this.parts.srs);
      return sender === undefined ? one : { ...one, sender };
    });
    return { ...expansion, remote };
  }
}

/** Whoever logged in sends as himself: his server's SPF record names this one. */
const forwarded = ({ remote }: Expansion, { message }: Mail): boolean =>
  message.sender !== '' && message.login === undefined && remote.some((one) => one.via.length > 0);

/** What an alias here has sent on before, and comes back, is not sent on again: two such aliases would multiply it. */
function withoutLoops(expansion: Expansion, { message }: Mail): Expansion {
  const before = message.deliveredTo;
  if (!before || expansion.remote.length === 0) return expansion;
  const looping = expansion.remote.filter(({ via }) => via.some((alias) => before.includes(canonical(alias) ?? alias)));
  if (looping.length === 0) return expansion;
  return {
    ...expansion,
    remote: expansion.remote.filter((one) => !looping.includes(one)),
    failures: [...expansion.failures, ...looping.map(({ recipient, address, via }) => ({ recipient, address, via, reason: 'loop' as const }))],
  };
}

/** E-Post's method C: domains and accounts are here to be checked, the mail goes on. */
function toGateways(expansion: Expansion, { message }: Mail, table: RouteTable): Expansion {
  const away = expansion.local.filter(({ account }) => gatewayOf({ address: account.address, sender: message.sender }, table) !== undefined);
  if (away.length === 0) return expansion;
  const gone = new Set(away);
  return {
    ...expansion,
    local: expansion.local.filter((one) => !gone.has(one)),
    remote: [...expansion.remote, ...away.map(({ account, recipient, via }) => ({ recipient, address: account.address, via }))],
  };
}
