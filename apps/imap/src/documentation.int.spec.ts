import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { APPEND_LIMITS } from '@kiroku/domain/imap/grammar/append.js';
import { READER_LIMITS } from '@kiroku/domain/imap/grammar/command-reader.js';
import { SEARCH_LIMITS } from '@kiroku/domain/imap/grammar/search-key.js';
import { MOST_FOLDERS } from '@kiroku/domain/mailbox/folders.js';
import { ALL_RIGHTS } from '@kiroku/domain/mailbox/rights.js';
import { MOST_DEPTH, MOST_PARTS } from '@kiroku/domain/mime/structure.js';
import { DEFAULTS } from '@kiroku/domain/policy/settings-schema.js';
import { type Rig, startRig } from './testing/rig.js';

let rig: Rig;
beforeAll(async () => { rig = await startRig({ settings: DEFAULTS }); });
afterAll(async () => { await rig[Symbol.asyncDispose](); });

const root = join(import.meta.dirname, '../../..');
const page = (name: string): Promise<string> => readFile(join(root, 'docs', name), 'utf8');
/** Names in fenced blocks, by the block's title. */
const capabilitiesIn = (text: string): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries([...text.matchAll(/^```(capabilities .*)\n([^`]*)```/gm)].map(([, title = '', names = '']) => [title, names.trim().split(/\s+/)]));
const capabilities = (line: string | undefined): readonly string[] => (/CAPABILITY ([^\]]*)/.exec(line ?? '')?.[1] ?? '').split(' ');
/** The rig's accounts have CRAM-MD5, others need not. */
const usual = (names: readonly string[]): readonly string[] => names.filter((name) => name !== 'AUTH=CRAM-MD5');

describe.each(['imap.md', 'imap.ja.md'])('docs/%s', (name) => {
  it('lists the capabilities that the server announces, before and after login', async () => {
    const plain = await rig.connect('imap');
    const secret = await rig.connect('imaps');
    const inside = await rig.loggedIn();
    expect(capabilitiesIn(await page(name))).toEqual({
      'capabilities before login': usual(capabilities(await plain.line())),
      'capabilities before login, under TLS': usual(capabilities(await secret.line())),
      'capabilities after login': capabilities((await inside.ok('CAPABILITY'))[0]),
    });
  });

  it('names the limits that hold', async () => {
    const numbers = (await page(name)).split('\n').filter((line) => line.startsWith('|')).map((line) => line.split('|')[2]?.match(/\d+/g)?.map(Number) ?? []);
    const { imapIdleTime, imapAppendLimit, imapMessageLimit, sessionsPerService, commandErrors } = DEFAULTS;
    const limits = [
      [imapIdleTime], [imapAppendLimit], [imapMessageLimit], [sessionsPerService], [commandErrors], [READER_LIMITS.line], [READER_LIMITS.command, READER_LIMITS.commandBeforeLogin],
      [READER_LIMITS.memory, READER_LIMITS.memoryBeforeLogin], [APPEND_LIMITS.messages, APPEND_LIMITS.parts], [MOST_FOLDERS], [SEARCH_LIMITS.keys, SEARCH_LIMITS.depth], [MOST_PARTS, MOST_DEPTH],
    ];
    for (const limit of limits) expect([limit, numbers.some((row) => limit.every((number, i) => row[i] === number))]).toEqual([limit, true]);
  });

  it('explains each right', async () => {
    const rows = (await page(name)).match(/^\| `([a-z])` \|/gm) ?? [];
    expect(rows.map((row) => row.charAt(3)).join('')).toBe(ALL_RIGHTS);
  });
});
