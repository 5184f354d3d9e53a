import { describe, type AcceptRow } from './accept.js';
import type { EndToEndRow } from './e2e.js';
import type { EnginesRow } from './engines.js';
import type { ImapRow } from './imap.js';
import type { ImapLargeResult } from './imap-large.js';
import type { KafkaClientRow } from './kafka-clients.js';
import type { Machine } from './machine.js';
import type { MemoryRow } from './memory.js';
import type { OutboundResult } from './outbound.js';
import type { ReplayRow } from './replay.js';

export interface Results {
  readonly machine: Machine;
  readonly versions: readonly string[];
  readonly generator: string;
  readonly quick: boolean;
  accept?: AcceptRow[];
  e2e?: EndToEndRow;
  imap?: readonly ImapRow[];
  imapLarge?: ImapLargeResult;
  outbound?: OutboundResult | undefined;
  replay?: ReplayRow[];
  memory?: MemoryRow[];
  engines?: EnginesRow[];
  kafkaClients?: KafkaClientRow[];
}

/** What Kiroku wants of itself. Ratios are to the peer in the same run; replay in events per second; memory in bytes of PSS; engines: to the embedded ones; growth by a long queue as a ratio. */
export const TARGETS = { accept: 4, e2e: 5, outbound: 2, growth: 1.25, replay: 50_000, memory: 500e6, engines: 0.6 } as const;

const MB = 1e6;
const perSecond = (rate: number | undefined): string => (rate === undefined ? '–' : `${Math.round(rate)} /s`);
const percent = (share: number): string => `${Math.round(share * 100)} %`;
const times = (ratio: number | undefined): string => (ratio === undefined ? '–' : `${ratio.toFixed(2)} ×`);
const verdict = (met: boolean | undefined): string => (met === undefined ? '–' : met ? 'met' : 'NOT MET');

const PEER = { accept: 'Postfix', e2e: 'Postfix → Dovecot' } as const;

const ratioOf = (rates: Readonly<Record<string, number>>, peer: string): number | undefined => {
  const [own, other] = [rates.Kiroku, rates[peer]];
  return own === undefined || other === undefined ? undefined : own / other;
};

const compared = (what: string, rates: Readonly<Record<string, number>>, peer: string, target?: number): string[] => {
  const ratio = ratioOf(rates, peer);
  const judged = target === undefined ? [] : [`≥ ${target} ×`, verdict(ratio === undefined ? undefined : ratio >= target)];
  return [what, perSecond(rates[peer]), perSecond(rates.Kiroku), times(ratio), ...judged];
};

/** The case that the target stands for: a busy server's senders, and the usual size. The others are told without one. */
const isTarget = ({ size, connections, keep }: AcceptRow): boolean => size === 3 * 1024 && connections === 50 && keep;

/** The results as text for people: the machine, then a table for each benchmark. */
export function report(results: Results): string {
  const { machine } = results;
  const sections = [
    `${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Node ${machine.node}; ` +
      `fdatasync ${machine.fsyncMs.toFixed(2)} ms in ${machine.folder}; load before ${machine.loadBefore}; the host took ${percent(machine.stolen)} of the processors' time meanwhile`,
    `${results.versions.join('; ')}; generator ${results.generator}${results.quick ? '; quick run: short and few rounds' : ''}`,
    acceptTable(results.accept),
    endToEndTable(results.e2e),
    imapTable(results.imap),
    imapLargeTable(results.imapLarge),
    outboundTables(results.outbound),
    replayTable(results.replay),
    memoryTable(results.memory),
    enginesTable(results.engines),
    kafkaClientsTable(results.kafkaClients),
  ];
  return `${sections.filter(Boolean).join('\n\n')}\n`;
}

function acceptTable(rows: readonly AcceptRow[] | undefined): string {
  if (!rows) return '';
  const lines = rows.map((row) => compared(describe(row), row.rates, PEER.accept, isTarget(row) ? TARGETS.accept : undefined));
  return table(['accepted per second', 'Postfix', 'Kiroku', 'ratio', 'target', ''], lines);
}

function endToEndTable(row: EndToEndRow | undefined): string {
  if (!row) return '';
  const what = `${row.messages} × 3 KB, 50 kept, 10 mailboxes`;
  const head = ['in the mailbox per second', 'Postfix → Dovecot', 'Kiroku', 'ratio', 'target', ''];
  return table(head, [compared(what, row.rates, PEER.e2e, TARGETS.e2e)]);
}

/** The peer is the fastest of the others in each case. */
function imapTable(rows: readonly ImapRow[] | undefined): string {
  if (!rows) return '';
  const names = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  const lines = rows.map(({ what, unit, target, figures }) => {
    const own = figures.Kiroku;
    const others = names.flatMap((name) => (name === 'Kiroku' ? [] : (figures[name] ?? [])));
    const best = unit === 'ms' ? Math.min(...others) : Math.max(...others);
    const ratio = own === undefined || others.length === 0 ? undefined : unit === 'ms' ? best / own : own / best;
    const cells = names.map((name) => (figures[name] === undefined ? '–' : `${figures[name].toFixed(unit === 'ms' ? 1 : 0)} ${unit}`));
    return [what, ...cells, times(ratio), `≥ ${target} ×`, verdict(ratio === undefined ? undefined : ratio >= target)];
  });
  return table(['IMAP', ...names, 'ratio', 'target', ''], lines);
}

