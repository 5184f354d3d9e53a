import { gunzipSync, gzipSync } from 'node:zlib';
import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type PostOptions, reportPoster } from './post-report.js';
import { MemoryDns, testAuthority, testHttps, type TestAuthority } from './testing.js';

let authority: TestAuthority;
const open: { close(): unknown }[] = [];
beforeAll(async () => void (authority = await testAuthority(Date.now())));
afterAll(() => Promise.all(open.map((server) => server.close())));

const GZIP = gzipSync('{"report-id":"r1"}');
const serve = async (listener: RequestListener, names = ['tls.y.test']): Promise<number> => {
  const server = await testHttps(await authority.issue(names), listener);
  open.push(server);
  return server.port;
};
const dns = new MemoryDns().set('a tls.y.test', ['127.0.0.1']).set('a private.test', ['10.0.0.1', '127.0.0.1']);
const posting = (uri: string, more: Partial<PostOptions> = {}) => reportPoster({ dns, ca: authority.ca, allowPrivate: true, ...more })(uri, GZIP);

describe('posting a report', () => {
  it('puts the compressed report where the domain wants it', async () => {
    const heard: unknown[] = [];
    const port = await serve((asked, response) => {
      const chunks: Buffer[] = [];
      asked.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
        const { method, url, headers } = asked;
        heard.push([method, url, headers['content-type'], headers.host, gunzipSync(Buffer.concat(chunks)).toString()]);
        response.writeHead(201).end('thank you');
      });
    });
    expect(await posting(`https://tls.y.test:${port}/v1?x=1`)).toEqual({ taken: true });
    expect(heard).toEqual([['POST', '/v1?x=1', 'application/tlsrpt+gzip', `tls.y.test:${port}`, '{"report-id":"r1"}']]);
  });

  it.each<[string, RequestListener, string]>([
    ['follows no redirect', (_, response) => void response.writeHead(307, { location: 'https://127.0.0.1/' }).end(), 'answers 307'],
    ['believes a refusal', (_, response) => void response.writeHead(503).end(), 'answers 503'],
    ['does not take a broken connection for an answer', (asked) => void asked.socket.destroy(), 'tls.y.test: '],
  ])('%s', async (_, listener, reason) => expect(await posting(`https://tls.y.test:${await serve(listener)}/`)).toEqual({ taken: false, reason: expect.stringContaining(reason) }));

  it('does not wait for ever, nor read what it is told', async () => {
    const silent = await serve(() => undefined);
    expect(await posting(`https://tls.y.test:${silent}/`, { timeout: 200 })).toEqual({ taken: false, reason: 'tls.y.test: no answer in time' });
    const endless = await serve((_, response) => {
      response.writeHead(200);
      const more = (): void => void (response.destroyed || response.write('x'.repeat(10_000), more));
      more();
    });
    expect(await posting(`https://tls.y.test:${endless}/`)).toEqual({ taken: true });
  });

  it('trusts only a certificate for that name', async () => {
    const port = await serve((_, response) => void response.end(), ['other.test']);
    expect(await posting(`https://tls.y.test:${port}/`)).toEqual({ taken: false, reason: 'tls.y.test: ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  it('calls nobody within our own network, whatever the DNS says', async () => {
    for (const uri of ['https://private.test/', 'https://127.0.0.1/', 'https://[::1]/', 'https://[::ffff:10.0.0.1]/', 'https://nowhere.test/'])
      expect(await posting(uri, { allowPrivate: false })).toEqual({ taken: false, reason: expect.stringContaining('has no address that can be used') });
  });

  it.each(['http://tls.y.test/', 'https://user:secret@tls.y.test/', 'https://', 'nonsense'])('leaves %s alone for good', async (uri) =>
    expect(await posting(uri)).toEqual({ taken: false, reason: 'not a https URI that can be used', forGood: true }));
});
