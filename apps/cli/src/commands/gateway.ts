import { readFile } from 'node:fs/promises';
import { decodeList } from '@kiroku/domain/directory/tsv-text.js';
import { isRow, LINE_ERRORS, type LineError, parseTable, printLine } from '@kiroku/domain/routing/gateway-table.js';
import type { Text } from '@kiroku/domain/story/texts.js';
import type { GatewayTableInfo, NumberedLine, RouteInfo, TableChanged } from '@kiroku/infra/admin/gateways.js';
import { Failed, Refused } from '../client.js';
import { type Adder, type Columns, leaf, onOff, part, type Run, wholeNumber } from '../command.js';
import { say } from '../texts.js';

const rowIn = (line: NumberedLine) => (isRow(line) ? line : undefined);
const COLUMNS: Columns<NumberedLine> = {
  line: (l) => l.line, target: (l) => rowIn(l)?.target ?? ('comment' in l ? l.comment : ''), senderCondition: (l) => rowIn(l)?.sender, gateway: (l) => rowIn(l)?.host,
  port: (l) => rowIn(l)?.port, implicitTls: (l) => rowIn(l)?.implicitTls, credentials: (l) => rowIn(l)?.credentials,
};

/** What the table's grammar says of a line, for people who read Japanese; the English is the grammar's own. */
const IN_JAPANESE: Readonly<Record<LineError, string>> = {
  fields: '書式は「宛先[|送信者],ゲートウェイ,ポート[*][,認証情報]」です',
  target: '宛先がドメイン・アドレス・ワイルドカードのいずれでもありません',
  sender: '送信者条件がドメイン・アドレス・ワイルドカードのいずれでもありません',
  gateway: 'ゲートウェイがホスト名・IPv4 アドレス・[IPv6 アドレス] のいずれでもありません',
  port: 'ポートが 1〜65535 ではありません(暗黙的 TLS は末尾に *)',
  credentials: '認証情報の名前が正しくありません',
  characters: '制御文字が含まれています',
  'too-long': '行が長すぎます(1000 文字まで)',
  'too-many': '行数が多すぎます(10000 行まで)',
  'too-large': '表が大きすぎます(200 万文字まで)',
};
const wordsFor = (run: Run, error: LineError): string => run.text({ en: LINE_ERRORS[error], ja: IN_JAPANESE[error] } satisfies Text);

interface Seen { revision?: number }
const REVISION = ['--revision <number>', 'refuse when the table is another one by now (see list --json)', wholeNumber] as const;
const at = (path: string, { revision }: Seen): string => `${path}${revision === undefined ? '' : `?revision=${revision}`}`;

interface RowOptions { sender?: string | false; gateway?: string; port?: string; credentials?: string | false; target?: string }

/** `465*` is a port with implicit TLS. @throws Failed */
function portOf(text: string): { readonly port: number; readonly implicitTls: boolean } {
  const [, digits, star] = /^([1-9]\d{0,4})(\*?)$/.exec(text) ?? [];
  if (digits === undefined) throw new Failed('badSetting', [text], true);
  return { port: Number(digits), implicitTls: star === '*' };
}

