import { writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { haveSmtpSink } from '@kiroku/infra/rig/remote/smtp-sink.js';
import { benchAccept } from './accept.js';
import { haveDovecot } from './dovecot.js';
import { benchEndToEnd } from './e2e.js';
import { benchEngines } from './engines.js';
import { startKiroku, type KirokuUnderTest } from './kiroku-sut.js';
import { benchImap, type ImapRow } from './imap.js';
import { benchImapLarge } from './imap-large.js';
import { haveImapDovecot, startImapDovecot, startImapKiroku } from './imap-servers.js';
import { benchKafkaClients, kafkajs, platformatic } from './kafka-clients.js';
import { generator } from './load.js';
import { machine, watchSteal } from './machine.js';
import { benchMemory, type MemoryRow } from './memory.js';
import { parseOptions, USAGE, type Options } from './options.js';
import { benchOutbound, type OutboundResult } from './outbound.js';
import { startOutboundKiroku } from './outbound-kiroku.js';
import { startOutboundPostfix } from './outbound-postfix.js';
import { havePostfix, startPostfix } from './postfix.js';
import { benchReplay } from './replay.js';
import { report, type Results } from './report.js';
import { stopAll, type MailServer } from './sut.js';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const LONGEST = 40 * 60_000; // ms for everything: a benchmark that hangs must not hang the pipeline

async function main(options: Options): Promise<Results> {
  const about = machine();
  const stolen = watchSteal();
  const results: Omit<Results, 'machine'> = { versions: [], generator: generator(), quick: options.quick };
  const versions = new Set<string>();
  const inside = options.only.some((name) => name === 'accept' || name === 'e2e' || name === 'replay');
  const kiroku = options.peersOnly || !inside ? undefined : await startKiroku();
  const withPeer = async (deliverTo: 'discard' | 'dovecot', measure: (servers: MailServer[]) => Promise<void>): Promise<void> => {
    const peer = await startPeer(deliverTo);
    const servers = [peer, kiroku].filter((server) => server !== undefined);
    for (const server of servers) versions.add(server.version);
    if (servers.length) await measure(servers);
    await peer?.stop();
  };
  const { quick } = options;
  if (options.only.includes('accept')) {
    await withPeer('discard', async (servers) => void (results.accept = await benchAccept(servers, quick, say)));
  }
  if (options.only.includes('e2e')) {
    await withPeer('dovecot', async (servers) => void (results.e2e = await benchEndToEnd(servers, quick, say)));
  }
  if (options.only.includes('replay') && kiroku) results.replay = await benchReplay(kiroku, quick, say);
  await kiroku?.stop();
  if (options.only.includes('imap')) results.imap = await imap(options, versions);
  if (options.only.includes('imap-large') && !options.peersOnly) results.imapLarge = await benchImapLarge(startImapKiroku, options.quick, say);
  if (options.only.includes('outbound')) results.outbound = await outbound(options, versions);
  if (options.only.includes('engines') && !options.peersOnly) results.engines = await benchEngines(options.quick, say);
  if (options.only.includes('kafka-clients')) results.kafkaClients = await benchKafkaClients([kafkajs, platformatic], options.quick, say);
  if (options.only.includes('memory')) results.memory = await memoryOneByOne(options, versions);
  return { machine: { ...about, stolen: stolen() }, ...results, versions: [...versions].filter((name) => ![...versions].some((other) => other !== name && other.startsWith(name))) };
}

async function imap(options: Options, versions: Set<string>): Promise<readonly ImapRow[]> {
  if (!haveImapDovecot()) say('no peer for imap: Dovecot must be installed, and we root');
  const peers = haveImapDovecot() ? (['sdbox', 'maildir'] as const).map((format) => () => startImapDovecot(format)) : [];
  const { rows, versions: found } = await benchImap([...peers, ...(options.peersOnly ? [] : [startImapKiroku])], options.quick, say);
  for (const version of found) versions.add(version);
  return rows;
}

async function outbound(options: Options, versions: Set<string>): Promise<OutboundResult | undefined> {
  if (!haveSmtpSink()) {
    say('outbound needs smtp-sink, which comes with Postfix');
    return undefined;
  }
  const peers = havePostfix() ? [startOutboundPostfix] : [];
  const { versions: found, ...result } = await benchOutbound([...peers, ...(options.peersOnly ? [] : [startOutboundKiroku])], options.quick, say);
  for (const version of found) versions.add(version);
  return result;
}

/** Each server alone and fresh: caches warmed by the other benchmarks would count as its memory. */
async function memoryOneByOne(options: Options, versions: Set<string>): Promise<MemoryRow[]> {
  const rows: MemoryRow[] = [];
  const starts: (() => Promise<MailServer | KirokuUnderTest | undefined>)[] = [
    () => startPeer('discard'),
    async () => (options.peersOnly ? undefined : startKiroku()),
  ];
  for (const start of starts) {
    const server = await start();
    if (!server) continue;
    versions.add(server.version);
    rows.push(await benchMemory(server, options.quick, say));
    await server.stop();
  }
  return rows;
}

async function startPeer(deliverTo: 'discard' | 'dovecot'): Promise<MailServer | undefined> {
  if (havePostfix() && (deliverTo === 'discard' || haveDovecot())) return startPostfix(deliverTo);
  say(`no peer for ${deliverTo}: Postfix${deliverTo === 'dovecot' ? ' and Dovecot' : ''} must be installed, and we root`);
  return undefined;
}

async function stopAndLeave(code: number): Promise<never> {
  await stopAll();
  process.exit(code);
}

let options: Options;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  say(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  process.exit(2);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void stopAndLeave(130));
setTimeout(() => {
  say('the benchmark took too long and was ended');
  void stopAndLeave(1);
}, LONGEST).unref();

try {
  const results = await main(options);
  process.stdout.write(`\n${report(results)}\n`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
  await stopAndLeave(0);
} catch (error) {
  say(inspect(error));
  await stopAndLeave(1);
}
