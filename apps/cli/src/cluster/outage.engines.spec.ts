import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import type { MessageInfo } from '@kiroku/infra/admin/messages.js';
import { type KafkaRig, startKafka } from '@kiroku/infra/rig/engines/kafka.js';
import { type S3Rig, startS3 } from '@kiroku/infra/rig/engines/s3.js';
import { SmtpClient, type SmtpReply } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, crlf, letter, ServerUnderTest } from '../e2e/harness.js';

const SECOND = 1_000;
/** ms for an answer to the end of data: longer than any that is allowed here. */
const ANSWER = 60 * SECOND;

let kafka: KafkaRig;
let s3: S3Rig;
const env: Record<string, string> = {};
const server = new ServerUnderTest(['ann', 'bob'], { env });

beforeAll(async () => {
  [kafka, s3] = await Promise.all([startKafka(), startS3()]);
  Object.assign(env, {
    KIROKU_EVENT_LOG: 'kafka', KIROKU_KAFKA_BROKERS: kafka.brokers.join(),
    KIROKU_OBJECT_STORE: 's3', KIROKU_S3_ENDPOINT: s3.endpoint, KIROKU_S3_BUCKET: 'bodies', KIROKU_S3_ACCESS_KEY: s3.accessKey, KIROKU_S3_SECRET_KEY: s3.secretKey,
  });
  await server.start();
}, 240 * SECOND);
afterAll(async () => {
  await server.remove();
  await Promise.all([kafka, s3].map((engine) => engine?.stop()));
}, 60 * SECOND);

/** One message to that user, and how long the answer to its end took, in ms. */
async function sent(user: string, token: string): Promise<SmtpReply & { readonly ms: number }> {
  const client = await SmtpClient.hello({ host: server.kiroku.host, port: server.kiroku.ports.smtp });
  for (const line of ['MAIL FROM:<stranger@outside.test>', `RCPT TO:<${addressOf(user)}>`, 'DATA']) expect((await client.command(line)).code).toBeLessThan(400);
  const began = performance.now();
  const reply = await client.sendData(crlf(letter(token, addressOf(user))), ANSWER);
  const ms = performance.now() - began;
  await client.quit();
  return { ...reply, ms };
}

async function deferred(user: string, token: string): Promise<number> {
  const { code, lines, ms } = await sent(user, token);
  expect(`${code} ${lines.join(' ')}`).toMatch(/^451 4\.3\.\d /);
  return ms;
}

const accepted = (user: string, token: string): Promise<boolean> => sent(user, token).then(({ code }) => code === 250);
const subjectsOf = async (user: string): Promise<string[]> => (await server.mailOf(user)).map((message) => /^Subject: (.*)\r$/m.exec(message.toString())?.[1] ?? '').sort();
/** Resolves when the server has recorded exactly so many messages to this user as accepted. */
const recorded = (user: string, count: number): Promise<boolean> =>
  until(`${count} messages to ${user} are recorded as accepted`, 30 * SECOND, async () => {
    const messages = JSON.parse(await server.kiroku.must('message', 'list', '--recipient', addressOf(user), '--json')) as MessageInfo[];
    return messages.filter(({ state }) => state !== 'refused').length === count;
  });

describe('a server whose S3 stops while it serves', () => {
  server.it('waits for it with the first message only, keeps nothing of what it defers, and accepts mail again by itself', async () => {
    expect(await accepted('ann', 'before')).toBe(true);
    await s3.kill();
    const first = await deferred('ann', 'away-1');
    const later = [await deferred('ann', 'away-2'), await deferred('ann', 'away-3')];
    console.info(`S3 away: told after ${Math.round(first)} ms, then ${later.map(Math.round).join(' and ')} ms`);
    expect(first).toBeGreaterThan(4 * SECOND);
    expect(first).toBeLessThan(10 * SECOND);
    for (const ms of later) expect(ms).toBeLessThan(1.5 * SECOND);
    await s3.start();
    await until('mail is accepted again', 20 * SECOND, () => accepted('ann', 'after'));
    await server.arrived('ann', 'Subject: after');
    expect(await subjectsOf('ann')).toEqual(['after', 'before']);
    await recorded('ann', 2);
  }, 120 * SECOND);
});

describe('a server whose Kafka stops while it serves', () => {
  server.it('waits for it with the first message only, keeps nothing of what it defers, and accepts mail again by itself', async () => {
    expect(await accepted('bob', 'before')).toBe(true);
    await kafka.kill();
    const first = await deferred('bob', 'away-1');
    const later = [await deferred('bob', 'away-2'), await deferred('bob', 'away-3')];
    console.info(`Kafka away: told after ${Math.round(first)} ms, then ${later.map(Math.round).join(' and ')} ms`);
    // As long as an election, or brokers that start again, may take.
    expect(first).toBeGreaterThan(20 * SECOND);
    expect(first).toBeLessThan(32 * SECOND);
    for (const ms of later) expect(ms).toBeLessThan(2.5 * SECOND);
    await kafka.start();
    await until('mail is accepted again', 30 * SECOND, () => accepted('bob', 'after'));
    await server.arrived('bob', 'Subject: after', 60 * SECOND);
    expect(await subjectsOf('bob')).toEqual(['after', 'before']);
    await recorded('bob', 2);
  }, 180 * SECOND);
});
