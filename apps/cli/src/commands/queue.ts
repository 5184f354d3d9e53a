import { printable, tell } from '@kiroku/domain/story/words.js';
import { AGES, QUEUE_ORDERS, type QueuedFor, type QueueItem, type QueueSummary, type QueueTotal } from '@kiroku/infra/admin/queue.js';
import type { QueueStory } from '@kiroku/infra/admin/queue-story.js';
import { Option } from 'commander';
import type { Listed } from '../client.js';
import { type Adder, type Columns, leaf, part, type Run, wholeNumber } from '../command.js';
import { eventIn, stateOf, whyIn } from '../queue-words.js';
import { table } from '../terminal.js';
import { say, type Saying } from '../texts.js';
import { type FilterOptions, filterOf, withFilter } from './queue-filter.js';
import { addQueueOrders } from './queue-orders.js';

/** Characters of a reply in a list. */
const SHORT = 100;
const shorten = (text: string | null): string | null => (text !== null && text.length > SHORT ? `${text.slice(0, SHORT)}…` : text);
const senderOf = (item: QueueItem): string => (item.sender === '' && item.state !== 'unread' ? '<>' : item.sender);

const COLUMNS: Columns<QueueItem> = {
  queueId: (i) => i.messageId, acceptedAt: (i, run) => run.time(i.acceptedAt), size: (i) => i.size, sender: senderOf, address: (i) => i.address,
  state: (i, run) => stateOf(i, run.language), tries: (i) => i.attempts, nextTry: (i, run) => run.time(i.nextAt), lastReply: (i) => shorten(i.lastReply),
};
const DETAILS: Columns<QueueItem> = {
  queueId: (i) => i.messageId, address: (i) => i.address, envelopeRecipient: (i) => (i.recipient === i.address ? '' : i.recipient),
  via: (i) => i.via.join(' → '), sender: senderOf, sendsAs: (i) => i.envelopeSender, headerMessageId: (i) => i.headerMessageId, size: (i) => i.size, acceptedAt: (i, run) => run.time(i.acceptedAt),
  state: (i, run) => `${stateOf(i, run.language)}${i.sendingTo === null || i.sendingTo === '' ? '' : ` (${i.sendingTo})`}`, nextTry: (i, run) => run.time(i.nextAt),
  why: (i, run) => whyIn(run.language, i.why ?? ''), tries: (i) => i.attempts, lastTry: (i, run) => run.time(i.lastAt), host: (i) => i.lastHost,
  lastReply: (i) => i.lastReply, route: (i) => i.route, priority: (i) => i.priority || undefined,
};
const DESTINATIONS: Columns<QueuedFor> = {
  destination: (d) => d.destination, recipientCount: (d) => d.recipients, waiting: (d) => d.waiting, held: (d) => d.held, sending: (d) => d.sending,
  oldest: (d, run) => run.time(d.oldestAt), nextTry: (d, run) => run.time(d.nextAt), lastReply: (d) => shorten(d.lastReply),
};
const PAGE = 1_000;

export const addQueueCommands: Adder = (program, terminal) => {
  const queue = program.command('queue').description('mail that waits for other servers: see it, and decide about it');
  withFilter(
    leaf<readonly [], FilterOptions & { sort: string; limit: number }>(queue, terminal, 'list', 'list recipients that wait, oldest first', (run, _, options) => list(run, options))
      .addOption(new Option('--sort <order>', 'by the next try lists waiting ones only').choices(QUEUE_ORDERS).default('age'))
      .option('--limit <recipients>', 'so many', wholeNumber, 100));
  withFilter(
    leaf<readonly [], FilterOptions & { limit: number; ages?: boolean }>(queue, terminal, 'summary', 'the queue by destination, the fullest first', (run, _, options) => summarise(run, options))
      .option('--limit <destinations>', 'at most 1000', wholeNumber, 20)
      .option('--ages', 'how long recipients have been waiting, in minutes (as qshape)'));
  leaf<readonly [string, string | undefined], object>(queue, terminal, 'show <id> [address]', 'where the recipients of a message stand, and every attempt', async (run, [id, address]) =>
    show(run, await run.api.get<QueueStory>(`/queue/messages/${part(id)}`, { address })));
  withFilter(
    leaf<readonly [], FilterOptions>(queue, terminal, 'export', 'print recipients that wait, a line of JSON each', async (run, _, options) => {
      for await (const text of run.api.stream('GET', '/queue/export', filterOf(options))) run.out(text);
    }));
  addQueueOrders(queue, terminal);
};

