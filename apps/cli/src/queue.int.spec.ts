import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { QueueEvent } from '@kiroku/domain/delivery/queue-events.js';
import { BOB, CID, MESSAGE } from '@kiroku/domain/delivery/testing.js';
import { record } from '@kiroku/domain/kernel/execute.js';
import type { QueueItem, QueueSummary } from '@kiroku/infra/admin/queue.js';
import type { QueueStory } from '@kiroku/infra/admin/queue-story.js';
import { base32 } from '@kiroku/infra/ids/ids.js';
import { openPlatform, type Platform } from '@kiroku/infra/platform/platform.js';
import { makeProgram, runProgram } from './program.js';
import { type ApiProcess, command, type Spoken, startApi } from './testing/api-process.js';
import { REASONS, SAYINGS } from './texts.js';

let api: ApiProcess;
let platform: Platform;
beforeAll(async () => {
  api = await startApi();
  platform = await openPlatform('delivery', { postgres: api.database });
  platform.logger.level = 'silent';
}, 60_000);
afterAll(async () => {
  await platform.close();
  await api.stop();
});

let count = 0;
async function queued(more: Partial<typeof MESSAGE> = {}): Promise<string> {
  const messageId = `${base32(MESSAGE.acceptedAt, 9)}${String(++count).padStart(6, '0')}`;
  await append(messageId, { type: 'MessageQueued', data: { messageId, message: { ...MESSAGE, ...more }, recipients: [BOB, CID], priority: 0 } });
  return messageId;
}
async function append(messageId: string, event: QueueEvent): Promise<void> {
  const { engine } = platform;
  const { version } = await engine.store.read(messageStream(messageId));
  const events = record([event], { ...engine, clock: { now: () => MESSAGE.acceptedAt + 1_000 } }, { actor: 'system:delivery', correlation: messageId }, {});
  await engine.store.append([{ stream: messageStream(messageId), expected: version, events }]);
}

const kiroku = (...args: readonly string[]): Promise<Spoken> => command(api.env, ['queue', ...args]);
const must = async (...args: readonly string[]): Promise<string> => {
  const { code, out, err } = await kiroku(...args);
  expect({ args, code, err }).toEqual({ args, code: 0, err: '' });
  return out;
};
const json = async <T>(...args: readonly string[]): Promise<T> => JSON.parse(await must(...args, '--json')) as T;
const held = async (): Promise<readonly string[]> => (await json<QueueItem[]>('list', '--state', 'held')).map((i) => i.address);
const WHY = ['--reason', 'ticket 7'] as const;

