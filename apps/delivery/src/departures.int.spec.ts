import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import { expand, type Expansion } from '@kiroku/domain/delivery/expand.js';
import type { QueuedMessage } from '@kiroku/domain/delivery/queue-events.js';
import { parseTable } from '@kiroku/domain/routing/gateway-table.js';
import { RouteTable } from '@kiroku/domain/routing/route-table.js';
import { reverse } from '@kiroku/domain/srs/srs.js';
import { PostgresDirectory } from '@kiroku/infra/read-model/directory.js';
import { NINE, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { srsKeys } from '@kiroku/infra/srs/keys.js';
import { Departures } from './departures.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
const KEYS = srsKeys(Buffer.alloc(32, 7));
let h: TestHistory;
let directory: PostgresDirectory;

beforeAll(async () => {
  h = await testHistory();
  const commands = new DirectoryCommands(h.engine);
  await commands.addDomain('x.test', { accountLimit: 0 }, ORIGIN);
  await commands.addAccounts([{ accountId: h.engine.ids.uuid(), address: 'ann@x.test', fullName: '', smtp: true, pop3: true, imap: true, quota: 0, credentials: 'v1.sealed', reversible: false }], ORIGIN);
  await commands.addAlias('out@x.test', [{ address: 'far@y.test' }], ORIGIN);
  directory = new PostgresDirectory(h.pool, () => '+');
});
afterAll(() => h.close());

async function departing(recipients: readonly string[], message: Partial<QueuedMessage>, table = new RouteTable(), rewrites = true): Promise<Expansion> {
  const departures = new Departures({ directory, table: () => table, srs: KEYS, rewrites: () => rewrites, clock: { now: () => NINE } });
  const mail = {
    messageId: 'M1', recipients: recipients.map((address) => ({ address })),
    message: { sender: 'bob@z.test', sha256: 'ab'.repeat(32), size: 1, trace: '', body: '7BIT', smtputf8: false, requireTls: false, hops: 0, acceptedAt: NINE, ...message } as const,
  };
  const [expansion] = await departures.prepare([mail], await expand([recipients], (addresses) => directory.lookup(addresses)));
  return expansion as Expansion;
}

describe('mail that an alias sends on', () => {
  it('gets a sender of this server when a stranger wrote it, and reports find their way back', async () => {
    const { remote } = await departing(['out@x.test'], {});
    expect(remote).toMatchObject([{ address: 'far@y.test', sender: expect.stringMatching(/^SRS0=.*@x\.test$/) as unknown }]);
    expect(reverse(remote[0]?.sender ?? '', NINE, KEYS)).toEqual({ kind: 'address', address: 'bob@z.test' });
  });

  it.each([
    ['from one of ours', { sender: 'ann@x.test' }],
    ['from somebody who logged in', { login: 'ann@x.test' }],
    ['that is a notice', { sender: '' }],
  ])('keeps its sender when it is mail %s', async (_, message) => expect((await departing(['out@x.test'], message)).remote[0]?.sender).toBeUndefined());

  it('keeps its sender when SRS is off, behind a gateway, and when no alias is involved', async () => {
    const gateway = new RouteTable(parseTable('y.test,192.0.2.1,25\n').lines, false, 1);
    expect((await departing(['out@x.test'], {}, new RouteTable(), false)).remote[0]?.sender).toBeUndefined();
    expect((await departing(['out@x.test'], {}, gateway)).remote[0]?.sender).toBeUndefined();
    expect((await departing(['other@y.test'], {})).remote[0]?.sender).toBeUndefined();
  });

  it('is not sent on a second time when it comes back', async () => {
    const { remote, failures } = await departing(['out@x.test', 'other@y.test'], { deliveredTo: ['out@x.test'] });
    expect(remote.map((r) => r.address)).toEqual(['other@y.test']);
    expect(failures).toMatchObject([{ recipient: 'out@x.test', reason: 'loop' }]);
  });
});

describe('a gateway that takes all received mail', () => {
  const lines = parseTable('x.test,192.0.2.1,25\n').lines;

  it('gets what is for accounts here, which are only checked', async () => {
    const all = await departing(['ann@x.test'], {}, new RouteTable(lines, true, 1));
    expect(all).toMatchObject({ local: [], remote: [{ recipient: 'ann@x.test', address: 'ann@x.test', via: [] }] });
  });

  it('gets nothing of it as long as that is not switched on', async () => {
    const own = await departing(['ann@x.test'], {}, new RouteTable(lines, false, 1));
    expect(own.remote).toEqual([]);
    expect(own.local).toHaveLength(1);
  });
});
