import { printable } from '@kiroku/domain/story/words.js';
import type { QueueTotal } from '@kiroku/infra/admin/queue.js';
import { QUEUE_VERBS, type QueueChanged, type QueueLine, type QueueResult, type QueueVerb } from '@kiroku/infra/admin/queue-commands.js';
import { type Command, Option } from 'commander';
import { Failed, Refused } from '../client.js';
import { leaf, part, type Run } from '../command.js';
import { VERBS } from '../queue-words.js';
import { firstLine, type Terminal } from '../terminal.js';
import { REASONS, say } from '../texts.js';
import { type Filter, type FilterOptions, filterOf, isEmpty, withFilter } from './queue-filter.js';
import { progressOn, RowsRefused } from './transfer.js';

interface OrderOptions extends FilterOptions { reason: string; yes?: boolean; all?: boolean; dryRun?: boolean; quiet?: boolean; to?: string; usual?: boolean }
type Line = QueueLine | { readonly problem: { readonly reason: string; readonly instance: string } };

/** Commands that change the queue: on recipients of a message, or on all that fit. */
export function addQueueOrders(queue: Command, terminal: Terminal): void {
  for (const verb of QUEUE_VERBS) {
    const command = withFilter(
      leaf<readonly [string | undefined, readonly string[]], OrderOptions>(queue, terminal, `${verb} [id] [addresses...]`, VERBS[verb].about.en, (run, [id, addresses], options) =>
        order(run, verb, id, addresses, options))
        .requiredOption('--reason <text>', 'why: for the story'))
      .option('--all', 'everything in the queue').option('--dry-run', 'say what would be done and do nothing')
      .option('--yes', 'do not ask, however many it is about').option('--quiet', 'of many, tell only what was refused, and the sum');
    if (verb === 'priority') command.option('--to <number>', '-100 to 100, lower first; 0 is usual');
    if (verb === 'reroute') command.addOption(new Option('--to <host:port>', '[IPv6]:port; * at the end for implicit TLS').conflicts('usual')).option('--usual', 'as routing says, again');
  }
  leaf<readonly [string, string, string], { reason: string }>(
    queue, terminal, 'change <id> <address> <new-address>', 'put another address, of another server, in a recipient’s place', async (run, [id, address, to], { reason }) =>
      run.done('changed', `${address} → ${to}`, await run.api.post<QueueChanged>(`/queue/messages/${part(id)}/change`, { address, to, reason })))
    .requiredOption('--reason <text>', 'why: for the story');
}

async function order(run: Run, verb: QueueVerb, id: string | undefined, addresses: readonly string[], { reason, yes, all = false, dryRun = false, quiet = false, to, usual, ...options }: OrderOptions): Promise<void> {
  const filter = filterOf(options);
  if (id === undefined && isEmpty(filter) && !all) throw new Failed('noneMeant', [], true);
  const route = verb === 'reroute' ? (usual === true ? '' : to) : undefined;
  if (verb === 'reroute' && route === undefined) throw new Failed('noRoute', [], true);
  const priority = verb === 'priority' ? numberIn(to) : undefined;
  const body = { reason, ...(route !== undefined && { route }), ...(priority !== undefined && { priority }) };
  // A message by its queue id is one decision: all of it is done, or nothing.
  const direct = id !== undefined && !id.includes('@') && isEmpty(filter) && !dryRun;
  const asked = { ...filter, ...(id !== undefined && { messageId: id }) };
  if (!dryRun && yes !== true) await confirm(run, verb, addresses.length > 0 ? addresses.length : await run.api.get<QueueTotal>('/queue/count', { ...asked, for: verb, to: route, priority }));
  if (direct) return one(run, verb, await run.api.post<QueueChanged>(`/queue/messages/${part(id)}/${verb}`, { ...body, ...(addresses.length > 0 && { addresses }) }));
  const wishes: readonly Filter[] = addresses.length > 0 ? addresses.map((recipient) => ({ ...asked, recipient })) : [asked];
  let refused = 0;
  for (const wish of wishes) refused += await many(run, verb, { ...wish, all, dryRun }, body, quiet);
  if (refused > 0) throw new RowsRefused();
}

/** @throws Failed */
function numberIn(text: string | undefined): number {
  if (text === undefined || !/^[+-]?\d{1,3}$/.test(text)) throw new Failed('noPriority', [], true);
  return Number(text);
}

function one(run: Run, verb: QueueVerb, changed: QueueChanged): void {
  if (run.json) return run.value(changed);
  for (const address of changed.addresses) run.out(`${printable(`${changed.messageId} ${address}`)}: ${run.text(VERBS[verb].done)}\n`);
}

/** Asks before more than one recipient is changed. @throws Failed `confirmNeeded`, `declined` */
async function confirm({ terminal, language }: Run, verb: QueueVerb, about: number | QueueTotal): Promise<void> {
  const { recipients, messages } = typeof about === 'number' ? { recipients: about, messages: 1 } : about;
  if (recipients <= 1) return;
  if (!terminal.input.isTTY) throw new Failed('confirmNeeded', [recipients], true);
  let n = 0;
  terminal.errors.write(`${VERBS[verb].ask[language].replace(/\{\}/g, () => String([recipients, messages][n++]))} [y/N] `);
  if (!/^(y|yes|はい)$/i.test(((await firstLine(terminal)) ?? '').trim())) throw new Failed('declined');
}

/** @returns how many were refused; each has been told. */
async function many(run: Run, verb: QueueVerb, query: Parameters<typeof run.api.lines>[2], body: object, quiet: boolean): Promise<number> {
  const progress = progressOn(run, 'recipientsDone');
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  let refused: number | undefined;
  try {
    for await (const text of run.api.lines('POST', `/queue/${verb}`, query, { type: 'application/json', bytes })) {
      const line = JSON.parse(text) as Line;
      if ('problem' in line) throw new Refused(line.problem.reason, line.problem.instance, 500);
      if ('total' in line && 'done' in line) progress.show(line.done, line.total);
      else if (run.json) run.value(line);
      else if ('result' in line && !(quiet && line.result !== 'refused')) run.out(wordsOf(run, verb, line));
      if ('summary' in line) {
        progress.end();
        const { total, done, refused: no, dryRun } = line.summary;
        refused = no;
        if (!run.json) run.out(`${say(run.language, dryRun ? 'queueSummaryDry' : 'queueSummary', total, done, no)}\n`);
      }
    }
  } finally {
    progress.end();
  }
  if (refused === undefined) throw new Failed('brokeOff');
  return refused;
}

function wordsOf(run: Run, verb: QueueVerb, { messageId, address, result, reason }: QueueResult): string {
  const words = result === 'done' ? VERBS[verb].done : result === 'would' ? VERBS[verb].would : REASONS[reason ?? 'internal'];
  return `${printable(`${messageId} ${address}`)}: ${run.text(words)}\n`;
}
