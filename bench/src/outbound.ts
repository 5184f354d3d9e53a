import { cpuSecondsOfTree } from '@kiroku/infra/rig/processes.js';
import { Elsewhere } from '@kiroku/infra/rig/remote/elsewhere.js';
import { startSmtpSink, type SmtpSink } from '@kiroku/infra/rig/remote/smtp-sink.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { send } from './load.js';
import { arrivals, watchMemory, type Peak } from './outbound-measure.js';
import { spread } from './outbound-load.js';
import type { OutboundServer } from './outbound-sut.js';
import { median, settle } from './settle.js';
import { stopAtEnd } from './sut.js';

/** One server in one case. */
export interface OutboundFigure {
  /** Median messages per second that arrived, from the first to the last. */
  readonly rate: number;
  /** Processor seconds of all of its processes per 1,000 messages, receiving included. */
  readonly cpu: number;
  /** Peaks, in bytes of PSS: of all processes, and of those that hold the queue. */
  readonly memory: Peak;
}

export interface OutboundRow {
  readonly what: string;
  readonly figures: Readonly<Record<string, OutboundFigure>>;
}

export interface OutboundResult {
  readonly rows: readonly OutboundRow[];
  /** Recipients that waited in the last case, by server; in the case before it, a fifth of them. */
  readonly waiting: Readonly<Record<string, number>>;
}

interface Plan {
  /** Seconds that a round is to last. */
  readonly seconds: number;
  readonly rounds: number;
  /** Messages to nowhere in the end, and recipients of each. */
  readonly stuck: number;
  readonly recipients: number;
}
const FULL: Plan = { seconds: 5, rounds: 2, stuck: 10_000, recipients: 10 };
const QUICK: Plan = { seconds: 1.5, rounds: 1, stuck: 1_000, recipients: 10 };

const CONNECTIONS = 50;
const SIZE = 3 * 1024;
const domains = (count: number, letter: string): string[] => Array.from({ length: count }, (_, i) => `${letter}${i}.test`);
const THOUSAND = domains(1_000, 'd');
/** 5 % of the destinations answer 450 to every recipient. */
const GREY = domains(50, 'g');
const DEAD = domains(100, 'dead');

/** A case: how so many messages are given to the server, of which `good` say how many will arrive. */
interface Case {
  readonly what: string;
  readonly load: (server: OutboundServer, messages: number) => Promise<unknown>;
  readonly good: (messages: number) => number;
}

const toOne: Case['load'] = (server, messages) =>
  send({ port: server.smtpPort, recipient: 'user@one.test', messages, connections: CONNECTIONS, size: SIZE, keep: true });
const toMany = (names: readonly string[]): Case['load'] => (server, messages) =>
  spread({ port: server.smtpPort, domains: names, messages, connections: CONNECTIONS, recipients: 1, size: SIZE });

const MIXED = Array.from({ length: 1_000 }, (_, i) => (i % 20 === 0 ? GREY[i / 20] : THOUSAND[i]) ?? '');

const ONE: Case = { what: 'one destination', load: toOne, good: (messages) => messages };
const MANY: Case = { what: '1,000 destinations', load: toMany(THOUSAND), good: (messages) => messages };
const DEFERRED: Case = { what: '1,000 destinations, 5 % deferred', load: toMany(MIXED), good: (messages) => messages - Math.ceil(messages / 20) };

/**
 * Mail from smtp-source (to one destination) or from a generator of our own (to many), over 50 kept connections from a trusted
 * address, through the server, to smtp-sink: a server sends while it still receives, as in life. MX and addresses of all
 * destinations come from one DNS server for both. Servers take turns; each gets as long as the other, not as much.
 */
