import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import type { MessageInfo } from '@kiroku/infra/admin/messages.js';
import { type ReplicaRig, startReplica } from '@kiroku/infra/postgres/replica-testing.js';
import { type PostgresRig, startPostgresServer } from '@kiroku/infra/rig/engines/postgres.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, crlf, letter, ServerUnderTest } from './harness.js';

const SECOND = 1_000;
/** s that reports may be behind: longer than it takes to send a message and look at it. */
const LAG = 20;

let primary: PostgresRig;
let replica: ReplicaRig;
const env: Record<string, string> = {};
const server = new ServerUnderTest(['ann'], { env });

beforeAll(async () => {
  primary = await startPostgresServer();
  replica = await startReplica(primary);
  Object.assign(env, { KIROKU_POSTGRES_URL: primary.url, KIROKU_POSTGRES_REPLICA_URL: replica.url, KIROKU_POSTGRES_REPLICA_LAG: `${LAG}` });
  await server.start();
}, 180 * SECOND);
afterAll(async () => {
  await server.remove();
  await replica?.remove();
  await primary?.stop();
}, 60 * SECOND);

/** One message, in the mailbox when it resolves. */
async function arrives(token: string): Promise<void> {
  const client = await SmtpClient.hello({ port: server.kiroku.ports.smtp });
  expect((await client.send('stranger@outside.test', [addressOf('ann')], crlf(letter(token, addressOf('ann'))))).code).toBe(250);
  await client.quit();
  await server.arrived('ann', `Subject: ${token}`);
}

/** Header Message-IDs of what the report lists, the oldest first. */
async function listed(): Promise<string[]> {
  const messages = JSON.parse(await server.kiroku.must('message', 'list', '--json')) as MessageInfo[];
  return messages.map(({ headerMessageId }) => headerMessageId?.replace('@client.test', '') ?? '').reverse();
}
const lists = (...tokens: readonly string[]): Promise<boolean> =>
  until(`the report lists ${tokens.join(', ')}`, 30 * SECOND, async () => {
    const found = await listed();
    if (found.join() === tokens.join()) return true;
    throw new Error(found.join());
  });
/** What health says about the replica, as a line for people. */
const warned = async (): Promise<string> => (await server.kiroku.cli('health')).stdout.split('\n').filter((line) => line.includes('replica')).join();
const says = (words: RegExp): Promise<boolean> => until(`health says ${words}`, 60 * SECOND, async () => words.test(await warned()));
const primaryHas = (token: string): Promise<boolean> => until('the primary has it', 30 * SECOND, async () => (await server.kiroku.must('story', `${token}@client.test`)).includes('stranger@outside.test'));

describe('a server whose reports are read at a replica', () => {
  server.it('reads them there, however old within what is allowed', async () => {
    await arrives('first');
    await lists('first');
    await says(/^$/);
    await replica.pause();
    await arrives('second');
    await primaryHas('second');
    // Only the replica does not know it.
    expect(await listed()).toEqual(['first']);
  }, 90 * SECOND);

  server.it('reads them at the primary when the replica lags, says so, and goes back to the replica by itself', async () => {
    await says(/the replica is \d+ s behind, and the primary answers reports/);
    expect(await listed()).toEqual(['first', 'second']);
    await replica.resume();
    await says(/^$/);
    await replica.pause();
    await arrives('third');
    await primaryHas('third');
    expect(await listed()).toEqual(['first', 'second']);
    await replica.resume();
    await lists('first', 'second', 'third');
  }, 120 * SECOND);

  server.it('reads them at the primary when the replica is gone, also through a restart, and goes back to it by itself', async () => {
    await replica.stop();
    expect(await listed()).toEqual(['first', 'second', 'third']);
    await says(/the replica is away, and the primary answers reports/);
    await server.kiroku.stop();
    await server.kiroku.up();
    await arrives('fourth');
    await lists('first', 'second', 'third', 'fourth');
    await says(/the replica is away/);
    await replica.start();
    await says(/^$/);
    await replica.pause();
    await arrives('fifth');
    await primaryHas('fifth');
    expect(await listed()).toEqual(['first', 'second', 'third', 'fourth']);
    await replica.resume();
  }, 150 * SECOND);
});
