import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { makeCredentials, sealCredentials } from '@kiroku/infra/auth/credentials.js';
import { loadServerKey } from '@kiroku/infra/auth/seal.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { mailboxWorld, ORIGIN } from '@kiroku/infra/read-model/mailboxes/testing.js';
import { freePorts } from '@kiroku/infra/rig/ports.js';
import { startImap } from './role.js';
import { ImapClient } from './testing/imap-client.js';

describe('the IMAP role', () => {
  it('serves accounts of the directory from PostgreSQL and files, until it is drained', async () => {
    const world = await mailboxWorld();
    const data = await mkdtemp(join(tmpdir(), 'kiroku-imap-'));
    const [port = 0, tlsPort = 0] = await freePorts(2);
    const config = readConfig({ KIROKU_DATA: data, KIROKU_IMAP_PORT: `${port}`, KIROKU_IMAPS_PORT: `${tlsPort}` });
    const id = world.h.engine.ids.uuid();
    const credentials = sealCredentials(await makeCredentials('tanstaaf', { reversible: false }), await loadServerKey(data), id);
    await world.directory.addDomain('x.test', { accountLimit: 0 }, ORIGIN);
    await world.directory.addAccount({ accountId: id, address: 'ann@x.test', fullName: '', smtp: true, pop3: true, imap: true, quota: 0, credentials, reversible: false }, ORIGIN);
    const role = await startImap(config, world.h.connection);
    try {
      const client = await ImapClient.connect(tlsPort, true);
      expect(await client.line()).toMatch(/^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /);
      await client.ok('LOGIN ann@x.test tanstaaf');
      await client.ok('SELECT INBOX');
      const message = 'From: Bob <bob@y.test>\r\nSubject: hello\r\n\r\nhow are you\r\n';
      expect(await client.end(`APPEND INBOX (\\Seen) {${message.length}+}\r\n${message}`)).toMatch(/^OK \[APPENDUID \d+ 1\] Appended$/);
      expect(await client.ok('FETCH 1 (FLAGS BODY.PEEK[])')).toEqual([`* 1 FETCH (FLAGS (\\Seen) BODY[] {${message.length}}\r\n${message})`]);
      expect((await client.ok('FETCH 1 ENVELOPE'))[0]).toContain('"hello" (("Bob" NIL "bob" "y.test"))');
      expect(await client.ok('SEARCH BODY "are you"')).toEqual(['* SEARCH 1']);
      const plain = await ImapClient.connect(port, false);
      expect(await plain.line()).toContain('STARTTLS LOGINDISABLED');
    } finally {
      await role.drain();
      await world.close();
      await rm(data, { recursive: true });
    }
  }, 60_000);
});
