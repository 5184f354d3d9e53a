import { until } from '@kiroku/infra/rig/until.js';
import { send } from './load.js';
import { median, settle } from './settle.js';
import { DOMAIN, USERS, type MailServer } from './sut.js';

export interface EndToEndRow {
  readonly messages: number;
  /** Median messages per second from the first connection until the last one is in its mailbox. */
  readonly rates: Readonly<Record<string, number>>;
}

/** 3 KB messages over 50 kept connections to ten mailboxes at once: one generator of five connections for each mailbox. */
export async function benchEndToEnd(
  servers: readonly MailServer[],
  quick: boolean,
  say: (text: string) => void,
): Promise<EndToEndRow> {
  const each = quick ? 100 : 300;
  const rounds = quick ? 2 : 5;
  const found = new Map(servers.map((server) => [server.name, [] as number[]]));
  for (let round = 0; round <= rounds; round++) {
    for (const server of servers) {
      const rate = await deliverAll(server, each);
      if (round > 0) found.get(server.name)?.push(rate); // the first warms up
      await settle(server);
    }
  }
  const rates = Object.fromEntries([...found].map(([name, values]) => [name, median(values)]));
  say(`e2e: ${Object.entries(rates).map(([n, r]) => `${n} ${Math.round(r)}/s`).join(', ')}`);
  return { messages: each * USERS.length, rates };
}

/** @param each messages for each mailbox. @returns messages per second until the last one is there. */
export async function deliverAll(server: MailServer, each: number): Promise<number> {
  const before = await Promise.all(USERS.map((user) => server.mailIn(user)));
  const since = performance.now();
  await Promise.all(
    USERS.map((user) =>
      send({
        port: server.smtpPort,
        recipient: `${user}@${DOMAIN}`,
        messages: each,
        connections: 5,
        size: 3 * 1024,
        keep: true,
      }),
    ),
  );
  // One mailbox after the other, not all at once: looking must cost less than delivering.
  for (const [i, user] of USERS.entries()) {
    const wanted = (before[i] ?? 0) + each;
    await until(`${wanted} messages in the mailbox of ${user} (${server.name})`, 120_000, async () =>
      (await server.mailIn(user)) >= wanted,
    );
  }
  return (each * USERS.length) / ((performance.now() - since) / 1000);
}
