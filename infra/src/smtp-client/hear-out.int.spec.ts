import { afterEach, describe, expect, it } from '@jest/globals';
import type { Script } from '../rig/scripted-smtp.js';
import { makeCertificate } from '../rig/test-ca.js';
import { fates, messageOf, Stage, targetAt } from './testing.js';

const stage = new Stage();
afterEach(() => stage.end());

const CHUNK = Buffer.alloc(64 * 1024, 'x'.repeat(62).concat('\r\n'));
const EXTENSIONS = ['PIPELINING', '8BITMIME', 'STARTTLS'];

/** The server does this in the middle of the text; the rest of it is written after the reset has come, and before anything is read. */
async function interrupted(say: string, encrypted: boolean): Promise<readonly string[]> {
  let reset: () => void;
  const over = new Promise<void>((resolve) => (reset = resolve));
  const script: Script = {
    'in-data': (_, { tcp }) => {
      tcp.once('close', () => reset());
      return { drop: true, reset: true, say };
    },
  };
  const tls = encrypted ? await makeCertificate({ names: ['mx.y.test'] }) : undefined;
  const server = await stage.server(script, { extensions: EXTENSIONS, stopReading: true, ...(tls && { tls }) });
  const client = await stage.open(targetAt(server.port, { mode: encrypted ? 'opportunistic' : 'off' }));
  expect(client.tls !== undefined).toBe(encrypted);
  async function* content() {
    yield CHUNK;
    await over;
    for (let n = 0; n < 20; n++) yield CHUNK;
  }
  const results = fates(await client.send({ ...messageOf([CHUNK]), content }));
  expect(client.usable).toBe(false);
  return results;
}

describe.each([['in plain text', false], ['under TLS', true]])('a reply before a reset, %s', (_, encrypted) => {
  it.each([
    ['552 5.3.4 too big', 'refused refused DATA 552 5.3.4 too big'],
    ['552-5.3.4 too big\n552 5.3.4 by far', 'refused refused DATA 552 5.3.4 too big by far'],
    ['421 4.3.1 full', 'deferred line DATA 421 4.3.1 full'],
    ['550 5.7.1 no\n421 4.3.2 bye', 'refused refused DATA 550 5.7.1 no'],
  ])('counts although writing failed before it was read: %s', async (say, fate) => {
    for (let n = 0; n < 5; n++) expect(await interrupted(say, encrypted)).toEqual([fate]);
  });

  it('that was not finished is none', async () => {
    expect((await interrupted('552-5.3.4 too', encrypted))[0]).toMatch(/^deferred line DATA 450 4\.4\.2 Connection dropped by host: E/);
  });
});

it('a server that closes with the message unread is heard', async () => {
  // Closing with bytes unread resets the connection, without any wish of the server's.
  const script: Script = { 'in-data': (_, { socket }) => (setImmediate(() => socket.destroy()), { say: '550 5.7.1 not from you' }) };
  const chunks = Array.from({ length: 200 }, () => CHUNK);
  const server = await stage.server(script, { stopReading: true });
  const client = await stage.open(targetAt(server.port));
  expect(fates(await client.send(messageOf(chunks)))).toEqual(['refused refused DATA 550 5.7.1 not from you']);
});