export async function benchOutbound(
  start: readonly ((elsewhere: Elsewhere) => Promise<OutboundServer>)[],
  quick: boolean,
  say: (text: string) => void,
): Promise<OutboundResult & { readonly versions: readonly string[] }> {
  const plan = quick ? QUICK : FULL;
  const elsewhere = await Elsewhere.start({ usualDns: process.getuid?.() === 0 });
  const world = stopAtEnd(() => elsewhere.stop());
  const sink = await sinkFor(elsewhere, ['one.test', ...THOUSAND], false);
  const grey = await sinkFor(elsewhere, GREY, true);
  elsewhere.route(elsewhere.nextHost(), ...DEAD); // nobody listens there
  const servers: OutboundServer[] = [];
  for (const one of start) {
    const server = await one(elsewhere);
    await sendsOn(server, sink);
    servers.push(server);
  }
  const rows: OutboundRow[] = [];
  const measure = async (which: Case, what = which.what): Promise<void> => {
    const figures = await inTurns(servers, which, plan, sink);
    rows.push({ what, figures });
    say(`outbound ${what}: ${Object.entries(figures).map(([name, f]) => `${name} ${Math.round(f.rate)}/s`).join(', ')}`);
  };
  await measure(MANY);
  await measure(DEFERRED);
  await measure(ONE);
  // The same case with a long queue and one five times as long: what holds the queue must not have grown meanwhile.
  const waiting: Record<string, number> = {};
  for (const messages of [plan.stuck / 5, plan.stuck - plan.stuck / 5]) {
    for (const server of servers) waiting[server.name] = (waiting[server.name] ?? 0) + (await fill(server, messages, plan.recipients));
    await measure(ONE, `one destination, ${Math.max(...Object.values(waiting)).toLocaleString('en')} waiting`);
  }
  for (const server of [...servers, sink, grey]) await server.stop();
  await world();
  return { rows, waiting, versions: servers.map((server) => server.version) };
}

async function sinkFor(elsewhere: Elsewhere, names: readonly string[], defers: boolean): Promise<SmtpSink> {
  const host = elsewhere.nextHost();
  const sink = await startSmtpSink({ host, port: elsewhere.port, ...(defers && { defers: ['RCPT'] }) });
  elsewhere.route(host, ...names);
  return { ...sink, stop: stopAtEnd(() => sink.stop()) };
}

/** Waits until what was set is in force everywhere: a message without a sender, so that nobody hears of it, gets through. */
async function sendsOn(server: OutboundServer, sink: SmtpSink): Promise<void> {
  await until(`${server.name} sends mail on`, 30_000, async () => {
    const before = sink.count();
    const client = await SmtpClient.hello({ port: server.smtpPort });
    await client.send('', ['user@one.test'], Buffer.from('Subject: probe\r\n\r\n'));
    await client.quit();
    return until('it arrives', 1_000, () => sink.count() > before).catch(() => false);
  });
}

async function inTurns(servers: readonly OutboundServer[], which: Case, plan: Plan, sink: SmtpSink): Promise<Record<string, OutboundFigure>> {
  const found = new Map(servers.map((server) => [server.name, [] as OutboundFigure[]]));
  const counts = new Map<string, number>();
  for (const server of servers) counts.set(server.name, await calibrate(server, which, plan, sink));
  for (let round = 0; round < plan.rounds; round++)
    for (const server of servers) found.get(server.name)?.push(await flow(server, which, counts.get(server.name) ?? 1, sink));
  return Object.fromEntries([...found].map(([name, all]) => [name, overall(all)]));
}

const overall = (all: readonly OutboundFigure[]): OutboundFigure => ({
  rate: median(all.map((figure) => figure.rate)),
  cpu: median(all.map((figure) => figure.cpu)),
  memory: { all: Math.max(...all.map((f) => f.memory.all)), queue: Math.max(...all.map((f) => f.memory.queue)) },
});

/** How many messages fill about that many seconds; also warms up what is started on demand. */
async function calibrate(server: OutboundServer, which: Case, { seconds }: Plan, sink: SmtpSink): Promise<number> {
  const { rate: trial } = await flow(server, which, 300, sink);
  const { rate } = await flow(server, which, Math.min(2_000, Math.max(300, Math.ceil(trial * 0.7))), sink);
  return Math.ceil(rate * seconds);
}

/** One round, from the first to the last message that arrives. */
async function flow(server: OutboundServer, which: Case, messages: number, sink: SmtpSink): Promise<OutboundFigure> {
  await settle(server);
  const memory = watchMemory(server);
  const before = cpuSecondsOfTree(server.processes());
  try {
    const [rate] = await Promise.all([arrivals(sink, which.good(messages), server.name), which.load(server, messages)]);
    const cpu = ((cpuSecondsOfTree(server.processes()) - before) / messages) * 1_000;
    memory.look();
    return { rate, cpu, memory: memory.peak };
  } finally {
    memory.stop();
  }
}

/** Gives the server mail for servers that take no connection, until all of it waits for another try. */
async function fill(server: OutboundServer, messages: number, recipients: number): Promise<number> {
  const before = await server.waiting();
  await spread({ port: server.smtpPort, domains: DEAD, messages, connections: CONNECTIONS, recipients, size: SIZE });
  const wanted = before + messages;
  await until(`${wanted} messages wait in the queue of ${server.name}`, 120_000, async () => (await server.waiting()) >= wanted);
  return ((await server.waiting()) - before) * recipients;
}
