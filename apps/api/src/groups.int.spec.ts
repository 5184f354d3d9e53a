import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Actions } from './administration-schemas.js';
import { Group, GroupMembers, Groups } from './group-schemas.js';
import { AccessList } from './mailbox-schemas.js';
import { type TestApi, testApi } from './testing/test-api.js';

let api: TestApi;
const PASSWORD = 'tanstaafl-tanstaafl';

beforeAll(async () => {
  api = await testApi();
  for (const name of ['x.test', 'y.test']) await ask('POST', '/domains', { name });
  for (const address of ['ann@x.test', 'ben@x.test', 'eve@y.test']) await ask('POST', '/accounts', { address, fullName: address.slice(0, 3), password: PASSWORD });
});
afterAll(() => api.close());

async function ask(method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: unknown }> {
  const answer = await fetch(`${api.url}/api/v1${path}`, {
    method, headers: { authorization: `Bearer ${api.token}`, 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: answer.status === 204 ? undefined : await answer.json() };
}
async function gives<T>(schema: { parse(value: unknown): T }, asked: ReturnType<typeof ask>, status = 200): Promise<T> {
  const answer = await asked;
  expect(answer).toMatchObject({ status });
  const value = schema.parse(answer.body);
  expect(answer.body).toEqual(value);
  return value;
}
const refused = async (asked: ReturnType<typeof ask>, status: number, reason: string): Promise<void> => {
  expect(await asked).toMatchObject({ status, body: { reason } });
};
const members = async (group: string) => (await gives(GroupMembers, ask('GET', `/groups/${group}/members`))).items;

describe('groups', () => {
  it('are added, with or without members', async () => {
    expect(await gives(Group, ask('POST', '/groups', { name: 'Staff@X.test', members: ['Ann@x.test', 'ben@x.test'] }), 201)).toMatchObject({ name: 'staff@x.test', domain: 'x.test', members: 2 });
    expect(await gives(Group, ask('POST', '/groups', { name: 'crew@y.test' }), 201)).toMatchObject({ members: 0 });
    expect(await members('staff@x.test')).toEqual([{ address: 'ann@x.test', fullName: 'ann', enabled: true }, { address: 'ben@x.test', fullName: 'ben', enabled: true }]);
  });

  it('are listed, of a domain or of an account, page by page', async () => {
    const names = async (query: string) => (await gives(Groups, ask('GET', `/groups${query}`))).items.map((g) => g.name);
    expect(await names('')).toEqual(['crew@y.test', 'staff@x.test']);
    expect(await names('?domain=y.test')).toEqual(['crew@y.test']);
    expect(await names('?member=ben@x.test')).toEqual(['staff@x.test']);
    const { next } = await gives(Groups, ask('GET', '/groups?limit=1'));
    expect(await names(`?limit=1&after=${next}`)).toEqual(['staff@x.test']);
    const { next: second } = await gives(GroupMembers, ask('GET', '/groups/staff@x.test/members?limit=1'));
    expect((await gives(GroupMembers, ask('GET', `/groups/staff@x.test/members?limit=1&after=${second}`))).items.map((m) => m.address)).toEqual(['ben@x.test']);
  });

  it('take accounts of any domain in, and let them go', async () => {
    expect(await gives(Group, ask('PATCH', '/groups/staff@x.test/members', { add: ['eve@y.test', 'ann@x.test'], remove: ['ben@x.test'] }))).toMatchObject({ members: 2 });
    await ask('POST', '/accounts/eve@y.test/disable');
    expect((await members('staff@x.test')).map((m) => [m.address, m.enabled])).toEqual([['ann@x.test', true], ['eve@y.test', false]]);
    await ask('DELETE', '/accounts/eve@y.test');
    expect((await members('staff@x.test')).map((m) => m.address)).toEqual(['ann@x.test']);
    expect(await gives(Group, ask('GET', '/groups/staff@x.test'))).toMatchObject({ members: 1 });
  });

  it('stand in access lists by name, also from another domain, and follow a rename', async () => {
    await ask('POST', '/accounts/ann@x.test/mailboxes', { name: 'Plans' });
    await gives(AccessList, ask('PUT', '/accounts/ann@x.test/mailboxes/Plans/acl/group:crew@y.test', { rights: 'lr' }));
    await gives(AccessList, ask('PUT', '/accounts/ann@x.test/mailboxes/Plans/acl/-Group:Staff@x.test', { rights: 'w' }));
    await gives(Group, ask('POST', '/groups/staff@x.test/rename', { to: 'office@x.test' }));
    const { items } = await gives(AccessList, ask('GET', '/accounts/ann@x.test/mailboxes/Plans/acl'));
    expect(items).toEqual([{ who: '-group:office@x.test', rights: 'w' }, { who: 'group:crew@y.test', rights: 'lr' }]);
    expect((await gives(AccessList, ask('DELETE', '/accounts/ann@x.test/mailboxes/Plans/acl/-group:office@x.test'))).items).toHaveLength(1);
    await refused(ask('PUT', '/accounts/ann@x.test/mailboxes/Plans/acl/group:nobody@x.test', { rights: 'l' }), 422, 'unknown-identifier');
  });

  it('are refused with a reason', async () => {
    await refused(ask('POST', '/groups', { name: 'office@x.test' }), 409, 'group-exists');
    await refused(ask('POST', '/groups', { name: 'office' }), 422, 'bad-group');
    await refused(ask('POST', '/groups', { name: 'office@z.test' }), 404, 'no-such-domain');
    await refused(ask('POST', '/groups', { name: 'new@x.test', members: ['nobody@x.test'] }), 404, 'no-such-account');
    await refused(ask('POST', '/groups/office@x.test/rename', { to: 'office@y.test' }), 422, 'bad-group');
    await refused(ask('GET', '/groups/staff@x.test'), 404, 'no-such-group');
    await refused(ask('GET', '/groups/staff@x.test/members'), 404, 'no-such-group');
    await refused(ask('PATCH', '/groups/staff@x.test/members', { add: ['ann@x.test'] }), 404, 'no-such-group');
    await refused(ask('GET', '/groups?member=nobody@x.test'), 404, 'no-such-account');
    await refused(ask('PATCH', '/groups/office@x.test/members', { add: Array.from({ length: 1_001 }, (_, i) => `u${i}@x.test`) }), 400, 'bad-request');
    await refused(ask('DELETE', '/domains/y.test'), 409, 'not-empty');
  });

  it('are deleted, and are in the record', async () => {
    expect((await ask('DELETE', '/groups/crew@y.test')).status).toBe(204);
    await refused(ask('DELETE', '/groups/crew@y.test'), 404, 'no-such-group');
    expect((await ask('DELETE', '/domains/y.test')).status).toBe(204);
    const { items } = await gives(Actions, ask('GET', '/admin/actions?subject=staff@x.test'));
    expect(items.map((a) => a.type)).toEqual(['GroupMembersChanged', 'GroupMembersChanged', 'GroupMembersChanged', 'GroupAdded']);
    expect((await gives(Actions, ask('GET', '/admin/actions?type=GroupRenamed'))).items).toMatchObject([{ subject: 'office@x.test', data: { from: 'staff@x.test' } }]);
  });
});