function imapLargeTable(result: ImapLargeResult | undefined): string {
  if (!result) return '';
  const lines = result.rows.map(({ what, ms }) => [what, `${ms.toFixed(ms < 100 ? 1 : 0)} ms`]);
  return table(['IMAP, large', 'time'], [...lines, ['the most that the imap process held', `${Math.round(result.memory / MB)} MB`]]);
}

function outboundTables(result: OutboundResult | undefined): string {
  if (!result) return '';
  const rates = result.rows.map(({ what, figures }) =>
    compared(`${what}, 3 KB`, Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, figure.rate])), 'Postfix', TARGETS.outbound));
  const mb = (bytes: number): string => `${Math.round(bytes / MB)} MB`;
  const costs = result.rows.flatMap(({ what, figures }) =>
    Object.entries(figures).map(([name, { cpu, memory }]) => [`${name}, ${what}`, `${cpu.toFixed(2)} s`, mb(memory.queue), mb(memory.all)]));
  // The benchmark ends with the same case twice, with a long queue and with one five times as long.
  const [shorter, longer] = result.rows.slice(-2);
  const growths = Object.entries(longer?.figures ?? {}).map(([name, { memory }]) => {
    const before = shorter?.figures[name]?.memory.queue;
    const ratio = before === undefined ? undefined : memory.queue / before;
    const own = name === 'Kiroku';
    return [
      `${name}, ${(result.waiting[name] ?? 0).toLocaleString('en')} waiting`, before === undefined ? '–' : mb(before), mb(memory.queue), times(ratio),
      own ? `≤ ${TARGETS.growth} ×` : '', own ? verdict(ratio === undefined ? undefined : ratio <= TARGETS.growth) : '',
    ];
  });
  return [
    table(['sent on per second', 'Postfix', 'Kiroku', 'ratio', 'target', ''], rates),
    table(['cost of sending on', 'CPU per 1,000', 'PSS of the queue’s process', 'PSS of all'], costs),
    table(['the queue’s process', 'a fifth of that', 'memory', 'ratio', 'target', ''], growths),
  ].join('\n\n');
}

/** Fewer events say how long a rebuild takes to begin, not how fast it is. */
const TELLING = 20_000;

function replayTable(rows: readonly ReplayRow[] | undefined): string {
  if (!rows) return '';
  const lines = rows.map(({ view, events, seconds }) => {
    const rate = events / seconds;
    return [view, `${events}`, `${seconds.toFixed(2)} s`, perSecond(rate), `≥ ${TARGETS.replay} /s`, verdict(events < TELLING ? undefined : rate >= TARGETS.replay)];
  });
  return table(['view rebuilt', 'events', 'time', 'rate', 'target', ''], lines);
}

function memoryTable(rows: readonly MemoryRow[] | undefined): string {
  if (!rows) return '';
  const mb = (bytes: number): string => `${Math.round(bytes / MB)} MB`;
  const lines = rows.map((row) => [
    `${row.server}, ${row.senders} × ${mb(row.bytesEach)} at once, ${row.seconds.toFixed(0)} s`,
    `${row.processes}`,
    `${mb(row.idle.pss)} / ${mb(row.idle.rss)}`,
    `${mb(row.peak.pss)} / ${mb(row.peak.rss)}`,
    row.server === 'Kiroku' ? `PSS < ${mb(TARGETS.memory)}` : '',
    row.server === 'Kiroku' ? verdict(row.peak.pss < TARGETS.memory) : '',
  ]);
  return table(['memory of all processes', 'processes', 'idle PSS / RSS', 'peak PSS / RSS', 'target', ''], lines);
}

function enginesTable(rows: readonly EnginesRow[] | undefined): string {
  if (!rows) return '';
  const lines = rows.map(({ what, accept, e2e, ratio }) => [
    what, perSecond(accept.rate), percent(accept.busy), times(ratio?.accept), perSecond(e2e.rate), percent(e2e.busy), times(ratio?.e2e),
    ratio ? `≥ ${TARGETS.engines} ×` : '', ratio ? verdict(Math.min(ratio.accept, ratio.e2e) >= TARGETS.engines) : '',
  ]);
  const groups = [...new Set(rows.flatMap(({ accept }) => Object.keys(accept.cpu)))];
  const costs = rows.flatMap(({ what, ...kinds }) =>
    ([['accepted', kinds.accept], ['in the mailbox', kinds.e2e]] as const).map(([kind, { cpu, busy }]) => [
      `${what}: ${kind}`, `${Math.round(Object.values(cpu).reduce((sum, its) => sum + its, 0))} µs`,
      ...groups.map((group) => (cpu[group] === undefined ? '–' : `${Math.round(cpu[group])} µs`)), percent(busy),
    ]));
  return [
    table(['3 KB', 'accepted', 'busy', 'ratio', 'in the mailbox', 'busy', 'ratio', 'target', ''], lines),
    table(['processor time per message', 'all', ...groups, 'machine busy'], costs),
  ].join('\n\n');
}

function kafkaClientsTable(rows: readonly KafkaClientRow[] | undefined): string {
  if (!rows) return '';
  const lines = rows.map(({ client, work, size, batch, recordsPerSecond, p50, p99, cpuPerRecord }) => [
    `${client}, ${work} ${size / 1024} KB${batch > 0 ? ` × ${batch}` : ''}`, perSecond(recordsPerSecond),
    ...(work === 'produce' ? [`${p50.toFixed(1)} ms`, `${p99.toFixed(1)} ms`] : ['–', '–']), `${cpuPerRecord.toFixed(1)} µs`,
  ]);
  return table(['Kafka client', 'records', 'p50', 'p99', 'CPU per record'], lines);
}

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ').trimEnd();
  return [line(head), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