describe('kiroku queue', () => {
  let id: string;
  beforeAll(async () => {
    id = await queued();
    const reply = `450 4.7.1 Greylisted \x1b[2J${'x'.repeat(200)}`;
    const results = [{ address: BOB.address, outcome: 'deferred', cause: 'line', reply, phase: 'RCPT', nextAt: MESSAGE.acceptedAt + 121_000, why: 'line fault: try 1, next in 120 s, given up after 8 h' }] as const;
    const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', verified: 'no' } as const;
    await append(id, { type: 'DeliveryAttempted', data: { messageId: id, host: 'mx1.y.test', ip: '192.0.2.25', port: 25, route: 'mx', tls, duration: 345, results } });
  });

  it('lists what waits, by any filter, in English or Japanese', async () => {
    const [heading, bob, cid] = (await must('list')).split('\n').map((line) => line.split(/ {2,}/));
    expect(heading).toEqual(['queue id', 'accepted', 'size', 'sender', 'address', 'state', 'tries', 'next try', 'last reply']);
    expect(bob?.slice(0, 8)).toEqual([id, '2026-01-05T09:00:00.000+09:00', '1234', 'ann@x.test', 'bob@y.test', 'waiting', '1', '2026-01-05T09:02:01.000+09:00']);
    expect(bob?.[8]).toMatch(/^450 4\.7\.1 Greylisted \\u\{1b\}\[2Jx+…$/);
    expect(cid?.slice(4)).toEqual(['cid@z.test', 'waiting', '0', '2026-01-05T09:00:01.000+09:00', '-']);
    expect(await must('list', '--lang', 'ja', '--destination', 'y.test')).toMatch(/^キュー ID +受付.*\n.*待機/);
    for (const filter of ['--recipient sales@x.test', '--sender *@x.test --attempts 1', '--reply greylisted', '--host mx1.*', '--outcome deferred', '--older-than 30m --destination y.test',
      '--since 2026-01-05 --until 2026-01-06 --state waiting --destination *.test --outcome deferred', `--message ${id} --recipient bob@y.test`, '--sort next --next-before 1m --recipient bob@y.test'])
      expect([filter, (await json<QueueItem[]>('list', ...filter.split(' '))).map((i) => i.address)]).toEqual([filter, ['bob@y.test']]);
    expect(await kiroku('list', '--younger-than', '1h')).toEqual({ code: 0, out: '', err: 'none\n' });
    expect(await kiroku('list', '--limit', '1')).toMatchObject({ code: 0, err: `${SAYINGS.more.en}\n` });
    expect((await json<QueueItem[]>('list', '--limit', '1', '--sort', 'newest')).map((i) => i.address)).toEqual(['cid@z.test']);
    for (const wrong of [['list', '--state', 'lost'], ['list', '--older-than', 'yesterday'], ['list', '--since', 'x'], ['list', '--sort', 'size']]) expect([wrong, (await kiroku(...wrong)).code]).toEqual([wrong, 2]);
  });

  it('sums up by destination, also by age', async () => {
    const [total, oldest, heading, first] = (await must('summary')).split('\n');
    expect([total, oldest]).toEqual(['recipients 2 (messages 1, 1.2 kB): waiting 2, held 0', 'oldest: 2026-01-05T09:00:00.000+09:00; next try: 2026-01-05T09:00:01.000+09:00']);
    expect(heading?.split(/ {2,}/)).toEqual(['destination', 'recipients', 'waiting', 'held', 'sending', 'oldest', 'next try', 'last reply']);
    expect(first).toMatch(/^y\.test +1 +1 +0 +0 +2026-.* 450 4\.7\.1 Greylisted/);
    expect((await must('summary', '--ages')).split('\n').slice(2).map((line) => line.split(/ +/))).toEqual([
      ['destination', 'T', '5', '10', '20', '40', '80', '160', '320', '640', '1280', '1280+'], ['TOTAL', '2', ...Array<string>(9).fill('0'), '2'],
      ['y.test', '1', ...Array<string>(9).fill('0'), '1'], ['z.test', '1', ...Array<string>(9).fill('0'), '1'], ['']]);
    expect(await kiroku('summary', '--limit', '1')).toMatchObject({ err: '1 more destinations: see --limit\n' });
    expect(await json<QueueSummary>('summary')).toMatchObject({ total: { recipients: 2 }, destinationCount: 2 });
    expect(await kiroku('summary', '--state', 'held')).toEqual({ code: 0, out: '', err: 'none\n' });
  });

  it('shows every attempt with what the schedule made of it', async () => {
    const shown = await must('show', id, 'bob@y.test');
    for (const words of ['as accepted      sales@x.test\n', 'why              line fault: try 1, next in 120 s, given up after 8 h\n', 'Delivery attempted\n', 'server: mx1.y.test (192.0.2.25:25)',
      'TLS: TLSv1.3 TLS_AES_256_GCM_SHA384, certificate not verified', 'bob@y.test deferred (RCPT): 450 4.7.1 Greylisted \\u{1b}[2J', 'duration: 345 ms', 'by: system:delivery']) expect(shown).toContain(words);
    const japanese = await must('show', id, 'bob@y.test', '--lang', 'ja');
    for (const words of ['回線障害: 1 回目、次回は 120 秒後、8 時間で断念', '配送を試行', '証明書は未検証']) expect(japanese).toContain(words);
    expect(japanese).not.toContain('line fault');
    expect(await must('show', id)).toMatch(/^queue id .*\n.*bob@y\.test.*\n.*cid@z\.test/);
    expect((await json<QueueStory>('show', id)).events).toHaveLength(2);
    expect(await kiroku('show', 'NONE')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['no-such-message'].en}: NONE\n` });
  });

  it('is exported as lines of JSON', async () => {
    const lines = (await must('export', '--destination', 'z.test')).split('\n');
    expect([lines.length, JSON.parse(lines[0] ?? '')]).toMatchObject([2, { address: 'cid@z.test', state: 'waiting' }]);
  });

  it('takes orders about one message, and tells each recipient', async () => {
    expect(await must('hold', id, 'bob@y.test', ...WHY)).toBe(`${id} bob@y.test: held\n`);
    expect(await must('list', '--state', 'held', '--lang', 'ja')).toContain('保留');
    expect(await json('release', id, ...WHY)).toEqual({ messageId: id, addresses: ['bob@y.test'] });
    expect(await must('reroute', id, 'bob@y.test', '--to', 'gw.test:465*', ...WHY)).toBe(`${id} bob@y.test: rerouted\n`);
    expect(await must('reroute', id, 'bob@y.test', '--usual', ...WHY)).toBe(`${id} bob@y.test: rerouted\n`);
    expect(await must('priority', id, 'bob@y.test', '--to', '-10', ...WHY)).toBe(`${id} bob@y.test: priority changed\n`);
    expect(await must('show', id, 'bob@y.test')).toMatch(/priority +-10/);
    expect(await must('retry', id.toLowerCase(), 'BOB@y.test', ...WHY, '--lang', 'ja')).toBe(`${id} bob@y.test: 今すぐ再試行します\n`);
    expect(await must('change', id, 'cid@z.test', 'dan@z.test', ...WHY)).toBe('changed: cid@z.test → dan@z.test\n');
    expect(await command(api.env, ['domain', 'add', 'here.test'])).toMatchObject({ code: 0 });
    expect(await kiroku('change', id, 'dan@z.test', 'dan@here.test', ...WHY)).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['local-address'].en}: dan@here.test\n` });
    expect(await kiroku('release', id, 'dan@z.test', ...WHY)).toMatchObject({ code: 1, err: `kiroku: ${REASONS['not-held'].en}: dan@z.test\n` });
    expect(await kiroku('hold', id, 'none@z.test', ...WHY)).toMatchObject({ code: 1, err: `kiroku: ${REASONS['unknown-recipient'].en}: none@z.test\n` });
    expect(await kiroku('reroute', id, 'dan@z.test', '--to', 'nowhere', ...WHY)).toMatchObject({ code: 1, err: `kiroku: ${REASONS['bad-route'].en}: nowhere\n` });
    expect(await must('bounce', id, 'bob@y.test', ...WHY)).toBe(`${id} bob@y.test: bounced\n`);
    expect(await must('remove', id, ...WHY)).toBe(`${id} dan@z.test: removed\n`);
    expect(await must('show', id)).toMatch(/no recipient of this message is in the queue any more\n\n[^]*Removed from the queue by an administrator\n {4}address: dan@z\.test\n {4}reason: ticket 7\n {4}by: admin:admin\n/);
  });

  it('takes orders about many only when somebody says yes', async () => {
    const [a, b] = [await queued({ sender: 'eve@x.test' }), await queued({ sender: 'eve@x.test' })];
    const eve = ['--sender', 'eve@x.test'];
    expect(await kiroku('hold', ...eve, ...WHY)).toEqual({ code: 2, out: '', err: 'kiroku: that is about 4 recipients: say --yes, or look first with --dry-run\n' });
    expect(await kiroku('hold', a, ...WHY)).toMatchObject({ code: 2 });
    expect(await kiroku('hold', a, 'bob@y.test', '--dry-run', ...WHY)).toMatchObject({ code: 0, out: `${a} bob@y.test: would be held\ndry run, nothing changed. recipients 1: would be done 1, refused 0\n` });
    expect((await kiroku('hold', ...eve, '--dry-run', '--lang', 'ja', ...WHY)).out).toContain(`${b} cid@z.test: 保留予定\n試行のみ(変更なし)。宛先 4 件: 実行予定 4、拒否 0\n`);
    expect(await held()).toEqual([]);
    const { code, out, err } = await kiroku('hold', ...eve, '--yes', ...WHY);
    expect([code, out.split('\n').slice(-2), err]).toEqual([0, ['recipients 4: done 4, refused 0', ''], '4/4 recipients\n']);
    expect((await kiroku('release', '--destination', 'y.test', '--yes', '--quiet', ...WHY)).out).toBe('recipients 2: done 2, refused 0\n');
    expect((await kiroku('hold', a, '--state', 'waiting', '--json', ...WHY)).out.split('\n').map((line) => (line === '' ? {} : (JSON.parse(line) as object)))).toMatchObject([{ address: 'bob@y.test', result: 'done' }, { summary: { done: 1 } }, {}]);
    expect(await must('release', a, '--yes', ...WHY)).toBe(`${a} bob@y.test: released\n${a} cid@z.test: released\n`);
    for (const wrong of [['remove', ...WHY], ['hold', a], ['reroute', a, ...WHY], ['priority', a, ...WHY], ['priority', a, '--to', 'high', ...WHY], ['reroute', a, '--to', 'x:1', '--usual', ...WHY], ['change', a, 'bob@y.test', ...WHY]]) expect([wrong, (await kiroku(...wrong)).code]).toEqual([wrong, 2]);
    expect(await kiroku('hold', '--all', '--yes', '--reason', ' ')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['bad-reason'].en}\n` });
  });

  it('asks on a terminal, and shows how far it is', async () => {
    const ask = async (answer: string): Promise<Spoken> => {
      const errors = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: false });
      let [out, err] = ['', ''];
      errors.on('data', (text: string) => (err += text));
      const input = Object.assign(new PassThrough(), { isTTY: true });
      input.end(answer);
      const terminal = { env: api.env, input, output: { write: (text: string) => (out += text) }, errors, offset: () => 540 };
      const code = await runProgram(makeProgram(terminal), ['queue', 'remove', '--all', ...WHY], terminal);
      await new Promise((resolve) => setImmediate(resolve));
      return { code, out, err };
    };
    expect(await ask('n\n')).toEqual({ code: 1, out: '', err: 'Remove 4 recipients (messages: 2) without telling the senders? [y/N] kiroku: nothing was done\n' });
    expect(await ask('')).toMatchObject({ code: 1 });
    expect(await ask('y\n')).toMatchObject({ code: 0, err: 'Remove 4 recipients (messages: 2) without telling the senders? [y/N] 4/4 recipients\n' });
    expect(await json('list')).toEqual([]);
  });
});
