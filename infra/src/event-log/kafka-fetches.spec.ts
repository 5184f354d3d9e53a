import { describe, expect, it } from '@jest/globals';
import type { KafkaCluster } from './kafka-cluster.js';
import { KafkaFetches } from './kafka-fetches.js';
import type { KafkaRequest, Place } from './kafka-requests.js';
import { WireReader, WireWriter } from './kafka-wire.js';

/** A broker that answers each partition asked for with its name and offset, and remembers who was asked for together. */
function broker({ code = 0, leaveOut = -1 }: { readonly code?: number; readonly leaveOut?: number } = {}) {
  const asked: string[][] = [];
  const answer = (body: Buffer): Buffer => {
    const wire = new WireReader(body);
    wire.slice(4 + 4 + 4 + 4 + 1 + 4 + 4);
    const places = wire.array(() => {
      const topic = wire.string() ?? '';
      return wire.array(() => {
        const partition = wire.int32();
        wire.int32();
        const offset = wire.int64();
        wire.slice(8 + 4);
        return { topic, partition, offset };
      });
    }).flat();
    asked.push(places.map(({ topic, partition, offset }) => `${topic}/${partition}@${offset}`));
    const reply = new WireWriter().int32(0).int16(code).int32(0);
    const found = places.filter(({ partition }) => partition !== leaveOut);
    reply.array(found, ({ topic, partition, offset }) => {
      const text = Buffer.from(`${topic}/${partition}@${offset}`);
      reply.string(topic).int32(1).int32(partition).int16(0).int64(offset + 5).int64(0).int64(0).int32(-1).int32(-1).int32(text.length).bytes(text);
    });
    return reply.done();
  };
  const send = <T>(_: number, request: KafkaRequest<T>): Promise<T> => Promise.resolve(request.parse(new WireReader(answer(request.body))));
  return { asked, cluster: { send } as Pick<KafkaCluster, 'send'> };
}

const from = (place: Place, offset: number) => ({ ...place, offset, bytes: 1_000 });
const mail = (partition: number): Place => ({ topic: 'k.mail', partition });

describe('fetches from a broker', () => {
  it('share a request when they come together, and each gets its own', async () => {
    const { asked, cluster } = broker();
    const fetches = new KafkaFetches(cluster);
    const places = [mail(0), mail(3), { topic: 'k.session', partition: 0 }];
    const found = await Promise.all(places.map((place, n) => fetches.fetch(1, from(place, n))));
    expect(found.map(({ records, head }) => `${records.toString()} of ${head}`)).toEqual(['k.mail/0@0 of 5', 'k.mail/3@1 of 6', 'k.session/0@2 of 7']);
    expect(asked).toEqual([['k.mail/0@0', 'k.mail/3@1', 'k.session/0@2']]);
  });

  it('of one partition never stand in one request', async () => {
    const { asked, cluster } = broker();
    const fetches = new KafkaFetches(cluster);
    const found = await Promise.all([fetches.fetch(1, from(mail(0), 10)), fetches.fetch(1, from(mail(0), 20)), fetches.fetch(1, from(mail(1), 0))]);
    expect(found.map(({ records }) => records.toString())).toEqual(['k.mail/0@10', 'k.mail/0@20', 'k.mail/1@0']);
    expect(asked.map((its) => its.length)).toEqual([2, 1]);
  });

  it('go apart when they are asked to, and to different brokers', async () => {
    const { asked, cluster } = broker();
    const fetches = new KafkaFetches(cluster);
    await Promise.all([fetches.fetch(1, from(mail(0), 0), true), fetches.fetch(1, from(mail(1), 0)), fetches.fetch(2, from(mail(2), 0))]);
    expect(asked.map((its) => its.length)).toEqual([1, 1, 1]);
  });

  it('are all told of an error of the request', async () => {
    const { cluster } = broker({ code: 71 });
    const fetches = new KafkaFetches(cluster);
    const found = await Promise.all([fetches.fetch(1, from(mail(0), 0)), fetches.fetch(1, from(mail(1), 0))]);
    expect(found.map(({ code }) => code)).toEqual([71, 71]);
  });

  it('are all told when no answer comes', async () => {
    const fetches = new KafkaFetches({ send: () => Promise.reject(new Error('gone')) });
    const outcomes = await Promise.allSettled([fetches.fetch(1, from(mail(0), 0)), fetches.fetch(1, from(mail(1), 0))]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('of which the answer says nothing fail, and no other', async () => {
    const { cluster } = broker({ leaveOut: 1 });
    const fetches = new KafkaFetches(cluster);
    const found = await Promise.all([fetches.fetch(1, from(mail(0), 0)), fetches.fetch(1, from(mail(1), 0))]);
    expect(found.map(({ code }) => code)).toEqual([0, -1]);
  });
});
