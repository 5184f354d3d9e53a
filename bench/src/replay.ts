import { until } from '@kiroku/infra/rig/until.js';
import type { KirokuUnderTest } from './kiroku-sut.js';
import { send } from './load.js';
import { settle } from './settle.js';
import { DOMAIN, USERS } from './sut.js';

export interface ReplayRow {
  readonly view: string;
  readonly events: number;
  readonly seconds: number;
}

/** Rebuilds every view from the whole history, by `kiroku replay VIEW --json`. */
export async function benchReplay(
  server: KirokuUnderTest,
  quick: boolean,
  say: (text: string) => void,
): Promise<ReplayRow[]> {
  await haveHistory(server, quick ? 20_000 : 60_000);
  await settle(server);
  const rows: ReplayRow[] = [];
  for (const view of await viewsOf(server)) {
    const row = JSON.parse(await server.kiroku.must('replay', view, '--json')) as ReplayRow;
    rows.push(row);
    say(`replay ${view}: ${row.events} events in ${row.seconds.toFixed(2)} s`);
  }
  return rows;
}

async function viewsOf(server: KirokuUnderTest): Promise<string[]> {
  const list = JSON.parse(await server.kiroku.must('replay', '--list', '--json')) as
    | readonly (string | { readonly view: string })[]
    | { readonly views: readonly (string | { readonly view: string })[] };
  const views = 'views' in list ? list.views : list;
  return views.map((entry) => (typeof entry === 'string' ? entry : entry.view));
}

/** At least that many messages have been stored, so that the figure is not one of starting up. */
async function haveHistory(server: KirokuUnderTest, wanted: number): Promise<void> {
  const [user] = USERS as [string];
  const messages = Math.max(0, wanted - (await server.mailIn(user)));
  if (messages === 0) return;
  const recipient = `${user}@${DOMAIN}`;
  await send({ port: server.smtpPort, recipient, messages, connections: 50, size: 3 * 1024, keep: true });
  await until('the history is stored', 120_000, async () => (await server.mailIn(user)) >= wanted);
}
