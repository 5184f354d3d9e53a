import { TLS_MODES, TLS_VERSIONS, type TlsRow, type TlsTable } from '@kiroku/domain/tls-policy/row.js';
import type { TlsReport } from '@kiroku/domain/tls-policy/report.js';
import type { TlsDay } from '@kiroku/infra/admin/tls-reports.js';
import { type Command, Option } from 'commander';
import { Failed, type Listed } from '../client.js';
import { type Adder, type Columns, leaf, part, type Run, wholeNumber } from '../command.js';

const COLUMNS: Columns<TlsRow> = { peer: (r) => r.peer, tlsMode: (r) => r.mode, tlsMin: (r) => r.min, tlsMax: (r) => r.max, note: (r) => r.note };
const DAYS: Columns<TlsDay> = { day: (d) => d.day, domain: (d) => d.domain, tlsSuccessful: (d) => d.successful, tlsFailed: (d) => d.failed, tlsFailures: (d) => d.failures.join(', ') };
const PAGE = 1_000;
const BLOCKS: Columns<string> = { neverOffered: (block) => block };

interface Options { mode?: string; min?: string; max?: string; note?: string; before?: string; last?: boolean }
type Peer = readonly [string];

/** `-` takes a value away. */
const orNothing = (value: string | undefined): string | null | undefined => (value === '-' ? null : value);
const place = ({ before, last }: Options): string | null | undefined => (last === true ? null : before);

const withPlace = (command: Command): Command =>
  command.addOption(new Option('--before <peer>', 'stand in front of this row').conflicts('last')).option('--last', 'stand at the end');
const withDetails = (command: Command, none: string): Command =>
  withPlace(command
    .addOption(new Option('--min <version>', `oldest TLS version to offer${none}`).choices([...TLS_VERSIONS, ...(none ? ['-'] : [])]))
    .addOption(new Option('--max <version>', `newest TLS version to offer${none}`).choices([...TLS_VERSIONS, ...(none ? ['-'] : [])]))
    .option('--note <text>', `why${none}`));

export const addTlsPolicyCommands: Adder = (program, terminal) => {
  const tls = program.command('tls-policy').description('how connections to other servers are encrypted: the first row that fits a peer counts');
  leaf(tls, terminal, 'list', 'show the table in order, and the clients that are not offered STARTTLS', async (run) => {
    const table = await run.api.get<TlsTable>('/tls-policy');
    if (run.json) return run.value(table);
    await run.list(table.rows, COLUMNS);
    if (table.neverOffered.length > 0) await run.list(table.neverOffered, BLOCKS);
  });
  withDetails(
    leaf<readonly [string, string], Options>(tls, terminal, 'add <peer> <mode>', `add a row for a domain, host, *.domain, address, CIDR block or *; modes: ${TLS_MODES.join(', ')}`,
      async (run, [peer, mode], options) => {
        const { min, max, note } = options;
        run.done('added', peer, await run.api.post<TlsTable>('/tls-policy/rows', { peer, mode, min, max, note, before: place(options) }));
      }), '');
  withDetails(
    leaf<Peer, Options>(tls, terminal, 'change <peer>', 'change or move a row', async (run, [peer], options) => {
      const changes = { mode: options.mode, min: orNothing(options.min), max: orNothing(options.max), note: orNothing(options.note), before: place(options) };
      if (Object.values(changes).every((value) => value === undefined)) throw new Failed('nothingToChange', [], true);
      run.done('changed', peer, await run.api.patch<TlsTable>(`/tls-policy/rows/${part(peer)}`, changes));
    }), '; - for none').addOption(new Option('--mode <mode>', 'how to encrypt').choices(TLS_MODES));
  leaf<Peer, object>(tls, terminal, 'remove <peer>', 'remove a row', async (run, [peer]) =>
    run.done('withdrawn', peer, await run.api.delete<TlsTable>(`/tls-policy/rows/${part(peer)}`)));

  leaf<readonly [string | undefined, string | undefined], ReportOptions>(
    tls, terminal, 'report [domain] [day]', 'what was gathered about TLS with domains that want reports; with a day (2026-01-05, UTC): the report itself (RFC 8460)',
    async (run, [domain, day], options) => (domain === undefined || day === undefined ? days(run, domain, options) : report(run, domain, day)))
    .option('--since <day>', 'from that day on').option('--until <day>', 'up to that day').option('--limit <rows>', 'so many', wholeNumber, 100);

  for (const [verb, list, description] of [
    ['never-offer', 'add', 'offer no STARTTLS to these clients: addresses and CIDR blocks'],
    ['offer', 'remove', 'offer STARTTLS to these clients again'],
  ] as const)
    leaf<readonly [readonly string[]], object>(tls, terminal, `${verb} <blocks...>`, description, async (run, [blocks]) =>
      run.done('changed', blocks.join(', '), await run.api.patch<TlsTable>('/tls-policy/never-offered', { [list]: blocks })));
};

interface ReportOptions { since?: string; until?: string; limit: number }

async function days(run: Run, domain: string | undefined, { limit, since, until }: ReportOptions): Promise<void> {
  const items: TlsDay[] = [];
  let after: string | undefined;
  do {
    const page: Listed<TlsDay> = await run.api.get('/tls-policy/reports', { domain, since, until, after, limit: Math.max(1, Math.min(PAGE, limit - items.length)) });
    items.push(...page.items);
    after = page.next;
  } while (after !== undefined && items.length < limit);
  await run.list(items, DAYS);
}

/** As it would be sent: JSON, whatever was asked for. */
async function report(run: Run, domain: string, day: string): Promise<void> {
  const one = await run.api.get<TlsReport>(`/tls-policy/reports/${part(day)}/${part(domain)}`);
  if (run.json) run.value(one);
  else run.out(`${JSON.stringify(one, null, 2)}\n`);
}
