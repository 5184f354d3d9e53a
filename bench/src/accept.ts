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
    for (const server of servers) {
      counts.set(server.name, await calibrate(server, cell, seconds));
      await settle(server);
    }
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

/** Trials that may go before a measurement. */
const TRIALS = 6;
/** Of the time wanted, that the last trial must take: a shorter one says little of a server that is not warm yet. */
const NEARLY = 0.7;

/** How many messages fill about that many seconds; also warms up what is started on demand. */
async function calibrate(server: MailServer, cell: Cell, seconds: number): Promise<number> {
  let messages = cell.connections * 4;
  for (let trial = 1; trial <= TRIALS; trial++) {
    const took = await send(loadFor(server, cell, messages));
    if (took >= NEARLY * seconds) return Math.max(cell.connections, Math.ceil((messages / took) * seconds));
    messages = Math.max(cell.connections, Math.ceil((messages / took) * Math.min(seconds, 4 * took)));
  }
  return messages;
}

const loadFor = (server: MailServer, cell: Cell, messages: number): Load => ({
  ...cell,
  port: server.smtpPort,
  recipient: `${USERS[0]}@${DOMAIN}`,
  messages,
});

export const describe = ({ size, connections, keep }: Cell): string =>
  `${size / KB} KB, ${connections} ${keep ? 'kept' : 'new'} connection${connections === 1 ? '' : 's'}`;
