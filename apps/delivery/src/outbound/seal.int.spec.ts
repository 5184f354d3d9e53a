import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Departing, Sealer } from '@kiroku/domain/delivery/sealer.js';
import { type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { ScriptedSmtp } from '@kiroku/infra/rig/scripted-smtp.js';
import { until } from '@kiroku/infra/rig/until.js';
import { smtpClient } from '@kiroku/infra/smtp-client/open-conversation.js';
import { enqueue, type Rig, rig, rowsOf, World } from './testing.js';

let h: TestHistory;
let remote: ScriptedSmtp;
let made: Rig | undefined;
beforeAll(async () => {
  h = await testHistory();
  remote = await ScriptedSmtp.listen({}, { extensions: ['PIPELINING', 'SIZE 100000'] });
});
afterEach(async () => {
  await made?.close();
  await h.pool.query('TRUNCATE view.queue_1, view.notice_1, ops.sending');
});
afterAll(async () => {
  await remote.close();
  await h.close();
});

/** Says who sends it on, and the digest of what it saw. */
class Signet implements Sealer {
  readonly asked: Departing[] = [];
  broken = false;

  async seal(departing: Departing): Promise<string> {
    if (this.broken) throw new Error('the key cannot be read');
    this.asked.push(departing);
    const digest = createHash('sha256');
    for await (const chunk of departing.content()) digest.update(chunk);
    return `X-Seal: by=${departing.forwarder ?? 'gateway'};\r\n bh=${digest.digest('base64')}\r\n`;
  }
}

async function send(signet: Signet, address: Parameters<typeof enqueue>[1][number], message: Parameters<typeof enqueue>[2]): Promise<string> {
  const before = remote.messages.length;
  await enqueue(h, [address], message);
  made = rig(h, new World(), {
    sealer: signet, open: smtpClient(), hosts: async () => ({ kind: 'hosts', hosts: [{ name: 'mx.y.test', ip: '127.0.0.1', port: remote.port, preference: 0, secure: false }] }),
  });
  made.outbound.start();
  await until('it has arrived', 20_000, () => remote.messages.length > before);
  await until('that is recorded', 20_000, async () => (await rowsOf(h)).length === 0);
  return remote.messages.at(-1)?.body.toString() ?? '';
}

describe('a forwarded message', () => {
  const forwarded = { address: 'bob@y.test', recipient: 'sales@here.test', via: ['sales@here.test'] };
  const outside = { sender: 'eve@else.test' };
  const departed = 'Received: by here\r\nSubject: x\r\n\r\nHello\r\n';
  const sealed = (by: string, content: string): string => `X-Seal: by=${by};\r\n bh=${createHash('sha256').update(content).digest('base64')}\r\n${content}`;

  it('departs with a seal over all that leaves, in front of it', async () => {
    const signet = new Signet();
    expect(await send(signet, forwarded, outside)).toBe(sealed('sales@here.test', `Delivered-To: sales@here.test\r\n${departed}`));
    expect(signet.asked).toMatchObject([{ sender: 'eve@else.test', forwarder: 'sales@here.test' }]);
    expect(remote.messages.at(-1)?.mail).toBe(`FROM:<eve@else.test> SIZE=${remote.messages.at(-1)?.body.length}`);
  });

  it('is sealed too when a gateway takes what came from outside', async () => {
    expect(await send(new Signet(), 'bob@y.test', outside)).toBe(sealed('gateway', departed));
  });

  it('waits, uncounted, while no seal can be made', async () => {
    const signet = new Signet();
    signet.broken = true;
    const id = await enqueue(h, [forwarded], outside);
    made = rig(h, new World(), {
      sealer: signet, open: smtpClient(), hosts: async () => ({ kind: 'hosts', hosts: [{ name: 'mx.y.test', ip: '127.0.0.1', port: remote.port, preference: 0, secure: false }] }),
    });
    made.outbound.start();
    await until('it was tried', 20_000, async () => (await rowsOf(h, id))[0]?.last_outcome === 'deferred');
    expect((await rowsOf(h, id))[0]).toMatchObject({ attempts: 0, last_reply: '451 4.3.0 Message could not be read on this server' });
  });
});

describe('mail of our own', () => {
  it.each([
    ['that somebody here sends', { sender: 'ann@here.test', login: 'ann@here.test' }],
    ['that this server wrote', { sender: '' }],
  ])('%s has no seal', async (_, message) => {
    const signet = new Signet();
    expect(await send(signet, 'bob@y.test', message)).toBe('Received: by here\r\nSubject: x\r\n\r\nHello\r\n');
    expect(signet.asked).toEqual([]);
  });
});