export const addGatewayCommands: Adder = (program, terminal) => {
  const gateway = program.command('gateway').description('where mail goes instead of to the MX of its domain: the first line that fits (gateway.dat)');
  leaf(gateway, terminal, 'list', 'show the table, with line numbers', async (run) => {
    const table = await run.api.get<GatewayTableInfo>('/gateways');
    if (run.json) return run.value(table);
    if (table.forwardAll) run.out(`${say(run.language, 'forwardAllOn')}\n`);
    await run.list(table.lines.filter((line) => isRow(line) || line.comment !== ''), COLUMNS);
  });
  leaf<readonly [string], Seen>(gateway, terminal, 'import <file>', 'replace the table by a file of lines target[|sender],gateway,port[*][,credentials]', (run, [file], seen) =>
    importTable(run, file, seen)).option(...REVISION);
  leaf(gateway, terminal, 'export', 'print the table as text that can be imported', async (run) => {
    let text = '';
    for await (const piece of run.api.stream('GET', '/gateways/table', {})) text += piece;
    if (run.json) run.value(text);
    else run.out(text);
  });
  leaf<readonly [string, string, string], RowOptions & Seen & { at?: number }>(
    gateway, terminal, 'add <target> <gateway> <port>', 'add a line; * in the target stands for any characters, 465* is implicit TLS', async (run, [target, host, port], options) => {
      const { sender, credentials, at: line } = options;
      const row = { target, host, ...portOf(port), ...(sender !== false && { sender }), ...(credentials !== false && { credentials }) };
      const changed = await run.api.post<TableChanged>(at('/gateways/lines', options), { ...row, at: line });
      run.done('lineAdded', String(line ?? changed.lines), changed);
    })
    .option('--sender <sender>', 'only for this envelope sender: domain or address, also with *, or <> for reports')
    .option('--credentials <name>', 'log in with these credentials').option('--at <line>', 'put it there, above the line that has this number', wholeNumber).option(...REVISION);
  leaf<readonly [string], RowOptions & Seen>(gateway, terminal, 'change <line>', 'change a part of a line', async (run, [line], options) => {
    const { target, sender, gateway: host, port, credentials } = options;
    const changes = { target, sender: sender === false ? null : sender, host, ...(port !== undefined && portOf(port)), credentials: credentials === false ? null : credentials };
    if (Object.values(changes).every((value) => value === undefined)) throw new Failed('nothingToChange', [], true);
    run.done('lineChanged', line, await run.api.patch<TableChanged>(at(`/gateways/lines/${part(line)}`, options), changes));
  })
    .option('--target <target>', 'recipient domain or address').option('--gateway <host>', 'name or IP address').option('--port <port>', '465* is implicit TLS')
    .option('--sender <sender>', 'only for this sender').option('--no-sender', 'for any sender')
    .option('--credentials <name>', 'log in with these').option('--no-credentials', 'without logging in').option(...REVISION);
  leaf<readonly [string], Seen>(gateway, terminal, 'remove <line>', 'remove a line', async (run, [line], seen) =>
    run.done('lineRemoved', line, await run.api.delete(`/gateways/lines/${part(line)}`, { revision: seen.revision }))).option(...REVISION);
  leaf<readonly [string, string], Seen>(gateway, terminal, 'move <line> <to>', 'give a line another number', async (run, [line, to], seen) =>
    run.done('lineMoved', `${line} → ${to}`, await run.api.post(at(`/gateways/lines/${part(line)}/move`, seen), { to: wholeNumber(to) }))).option(...REVISION);
  leaf<readonly [string], { sender?: string }>(gateway, terminal, 'test <address>', 'say where mail to an address would go, and why', async (run, [address], { sender }) =>
    tell(run, await run.api.get<RouteInfo>('/gateways/route', { address, sender }))).option('--sender <sender>', 'from this envelope sender; the null sender by default');
  leaf<readonly [string], Seen>(gateway, terminal, 'forward-all <on|off>', 'send mail for local domains to the gateways too', async (run, [wish], seen) => {
    const forwardAll = onOff(wish);
    run.done(forwardAll ? 'forwardAllOn' : 'forwardAllOff', '', await run.api.patch(at('/gateways', seen), { forwardAll }));
  }).option(...REVISION);
};

/** Looks at the lines here first: in the reader's language, and all of them. @throws Refused when one is wrong; the table stays. */
async function importTable(run: Run, file: string, { revision }: Seen): Promise<void> {
  const bytes = await readFile(file).catch(() => {
    throw new Failed('cannotRead', [file]);
  });
  const { errors } = parseTable(decodeList(bytes)?.text ?? '');
  for (const { line, error, detail } of errors)
    run.terminal.errors.write(`${say(run.language, 'lineAt', line, wordsFor(run, error))}${detail === '' ? '' : ` (${detail})`}\n`);
  if (errors.length > 0) throw new Refused('bad-table', undefined, 422);
  let answer = '';
  for await (const piece of run.api.stream('PUT', '/gateways/table', { revision }, { type: 'text/plain', bytes: new Uint8Array(bytes) })) answer += piece;
  const changed = JSON.parse(answer) as TableChanged;
  run.done('imported', String(changed.lines), changed);
}

/** The route in words, with the line as it stands in the table. */
async function tell(run: Run, info: RouteInfo): Promise<void> {
  if (run.json) return run.value(info);
  const { address, route, line, passedOver, forwardAll } = info;
  const words = (...[saying, ...about]: [Parameters<typeof say>[1], ...(string | number)[]]): void => run.out(`${say(run.language, saying, ...about)}\n`);
  if (route.kind === 'gateway') words('routeByLine', address, `${route.host.includes(':') ? `[${route.host}]` : route.host}:${route.port}`, line ?? 0);
  else if (route.kind === 'mx') words('routeByMx', address, route.domain);
  else words(forwardAll ? 'routeLocalUnmatched' : 'routeLocal', address);
  if (line !== undefined) {
    const { lines } = await run.api.get<GatewayTableInfo>('/gateways');
    const decisive = lines[line - 1];
    if (decisive) words('lineAt', line, printLine(decisive));
  }
  if (passedOver.length > 0) words('routePassedOver', passedOver.join(', '));
}
