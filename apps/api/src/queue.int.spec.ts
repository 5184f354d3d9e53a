import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { QueueEvent } from '@kiroku/domain/delivery/queue-events.js';
import { BOB, CID, MESSAGE } from '@kiroku/domain/delivery/testing.js';
import { record } from '@kiroku/domain/kernel/execute.js';
import { base32 } from '@kiroku/infra/ids/ids.js';
import * as z from 'zod';
import { Problem } from './http/problem.js';
import * as schemas from './queue-schemas.js';
import { type TestApi, testApi } from './testing/test-api.js';

let api: TestApi;
beforeAll(async () => { api = await testApi(); });
afterAll(() => api.close());

interface Answer { readonly status: number; readonly body: unknown; readonly headers: Headers }

async function v1(method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(`${api.url}/api/v1/queue${path}`, {
    method, headers: { authorization: `Bearer ${api.token}`, ...(body !== undefined && { 'content-type': 'application/json' }) }, ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const type = answer.headers.get('content-type') ?? '';
  const lines = (): unknown => text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
  return { status: answer.status, headers: answer.headers, body: type.includes('ndjson') ? lines() : JSON.parse(text) };
}

/** The answer is what its schema says, with nothing more. */
async function gives<S extends z.ZodType>(schema: S, answer: Promise<Answer>): Promise<z.output<S>> {
  const { status, body } = await answer;
  expect({ status, body }).toMatchObject({ status: 200 });
  const parsed = schema.parse(body);
  expect(body).toEqual(parsed);
  return parsed;
}
async function refuses(reason: string, status: number, answer: Promise<Answer>): Promise<Problem> {
  const { body, status: was } = await answer;
  expect(body).toMatchObject({ reason, status });
  expect(was).toBe(status);
  return Problem.parse(body);
}

let count = 0;
async function queued(): Promise<string> {
  const messageId = `${base32(MESSAGE.acceptedAt, 9)}${String(++count).padStart(6, '0')}`;
  await append(messageId, { type: 'MessageQueued', data: { messageId, message: MESSAGE, recipients: [BOB, CID], priority: 0 } });
  return messageId;
}
async function append(messageId: string, event: QueueEvent): Promise<void> {
  const { engine } = api.platform;
  const { version } = await engine.store.read(messageStream(messageId));
  const events = record([event], engine, { actor: 'system:delivery', correlation: messageId }, {});
  await engine.store.append([{ stream: messageStream(messageId), expected: version, events }]);
}
const list = async (query = '') => (await gives(schemas.QueueItems, v1('GET', `?${query}`))).items;
const because = { reason: 'ticket 7' };

describe('the queue', () => {
  let id: string;
  beforeAll(async () => {
    id = await queued();
    const results = [{ address: BOB.address, outcome: 'deferred', cause: 'line', reply: '450 4.7.1 Later', phase: 'RCPT', nextAt: MESSAGE.acceptedAt + 1, why: 'line fault: try 1' }] as const;
    await append(id, { type: 'DeliveryAttempted', data: { messageId: id, host: 'mx.y.test', ip: '192.0.2.9', port: 25, route: 'mx', duration: 5, results } });
  });

  it('is listed, page by page, by any filter', async () => {
    const first = await gives(schemas.QueueItems, v1('GET', '?limit=1'));
    expect(first.items).toMatchObject([{ messageId: id, address: 'bob@y.test', recipient: 'sales@x.test', via: ['sales@x.test'], attempts: 1, lastReply: '450 4.7.1 Later', nextAt: MESSAGE.acceptedAt + 1 }]);
    expect(await list(`limit=1&after=${first.next}`)).toMatchObject([{ address: 'cid@z.test', attempts: 0, state: 'waiting' }]);
    expect(await list('destination=Z.test&sender=*@x.test&state=waiting&outcome=untried')).toHaveLength(1);
    expect(await list('reply=later&host=mx.y.test&attempts=1&recipient=sales@x.test&route=&since=2026-01-05&until=2026-01-06T00:00:00Z&nextBefore=2026-01-06&sort=next')).toHaveLength(1);
    expect(await list('sender=')).toEqual([]);
    await refuses('bad-request', 400, v1('GET', '?after=x'));
    await refuses('bad-request', 400, v1('GET', '?state=lost'));
    await refuses('bad-request', 400, v1('GET', '?subject=x'));
  });

  it('is counted, summed up and exported', async () => {
    expect(await gives(schemas.QueueTotal, v1('GET', '/count?destination=y.test'))).toMatchObject({ recipients: 1, messages: 1, bytes: MESSAGE.size });
    expect(await gives(schemas.QueueTotal, v1('GET', '/count?for=release'))).toMatchObject({ recipients: 0 });
    expect(await gives(schemas.QueueTotal, v1('GET', '/count?for=reroute&to=gw.test:25'))).toMatchObject({ recipients: 2 });
    expect(await gives(schemas.QueueSummary, v1('GET', '/summary?limit=1'))).toMatchObject({ total: { recipients: 2 }, destinations: [{ destination: 'y.test', lastReply: '450 4.7.1 Later' }], destinationCount: 2 });
    const exported = await gives(z.array(schemas.QueueItem), v1('GET', '/export?sender=ann@x.test'));
    expect(exported.map((i) => i.address)).toEqual(['bob@y.test', 'cid@z.test']);
  });

  it('tells of every attempt', async () => {
    const { items, events } = await gives(schemas.QueueStory, v1('GET', `/messages/${id}?address=bob@y.test`));
    expect([items.length, events.map((e) => e.type)]).toEqual([1, ['MessageQueued', 'DeliveryAttempted']]);
    expect((await gives(schemas.QueueStory, v1('GET', `/messages/${id.toLowerCase()}`))).items).toHaveLength(2);
    await refuses('no-such-message', 404, v1('GET', '/messages/NONE'));
    await refuses('unknown-recipient', 404, v1('GET', `/messages/${id}?address=dan@y.test`));
  });

  it('is changed message by message, in the name of who asks', async () => {
    const changed = (verb: string, body: object) => gives(schemas.QueueChanged, v1('POST', `/messages/${id}/${verb}`, { ...because, ...body }));
    expect(await changed('hold', { addresses: ['bob@y.test'] })).toEqual({ messageId: id, addresses: ['bob@y.test'] });
    expect(await changed('release', {})).toEqual({ messageId: id, addresses: ['bob@y.test'] });
    expect(await changed('reroute', { route: '[2001:db8::1]:465*' })).toMatchObject({ addresses: ['bob@y.test', 'cid@z.test'] });
    expect(await changed('retry', {})).toMatchObject({ addresses: ['bob@y.test', 'cid@z.test'] });
    expect(await changed('change', { address: 'cid@z.test', to: 'dan@z.test' })).toMatchObject({ addresses: ['dan@z.test'] });
    expect(await changed('bounce', { addresses: ['bob@y.test'] })).toMatchObject({ addresses: ['bob@y.test'] });
    expect(await changed('remove', {})).toMatchObject({ addresses: ['dan@z.test'] });
    const { events } = await api.platform.engine.store.read(messageStream(id));
    expect(events.slice(2).map((e) => e.actor)).toEqual(events.slice(2).map(() => 'admin:admin'));
    expect(events.slice(2).filter((e) => e.type !== 'NoticeOwed').every((e) => (e.data as { reason?: string }).reason === 'ticket 7')).toBe(true);
  });

  it('is changed for all that fit, with a line for each', async () => {
    const [a, b] = [await queued(), await queued()];
    const dry = await gives(z.array(schemas.QueueLine), v1('POST', '/hold?destination=y.test&dryRun=true', because));
    expect(dry).toEqual([
      { done: 0, total: 2 }, { messageId: a, address: 'bob@y.test', result: 'would' }, { messageId: b, address: 'bob@y.test', result: 'would' }, { done: 2, total: 2 },
      { summary: { total: 2, done: 2, refused: 0, dryRun: true } },
    ]);
    expect((await v1('POST', '/hold?destination=y.test', because)).body).toMatchObject([{}, { result: 'done' }, { result: 'done' }, {}, { summary: { done: 2, dryRun: false } }]);
    expect((await list('state=held')).map((i) => i.messageId)).toEqual([a, b]);
    expect((await v1('POST', '/remove?all=true', because)).body).toHaveLength(7);
    expect(await list()).toEqual([]);
  });

  it('refuses orders that say too little, by name', async () => {
    const other = await queued();
    await refuses('nothing-chosen', 400, v1('POST', '/remove', because));
    await refuses('bad-reason', 422, v1('POST', '/remove?all=true', { reason: '' }));
    await refuses('bad-request', 400, v1('POST', '/remove?all=true', {}));
    await refuses('bad-request', 400, v1('POST', '/destroy?all=true', because));
    await refuses('bad-route', 422, v1('POST', '/reroute?all=true', because));
    await refuses('bad-route', 422, v1('POST', `/messages/${other}/reroute`, { ...because, route: 'x:0' }));
    await refuses('bad-priority', 422, v1('POST', '/priority?all=true', because));
    await refuses('same-priority', 409, v1('POST', `/messages/${other}/priority`, { ...because, priority: 0 }));
    expect((await v1('POST', '/priority?destination=y.test', { ...because, priority: -5 })).body).toMatchObject([{}, { result: 'done' }, {}, { summary: { done: 1 } }]);
    expect((await list('destination=y.test')).map((i) => i.priority)).toEqual([-5]);
    await refuses('not-held', 409, v1('POST', `/messages/${other}/release`, because));
    await refuses('unknown-recipient', 404, v1('POST', `/messages/${other}/hold`, { ...because, addresses: ['none@y.test'] }));
    await refuses('already-a-recipient', 409, v1('POST', `/messages/${other}/change`, { ...because, address: 'bob@y.test', to: 'cid@z.test' }));
    await refuses('same-address', 409, v1('POST', `/messages/${other}/change`, { ...because, address: 'bob@y.test', to: 'bob@y.test' }));
    expect((await list()).length).toBe(2);
  });
});
