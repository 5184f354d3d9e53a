import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { makeCertificate } from '../rig/test-ca.js';
import { asAway, KafkaAway } from './kafka-away.js';
import { KafkaLink } from './kafka-link.js';
import { credentialsOf } from './kafka-options.js';
import { metadata } from './kafka-requests.js';
import { WireReader, WireWriter } from './kafka-wire.js';

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on('connection', (socket: Socket) => void sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { readonly port: number }).port;
}

/** As a broker does: what cannot be the length of a request ends the connection without a word. */
const plainBroker = (answer: (question: WireReader) => Buffer | undefined): Server =>
  createServer((socket) => {
    socket.on('data', (bytes: Buffer) => {
      const question = new WireReader(bytes);
      const said = question.int32() > 100 << 20 ? undefined : answer(question);
      if (said) socket.write(said);
      else socket.destroy();
    });
  });

/** ApiVersions, version 0: no error, no requests known. */
function versions(question: WireReader): Buffer {
  question.int32();
  const body = new WireWriter().int32(question.int32()).int16(0).int32(0).done();
  return new WireWriter().int32(body.length).bytes(body).done();
}

async function failureAt(port: number, tls: boolean): Promise<unknown> {
  const link = new KafkaLink('127.0.0.1', port, credentialsOf({ tls }), 'test');
  try {
    return await link.send(metadata([])).then(() => undefined, asAway);
  } finally {
    link.close();
  }
}

describe('a Kafka client whose settings of TLS do not fit the listener', () => {
  it('is told to speak TLS where nothing else is spoken, and does not take the broker for away', async () => {
    const port = await listen(createTlsServer(await makeCertificate({ names: ['127.0.0.1'] })));
    const failure = await failureAt(port, false);
    expect(failure).not.toBeInstanceOf(KafkaAway);
    expect(String(failure)).toContain(`127.0.0.1:${port} speaks TLS: set KIROKU_KAFKA_TLS=on`);
  });

  it('is told so also by a listener that wants a certificate of the client', async () => {
    const issuer = await makeCertificate({ ca: true, commonName: 'test CA' });
    const pair = await makeCertificate({ names: ['127.0.0.1'], issuer });
    const port = await listen(createTlsServer({ ...pair, requestCert: true, rejectUnauthorized: true, ca: issuer.cert, maxVersion: 'TLSv1.2' }));
    expect(String(await failureAt(port, false))).toContain('speaks TLS');
  });

  it('is told not to speak TLS to a listener that speaks Kafka without', async () => {
    const port = await listen(plainBroker(versions));
    const failure = await failureAt(port, true);
    expect(failure).not.toBeInstanceOf(KafkaAway);
    expect(String(failure)).toContain(`127.0.0.1:${port} does not speak TLS: name another port of this broker, or set KIROKU_KAFKA_TLS=off`);
  });

  it.each([true, false])('takes for away what ends each connection without a word, as a relay whose broker is down does (TLS: %s)', async (tls) => {
    const port = await listen(plainBroker(() => undefined));
    expect(await failureAt(port, tls)).toBeInstanceOf(KafkaAway);
  });

  it.each([true, false])('takes for away what does not listen (TLS: %s)', async (tls) => {
    expect(await failureAt(1, tls)).toBeInstanceOf(KafkaAway);
  });
});
