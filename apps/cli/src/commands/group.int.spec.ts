import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { GroupInfo } from '@kiroku/infra/admin/groups.js';
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

const kiroku = (...args: readonly string[]): Promise<Spoken> => command(api.env, args);
const must = async (...args: readonly string[]): Promise<string> => {
  const { code, out, err } = await kiroku(...args);
  expect({ args, code, err }).toEqual({ args, code: 0, err: '' });
  return out;
};

describe('kiroku group', () => {
  it('adds, lists, shows and renames', async () => {
    expect(await must('group', 'add', 'Staff@x.test', 'ann@x.test')).toBe('added: staff@x.test\n');
    expect(JSON.parse(await must('group', 'add', 'crew@x.test', '--json'))).toMatchObject({ name: 'crew@x.test', members: 0 });
    expect(await must('group', 'list')).toMatch(/^name +members +created\ncrew@x\.test +0 .*\nstaff@x\.test +1 .*\n$/);
    expect(await must('group', 'list', '--lang', 'ja')).toMatch(/^名前 +メンバー数 +作成\n/);
    expect((JSON.parse(await must('group', 'list', '--member', 'ann@x.test', '--json')) as GroupInfo[]).map((g) => g.name)).toEqual(['staff@x.test']);
    expect(await must('group', 'rename', 'crew@x.test', 'team@x.test')).toBe('renamed: crew@x.test → team@x.test\n');
    expect((JSON.parse(await must('group', 'list', '--domain', 'x.test', '--json')) as GroupInfo[]).map((g) => g.name)).toEqual(['staff@x.test', 'team@x.test']);
  });

  it('takes accounts in and out', async () => {
    expect(await must('group', 'join', 'team@x.test', 'ann@x.test', 'ben@x.test')).toBe('changed: team@x.test\n');
    expect(await must('group', 'show', 'team@x.test')).toMatch(/^address +full name +enabled\nann@x\.test +- +yes\nben@x\.test +- +yes\n$/);
    expect(JSON.parse(await must('group', 'leave', 'team@x.test', 'ben@x.test', '--json'))).toMatchObject({ members: 1 });
  });

  it('is who a mailbox is shared with', async () => {
    await must('mailbox', 'create', 'ann@x.test', 'Plans');
    await must('mailbox', 'create', 'ann@x.test', 'Hidden', '--no-subscribe');
    expect((JSON.parse(await must('mailbox', 'list', 'ann@x.test', '--json')) as MailboxInfo[]).map((m) => [m.name, m.subscribed])).toEqual([['Hidden', false], ['INBOX', false], ['Plans', true]]);
    expect(await must('mailbox', 'acl', 'set', 'ann@x.test', 'Plans', 'group:team@x.test', 'read')).toBe('shared: Plans: group:team@x.test lrs\n');
    expect(await must('mailbox', 'acl', 'list', 'ann@x.test', 'Plans')).toBe('who                rights\ngroup:team@x.test  lrs\n');
    expect(await must('group', 'delete', 'team@x.test', '--lang', 'ja')).toBe('削除しました: team@x.test\n');
    expect(await kiroku('mailbox', 'acl', 'list', 'ann@x.test', 'Plans')).toMatchObject({ code: 0, out: '' });
  });

  it('is in the record, and says why not', async () => {
    expect(await must('audit', '--about', 'staff@x.test')).toMatch(/added a group +staff@x\.test/);
    expect(await kiroku('group', 'show', 'team@x.test')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['no-such-group'].en}: team@x.test\n` });
    expect(await kiroku('group', 'add', 'staff@x.test', '--lang', 'ja')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['group-exists'].ja}: staff@x.test\n` });
    expect(await kiroku('domain', 'delete', 'x.test')).toMatchObject({ code: 1, err: expect.stringContaining(REASONS['not-empty'].en) });
    expect(await kiroku('group', 'join', 'staff@x.test')).toMatchObject({ code: 2 });
  });
});
