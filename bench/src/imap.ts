import { appendCommand, ImapSocket } from './imap-client.js';
import type { ImapServer } from './imap-servers.js';
import { median, settle } from './settle.js';
import { PASSWORD } from './sut.js';

/** One case: ms, or commands per second for the mixed load, by server. */
export interface ImapRow {
  readonly what: string;
  readonly unit: 'ms' | '/s';
  /** How many times as fast as the fastest peer Kiroku wants to be here. */
  readonly target: number;
  readonly figures: Readonly<Record<string, number>>;
}

interface Plan {
  /** Messages in the large mailbox, in bulk commands, in FETCH of structures and bodies, and appended one by one. */
  readonly messages: number;
  readonly bulk: number;
  readonly fetched: number;
  readonly appended: number;
  readonly rounds: number;
  readonly clients: number;
  /** ms of mixed load. */
  readonly mixed: number;
}
const FULL: Plan = { messages: 100_000, bulk: 10_000, fetched: 1_000, appended: 1_000, rounds: 5, clients: 200, mixed: 10_000 };
const QUICK: Plan = { messages: 5_000, bulk: 1_000, fetched: 500, appended: 200, rounds: 3, clients: 50, mixed: 2_000 };

/** Messages per APPEND while mailboxes are filled. */
const AT_ONCE = 200;
const EQUAL = 1;
const TWICE = 2;

interface Case {
  readonly what: string;
  readonly target: number;
  readonly measure: (server: ImapServer, plan: Plan) => Promise<number>;
}

/** The large mailbox is the INBOX of the first account. */
export const openImap = (server: ImapServer, user = 0): Promise<ImapSocket> => ImapSocket.login(server.port, server.users[user] ?? '', PASSWORD);

async function inLarge<T>(server: ImapServer, work: (client: ImapSocket) => Promise<T>): Promise<T> {
  const client = await openImap(server);
  try {
    await client.run('SELECT INBOX');
    return await work(client);
  } finally {
    client.close();
  }
}

/** The same command again and again on one connection: the first is its own case where that makes a difference. */
const repeated = (command: (plan: Plan) => string, prepare?: (plan: Plan) => string): Case['measure'] => (server, plan) =>
  inLarge(server, async (client) => {
    const times: number[] = [];
    for (let round = 0; round < plan.rounds; round++) {
      if (prepare) await client.run(prepare(plan));
      times.push(await client.time(command(plan)));
    }
    return median(times);
  });

const once = (command: (plan: Plan) => string): Case['measure'] => (server, plan) => inLarge(server, (client) => client.time(command(plan)));

async function selects(server: ImapServer, count: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < count; round++) {
    const client = await openImap(server);
    times.push(await client.time('SELECT INBOX'));
    client.close();
  }
  return median(times);
}

/** COPY or MOVE of the first messages of a mailbox made for it, to another. */
const transfer = (verb: string): Case['measure'] => async (server, plan) => {
  const client = await openImap(server);
  const times: number[] = [];
  for (let round = 0; round < Math.min(3, plan.rounds); round++) {
    const [from, to] = [`${verb}from${round}`, `${verb}to${round}`];
    for (const name of [from, to]) await client.run(`CREATE ${name}`);
    await client.run('SELECT INBOX');
    await client.run(`COPY 1:${plan.bulk} ${from}`);
    await client.run(`SELECT ${from}`);
    times.push(await client.time(`${verb} 1:${plan.bulk} ${to}`));
    await client.run('UNSELECT');
    for (const name of [from, to]) await client.run(`DELETE ${name}`);
  }
  client.close();
  return median(times);
};

const appends: Case['measure'] = async (server, plan) => {
  const client = await openImap(server, 1);
  const since = performance.now();
  for (let i = 0; i < plan.appended; i++) await client.run(appendCommand('INBOX', [imapMessage(i)]));
  const took = performance.now() - since;
  client.close();
  return took;
};

const CASES: readonly Case[] = [
  { what: 'SELECT, warm', target: EQUAL, measure: (server, plan) => selects(server, plan.rounds) },
  { what: 'FETCH 1:* (UID FLAGS)', target: EQUAL, measure: repeated(() => 'FETCH 1:* (UID FLAGS)') },
  { what: 'FETCH (ENVELOPE BODYSTRUCTURE), first', target: EQUAL, measure: once(({ fetched }) => `FETCH 1:${fetched} (ENVELOPE BODYSTRUCTURE)`) },
  { what: 'FETCH (ENVELOPE BODYSTRUCTURE), again', target: EQUAL, measure: repeated(({ fetched }) => `FETCH 1:${fetched} (ENVELOPE BODYSTRUCTURE)`) },
  { what: 'FETCH BODY.PEEK[]', target: EQUAL, measure: repeated(({ fetched }) => `FETCH 1:${fetched} (BODY.PEEK[])`) },
  { what: 'STORE +FLAGS', target: TWICE, measure: repeated(({ bulk }) => `STORE 1:${bulk} +FLAGS (\\Flagged)`, ({ bulk }) => `STORE 1:${bulk} -FLAGS (\\Flagged)`) },
  { what: 'STORE +FLAGS.SILENT', target: TWICE, measure: repeated(({ bulk }) => `STORE 1:${bulk} +FLAGS.SILENT (\\Flagged)`, ({ bulk }) => `STORE 1:${bulk} -FLAGS.SILENT (\\Flagged)`) },
  { what: 'COPY', target: TWICE, measure: transfer('COPY') },
  { what: 'MOVE', target: EQUAL, measure: transfer('MOVE') },
  { what: 'SEARCH SUBJECT, first', target: TWICE, measure: once(() => 'SEARCH SUBJECT "number 77"') },
  { what: 'SEARCH SUBJECT, again', target: TWICE, measure: repeated(() => 'SEARCH SUBJECT "number 78"') },
  { what: 'SEARCH TEXT, first', target: TWICE, measure: once(() => 'SEARCH TEXT "needle 55"') },
  { what: 'SEARCH TEXT, again', target: TWICE, measure: once(() => 'SEARCH TEXT "needle 66"') },
  { what: 'APPEND one by one', target: EQUAL, measure: appends },
];

