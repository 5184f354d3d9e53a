import { send, type Load } from './load.js';
import { median, settle } from './settle.js';
import { DOMAIN, USERS, type MailServer } from './sut.js';

export interface Cell {
  readonly size: number;
  readonly connections: number;
  readonly keep: boolean;
}

export interface AcceptRow extends Cell {
  /** Median messages accepted per second, by server. */
  readonly rates: Readonly<Record<string, number>>;
}

const KB = 1024;

function cells(quick: boolean): Cell[] {
  const sizes = [3 * KB, 100 * KB];
  const counts = quick ? [1, 50] : [1, 10, 50];
  const kinds = [true, false];
  return sizes.flatMap((size) =>
    counts.flatMap((connections) => kinds.map((keep) => ({ size, connections, keep }))),
  );
}

/**
 * Messages accepted per second. The servers take turns (A B A B), each run as long as the other in time, not in messages:
 * a fixed number would be too short for the fast one or endless for the slow one.
 */
export async function benchAccept(
  servers: readonly MailServer[],
  quick: boolean,
  say: (text: string) => void,
  which: readonly Cell[] = cells(quick),
): Promise<AcceptRow[]> {
  const seconds = quick ? 1 : 3;
  const rounds = quick ? 1 : 3;
  const rows: AcceptRow[] = [];
  for (const cell of which) {
    const found = new Map(servers.map((server) => [server.name, [] as number[]]));
    const counts = new Map<string, number>();
    for (const server of servers) counts.set(server.name, await calibrate(server, cell, seconds));
    for (let round = 0; round < rounds; round++) {
      for (const server of servers) {
        const messages = counts.get(server.name) ?? 1;
        found.get(server.name)?.push(messages / (await send(loadFor(server, cell, messages))));
        await settle(server);
      }
    }
    const rates = Object.fromEntries([...found].map(([name, values]) => [name, median(values)]));
    rows.push({ ...cell, rates });
    say(`accept ${describe(cell)}: ${Object.entries(rates).map(([n, r]) => `${n} ${Math.round(r)}/s`).join(', ')}`);
  }
  return rows;
}

/** How many messages fill about that many seconds; also warms up what is started on demand. */
async function calibrate(server: MailServer, cell: Cell, seconds: number): Promise<number> {
  const trial = cell.connections * 4;
  const took = await send(loadFor(server, cell, trial));
  const longer = Math.min(Math.ceil((trial / took) * 0.5), 2_000);
  const rate = longer > trial ? longer / (await send(loadFor(server, cell, longer))) : trial / took;
  await settle(server);
  return Math.max(cell.connections, Math.ceil(rate * seconds));
}

const loadFor = (server: MailServer, cell: Cell, messages: number): Load => ({
  ...cell,
  port: server.smtpPort,
  recipient: `${USERS[0]}@${DOMAIN}`,
  messages,
});

export const describe = ({ size, connections, keep }: Cell): string =>
  `${size / KB} KB, ${connections} ${keep ? 'kept' : 'new'} connection${connections === 1 ? '' : 's'}`;