async function list(run: Run, { sort, limit, ...options }: FilterOptions & { sort: string; limit: number }): Promise<void> {
  const filter = filterOf(options);
  const items: QueueItem[] = [];
  let after: string | undefined;
  do {
    const page: Listed<QueueItem> = await run.api.get('/queue', { ...filter, sort, after, limit: Math.max(1, Math.min(PAGE, limit - items.length)) });
    items.push(...page.items);
    after = page.next;
  } while (after !== undefined && items.length < limit);
  await run.list(items, COLUMNS);
  if (after !== undefined && !run.json) note(run, 'more');
}

async function summarise(run: Run, { limit, ages, ...options }: FilterOptions & { limit: number; ages?: boolean }): Promise<void> {
  const summary = await run.api.get<QueueSummary>('/queue/summary', { ...filterOf(options), limit });
  if (run.json) return run.value(summary);
  const { total, destinations, destinationCount } = summary;
  if (total.recipients === 0) return note(run, 'none');
  tellTotal(run, total);
  if (ages) run.out(agesOf(run, destinations));
  else await run.list(destinations, DESTINATIONS);
  if (destinationCount > destinations.length) note(run, 'queueMoreDestinations', destinationCount - destinations.length);
}

function tellTotal(run: Run, { recipients, messages, bytes, waiting, held, oldestAt, nextAt }: QueueTotal): void {
  run.out(`${say(run.language, 'queueTotal', recipients, messages, bytesIn(bytes), waiting, held)}\n`);
  run.out(`${say(run.language, 'queueOldest', run.time(oldestAt), run.time(nextAt) || '-')}\n`);
}

const note = ({ terminal, language }: Run, saying: Saying, ...about: readonly number[]): void => void terminal.errors.write(`${say(language, saying, ...about)}\n`);

/** 1,234 → 1.2 kB. */
function bytesIn(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let n = bytes;
  while (n >= 1_000 && units.length > 1) {
    n /= 1_000;
    units.shift();
  }
  return `${n === bytes ? n : n.toFixed(1)} ${units[0]}`;
}

/** Rows as `qshape` prints them. */
function agesOf(run: Run, destinations: readonly QueuedFor[]): string {
  const sums = AGES.map((_, i) => i).concat(AGES.length).map((i) => destinations.reduce((sum, d) => sum + (d.ages[i] ?? 0), 0));
  const row = (name: string, ages: readonly number[]): readonly string[] => [name, String(ages.reduce((a, b) => a + b, 0)), ...ages.map(String)];
  return table([run.heading('destination'), 'T', ...AGES.map(String), `${AGES.at(-1)}+`], [row('TOTAL', sums), ...destinations.map((d) => row(d.destination, d.ages))]);
}

async function show(run: Run, story: QueueStory): Promise<void> {
  if (run.json) return run.value(story);
  const { language, terminal } = run;
  const [first, ...others] = story.items;
  if (!first) run.out(`${say(language, 'queueGone', printable(story.messageId))}\n`);
  else if (others.length === 0) run.show(first, DETAILS);
  else await run.list(story.items, COLUMNS);
  run.out(`\n${tell(story.events.map((event) => eventIn(language, event)), { language, offset: terminal.offset }).join('\n')}\n`);
}
