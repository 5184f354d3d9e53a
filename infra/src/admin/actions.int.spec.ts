import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { adminActions } from '@kiroku/domain/story/admin-actions.js';
import { buildNewViews } from '../read-model/new-views.js';
import { Rebuild } from '../read-model/rebuild.js';
import { type TestHistory, testHistory } from '../read-model/testing.js';
import { ActionQueries } from './actions.js';
import { PolicyAdmin } from './policy.js';

let h: TestHistory;
beforeAll(async () => {
  h = await testHistory();
  await buildNewViews(h.pool, h.log);
});
afterAll(() => h.close());

const ann = { actor: 'admin:ann', correlation: 'request-1' };
const subjects = async () => (await new ActionQueries(h.pool, h.store).list({ limit: 100 })).items.map((a) => [a.actor, a.type, a.subject]);

describe('the list of what administrators did', () => {
  it('is right at once, finds each event in its stream, and leaves out what the server does by itself', async () => {
    const commands = new DirectoryCommands(h.engine);
    await commands.addDomain('x.test', { accountLimit: 0 }, ann);
    const policy = new PolicyAdmin(h.pool, h.engine);
    for (const hops of [20, 21, 22]) await policy.change({ hops }, { ...ann, actor: hops === 21 ? 'system:test' : 'admin:bob' });
    expect(await subjects()).toEqual([['admin:bob', 'SettingsChanged', 'hops'], ['admin:bob', 'SettingsChanged', 'hops'], ['admin:ann', 'DomainAdded', 'x.test']]);
    const { items } = await new ActionQueries(h.pool, h.store).list({ limit: 100, actor: 'bob' });
    expect(items.map((a) => a.data)).toEqual([{ changes: { hops: 22 } }, { changes: { hops: 20 } }]);
  });

  it('is the same when it is built from the history, as an upgrade does', async () => {
    const before = await subjects();
    expect((await new Rebuild(h.log, h.pool, adminActions as unknown as Projection).verify()).differences).toEqual([]);
    await h.pool.query(`TRUNCATE view.admin_action_1; INSERT INTO ops.unbuilt_view VALUES ('admin_action_1')`);
    expect(await buildNewViews(h.pool, h.log)).toEqual(['admin_action_1']);
    expect(await subjects()).toEqual(before);
  });
});
