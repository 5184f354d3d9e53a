import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MailboxInfo } from '@kiroku/infra/admin/mailboxes.js';
import { type ApiProcess, command, type Spoken, startApi } from '../testing/api-process.js';
import { REASONS } from '../texts.js';

let api: ApiProcess;
beforeAll(async () => {
  api = await startApi();
  await command(api.env, ['domain', 'add', 'x.test']);
  for (const name of ['ann', 'ben']) await command(api.env, ['account', 'add', `${name}@x.test`, '--password', 'tanstaafl-tanstaafl']);
}, 60_000);
afterAll(() => api.stop());

const kiroku = (...args: readonly string[]): Promise<Spoken> => command(api.env, ['mailbox', ...args]);
const must = async (...args: readonly string[]): Promise<string> => {
  const { code, out, err } = await kiroku(...args);
  expect({ args, code, err }).toEqual({ args, code: 0, err: '' });
  return out;
};
const ANN = 'ann@x.test';

describe('kiroku mailbox', () => {
  it('creates, lists, renames and deletes', async () => {
    expect(await must('create', ANN, '仕事/2026', '--reason', 'a new year')).toBe('added: 仕事/2026\n');
    expect(JSON.parse(await must('create', ANN, 'Sent', '--special-use', 'sent', '--json'))).toMatchObject({ name: 'Sent', specialUse: ['\\Sent'] });
    expect(await must('rename', ANN, '仕事', 'Work')).toBe('renamed: 仕事 → Work\n');
    const rows = (await must('list', ANN)).split('\n').map((line) => line.split(/ {2,}/));
    expect(rows.map(([name, , , , , use]) => [name, use])).toEqual([['name', 'special use'], ['INBOX', '-'], ['Sent', '\\Sent'], ['Work', '-'], ['Work/2026', '-'], ['', undefined]]);
    expect(rows[0]).toEqual(['name', 'messages', 'unseen', 'used', 'UIDVALIDITY', 'special use', 'shared with']);
    expect((JSON.parse(await must('list', ANN, '--json')) as MailboxInfo[]).map((m) => m.uidValidity > 0)).toEqual(Array(4).fill(true));
    expect(await must('delete', ANN, 'Work/2026', '--lang', 'ja')).toBe('削除しました: Work/2026\n');
    expect(await must('list', ANN, '--lang', 'ja')).toMatch(/^名前 .*未読/);
  });

  it('shares by letters or words, and no longer', async () => {
    expect(await must('acl', 'set', ANN, 'Work', 'ben@x.test', 'read', '--reason', 'works with Ann')).toBe('shared: Work: ben@x.test lrs\n');
    expect(await must('acl', 'set', ANN, 'Work', 'anyone', 'l')).toBe('shared: Work: anyone l, ben@x.test lrs\n');
    expect(JSON.parse(await must('acl', 'set', ANN, 'Work', 'ben@x.test', 'write', '--json'))).toEqual([{ who: 'anyone', rights: 'l' }, { who: 'ben@x.test', rights: 'lrswipkxte' }]);
    expect(await must('acl', 'list', ANN, 'Work')).toBe('who         rights\nanyone      l\nben@x.test  lrswipkxte\n');
    expect(await must('acl', 'remove', ANN, 'Work', 'anyone')).toBe('no longer shared: Work: anyone\n');
    expect(await must('list', ANN)).toMatch(/Work .* ben@x\.test lrswipkxte\n/);
  });

  it('shows and empties the cache', async () => {
    expect(await must('cache', 'clear')).toBe('emptied: it fills itself again\n');
    expect(await must('cache', 'show')).toMatch(/^used +\d+\nbodies +0\nmissing +0\n$/);
    expect(JSON.parse(await must('cache', 'show', '--json'))).toMatchObject({ bodies: 0, missing: 0 });
  });

  it('is in the record', async () => {
    const { out } = await command(api.env, ['audit', '--about', ANN]);
    expect(out).toMatch(/changed who may use a mailbox +ann@x\.test +works with Ann\n/);
    expect(out).toMatch(/created a mailbox +ann@x\.test +a new year\n/);
  });

  it('ends with 1 and the reason when refused, in English or Japanese, and with 2 when written wrongly', async () => {
    expect(await kiroku('delete', ANN, 'None')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['no-such-mailbox'].en}: None\n` });
    expect(await kiroku('rename', ANN, 'INBOX', 'Old', '--lang', 'ja')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['inbox-stays'].ja}: INBOX\n` });
    expect(await kiroku('create', ANN, 'Sent')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['mailbox-exists'].en}: Sent\n` });
    expect(await kiroku('acl', 'set', ANN, 'Work', 'eve@x.test', 'read')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['unknown-identifier'].en}: eve@x.test\n` });
    expect(await kiroku('acl', 'set', ANN, 'Work', 'ben@x.test', 'reading')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['bad-rights'].en}: reading\n` });
    expect(await kiroku('list', 'eve@x.test')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['no-such-account'].en}: eve@x.test\n` });
    expect(await kiroku('create', ANN, 'a', '--special-use', 'all')).toMatchObject({ code: 2 });
    expect(await kiroku('acl', 'set', ANN, 'Work', 'ben@x.test')).toMatchObject({ code: 2 });
  });
});
