import type { Route } from './hosts.js';
import { type GatewayLine, type GatewayRow, isRow } from './gateway-table.js';
import { ANY, matches, PatternIndex, type Subject, subjectOf } from './pattern.js';

/** The row that decides, and its line in the table, from 1. */
export interface Matched {
  readonly row: GatewayRow;
  readonly line: number;
  readonly route: Route;
}

const routeTo = ({ host, port, implicitTls, credentials }: GatewayRow): Route =>
  ({ kind: 'gateway', host, port, implicitTls, ...(credentials !== undefined && { credentials }) });

const fitsTarget = ({ target }: GatewayRow, to: Subject): boolean => matches(target, to);
const fitsSender = ({ sender }: GatewayRow, from: Subject): boolean => sender === undefined || matches(sender, from);

/**
 * A gateway table made ready for many questions. The first row that fits wins, as if the table were read from the top; rows with a
 * whole domain or address, or the end of a domain, are found without looking at the others, by recipient and then by sender.
 */
export class RouteTable {
  readonly #rows = new PatternIndex(() => new PatternIndex<Matched[]>(() => []));

  /** @param forwardAll mail for local recipients goes to their gateway too: this server has no mailboxes (seed-details A8.1). */
  constructor(
    readonly lines: readonly GatewayLine[] = [],
    readonly forwardAll = false,
    readonly revision = 0,
  ) {
    lines.forEach((row, i) => isRow(row) && this.#rows.place(row.target).place(row.sender ?? ANY).push({ row, line: i + 1, route: routeTo(row) }));
  }

  /** @param sender '' is the null sender. @returns undefined when no row fits. */
  match(address: string, sender: string): Matched | undefined {
    return this.find(subjectOf(address), sender);
  }

  /** The same for a recipient that is looked at already. */
  find(to: Subject, sender: string): Matched | undefined {
    const places = this.#rows.places(to);
    if (places.length === 0) return undefined;
    const from = subjectOf(sender);
    let best: Matched | undefined;
    for (const targets of places)
      for (const rows of targets.places(from)) {
        const better = rows.find((one) => (best !== undefined && one.line > best.line) || (fitsTarget(one.row, to) && fitsSender(one.row, from)));
        if (better && (best === undefined || better.line < best.line)) best = better;
      }
    return best;
  }

  /** Lines above `before` that fit the recipient, but not the sender: for explanations. */
  passedOver(address: string, sender: string, before: number): readonly number[] {
    const [to, from] = [subjectOf(address), subjectOf(sender)];
    return this.lines.flatMap((row, i) => (i + 1 < before && isRow(row) && fitsTarget(row, to) && !fitsSender(row, from) ? [i + 1] : []));
  }
}

/** A recipient and the envelope sender, '' for the null sender; in any case, U-labels or A-labels. */
export interface Asked { readonly address: string; readonly sender: string }

/** The gateway that the table names for a recipient, undefined when no row fits. */
export const gatewayOf = ({ address, sender }: Asked, table: RouteTable): Route | undefined => table.match(address, sender)?.route;

/** Where a remote recipient's mail goes: to the first gateway that fits, else to the MX of its domain. */
export function routeOf({ address, sender }: Asked, table: RouteTable): Route {
  const to = subjectOf(address);
  return table.find(to, sender)?.route ?? { kind: 'mx', domain: to.domain };
}