/**
 * IMAP commands on a large mailbox, one server after another in each case. All mail is put in by APPEND; each message has a subject,
 * a text of its own and an attachment.
 */
export async function benchImap(
  starts: readonly (() => Promise<ImapServer>)[],
  quick: boolean,
  say: (text: string) => void,
): Promise<{ readonly rows: readonly ImapRow[]; readonly versions: readonly string[] }> {
  const plan = quick ? QUICK : FULL;
  const servers: ImapServer[] = [];
  for (const start of starts) {
    const server = await start();
    const seconds = await fill(server, plan);
    say(`imap: ${server.name} has ${plan.messages} messages after ${seconds.toFixed(0)} s`);
    servers.push(server);
  }
  const rows: ImapRow[] = [];
  const measure = async ({ what, target, measure: run }: Case, unit: ImapRow['unit'] = 'ms'): Promise<void> => {
    const figures: Record<string, number> = {};
    for (const server of servers) {
      await settle(server);
      figures[server.name] = await run(server, plan);
    }
    rows.push({ what, unit, target, figures });
    say(`imap ${what}: ${Object.entries(figures).map(([name, figure]) => `${name} ${figure.toFixed(1)} ${unit}`).join(', ')}`);
  };
  await measure({ what: 'SELECT, cold', target: EQUAL, measure: async (server) => {
    await server.restart();
    await settle(server);
    return selects(server, 1);
  } });
  for (const one of CASES) await measure(one);
  await measure({ what: `mixed load, ${plan.clients} clients`, target: EQUAL, measure: mixed }, '/s');
  for (const server of servers) await server.stop();
  return { rows, versions: servers.map((server) => server.version) };
}

async function fill(server: ImapServer, plan: Plan): Promise<number> {
  const since = performance.now();
  const client = await openImap(server);
  for (let start = 0; start < plan.messages; start += AT_ONCE)
    await client.run(appendCommand('INBOX', Array.from({ length: AT_ONCE }, (_, i) => imapMessage(start + i))));
  client.close();
  for (let user = 2; user < server.users.length; user++) {
    const other = await openImap(server, user);
    await other.run(appendCommand('INBOX', Array.from({ length: AT_ONCE }, (_, i) => imapMessage(i))));
    other.close();
  }
  return (performance.now() - since) / 1000;
}

/** What people's programs do all day, each client on a connection of its own. @returns commands per second. */
async function mixed(server: ImapServer, plan: Plan): Promise<number> {
  const clients = await Promise.all(Array.from({ length: plan.clients }, (_, i) => openImap(server, 2 + (i % (server.users.length - 2)))));
  const end = performance.now() + plan.mixed;
  let commands = 0;
  const busy = async (client: ImapSocket, number: number): Promise<void> => {
    await client.run('SELECT INBOX');
    for (let step = number; performance.now() < end; step++) {
      const at = 1 + ((step * 7) % (AT_ONCE - 10));
      const round = [
        `FETCH ${at}:${at + 9} (UID FLAGS ENVELOPE)`, `FETCH ${at} (BODY.PEEK[])`, `STORE ${at} +FLAGS (\\Seen)`, 'NOOP', 'UID SEARCH UNSEEN',
        `STATUS INBOX (MESSAGES UNSEEN)`, `STORE ${at} -FLAGS (\\Seen)`,
      ];
      for (const command of round) await client.run(command);
      if (step % 10 === 0) await client.run(appendCommand('INBOX', [imapMessage(step)]));
      commands += round.length + (step % 10 === 0 ? 1 : 0);
    }
  };
  const since = performance.now();
  await Promise.all(clients.map(busy));
  const seconds = (performance.now() - since) / 1000;
  for (const client of clients) client.close();
  return commands / seconds;
}

const FILLER = `Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do. \r\n`.repeat(24);
const ATTACHMENT = 'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n'.repeat(12);

/** About 3 KB: a subject, addresses, a text part and an attachment, all with the message's number. */
export function imapMessage(number: number): Buffer {
  return Buffer.from(
    `Return-Path: <sender${number % 97}@far.test>\r\nReceived: from far.test (far.test [192.0.2.1]) by mail.x.test; Mon, 5 Jan 2026 09:00:00 +0900\r\n` +
      `Message-ID: <${number}.bench@far.test>\r\nDate: Mon, 5 Jan 2026 09:00:00 +0900\r\nFrom: Sender ${number % 97} <sender${number % 97}@far.test>\r\n` +
      `To: User <user@x.test>\r\nSubject: Report number ${number}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b${number}"\r\n\r\n` +
      `--b${number}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThis is needle ${number} in the hay.\r\n${FILLER}\r\n` +
      `--b${number}\r\nContent-Type: application/octet-stream; name="f${number}.bin"\r\nContent-Transfer-Encoding: base64\r\n` +
      `Content-Disposition: attachment; filename="f${number}.bin"\r\n\r\n${ATTACHMENT}\r\n--b${number}--\r\n`,
  );
}
