import { X509Certificate } from 'node:crypto';
import { chownSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { CommandResult } from '@kiroku/infra/rig/kiroku.js';
import { addressOf, crlf, installed, letter, PASSWORD, useFolder, useServer } from './harness.js';
import { heldIn, imapOf, keptWith, maildirOf, makeMaildir, must, note, put, standOf, wireName } from './imap-scene.js';

const CLIENTS = ['mbsync', 'offlineimap', 'fetchmail', 'getmail', 'curl', 'neomutt', 'python3', 'script'];
const missing = CLIENTS.filter((client) => !installed(client));
const isRoot = process.getuid?.() === 0; // getmail refuses to store mail as root
const NOBODY = 65534;

const server = useServer(['mbsync', 'offline', 'fetch', 'getmail', 'curl', 'mutt', 'script']);
const folder = useFolder();

type Tls = 'no TLS' | 'STARTTLS' | 'implicit TLS';
const portOf = (tls: Tls): number => (tls === 'implicit TLS' ? server.kiroku.ports.imaps : server.kiroku.ports.imap);
const certificate = (): string => join(server.kiroku.data, 'tls', 'default.crt');
const lines = (...text: readonly string[]): string => `${text.join('\n')}\n`;

/** Gives the file other flags, as a mail reader does; a message that has been looked at leaves `new`. */
function mark(maildir: string, text: string, flags: string): void {
  const { file } = keptWith(maildir, text);
  renameSync(file, join(maildir, 'cur', `${basename(file).replace(/:2,\w*$/, '')}:2,${flags}`));
}

/** A message in the client's hands without what the client itself added to it. */
const asSent = (text: string): string => text.replaceAll('\r\n', '\n').replace(/^(Return-Path|X-TUID|X-OfflineIMAP|X-getmail-[\w-]+):.*\n/gim, '');

/** Japanese names on both sides: the server's and the client's own. */
const THEIRS = '受信箱/請求書';
const OURS = '下書き';
const INVOICE = note('=?ISO-2022-JP?B?GyRCQEE1YT1xGyhC?=');

describe('the real IMAP clients of this test', () => {
  it('are all installed where the pipeline runs', () => {
    if (missing.length) console.warn(`not installed here, and therefore not tried: ${missing.join(', ')}`);
    expect(process.env.CI ? missing : []).toEqual([]);
  });
});

interface Synchronizer {
  readonly client: 'mbsync' | 'offlineimap';
  readonly user: string;
  /** Where a mailbox of this wire name lies on our side. */
  readonly maildir: (name: string) => string;
  readonly run: () => Promise<CommandResult>;
}

const mbsync: Synchronizer = {
  client: 'mbsync',
  user: 'mbsync',
  maildir: (name) => join(folder.path, 'mbsync', name),
  run: () => {
    mkdirSync(join(folder.path, 'mbsync'), { recursive: true });
    const rc = lines(
      ...['IMAPAccount kiroku', 'Host 127.0.0.1', `Port ${portOf('implicit TLS')}`, `User ${addressOf('mbsync')}`, `Pass "${PASSWORD}"`],
      ...['SSLType IMAPS', `CertificateFile ${certificate()}`, ''],
      ...['IMAPStore far', 'Account kiroku', ''],
      ...['MaildirStore near', 'SubFolders Verbatim', `Path ${folder.path}/mbsync/`, `Inbox ${folder.path}/mbsync/INBOX`, ''],
      ...['Channel all', 'Far :far:', 'Near :near:', 'Patterns *', 'Create Both', 'Remove Both', 'Expunge Both', 'SyncState *'],
    );
    return must(folder.path, 'mbsync', ['-c', folder.file('mbsyncrc', rc), 'all']);
  },
};

const offlineimap: Synchronizer = {
  client: 'offlineimap',
  user: 'offline',
  maildir: (name) => join(folder.path, 'offline', name),
  run: () => {
    const fingerprint = new X509Certificate(readFileSync(certificate())).fingerprint.replaceAll(':', '').toLowerCase(); // SHA-1
    const rc = lines(
      ...['[general]', 'accounts = kiroku', `metadata = ${folder.path}/offline.state`, 'ui = quiet'],
      ...['[Account kiroku]', 'localrepository = near', 'remoterepository = far'],
      ...['[Repository near]', 'type = Maildir', `localfolders = ${folder.path}/offline`, 'sep = /'],
      ...['[Repository far]', 'type = IMAP', 'remotehost = 127.0.0.1', `remoteport = ${portOf('implicit TLS')}`],
      ...[`remoteuser = ${addressOf('offline')}`, `remotepass = ${PASSWORD}`, 'ssl = yes', `cert_fingerprint = ${fingerprint}`],
    );
    return must(folder.path, 'offlineimap', ['-c', folder.file('offlineimaprc', rc), '-o']);
  },
};

describe('mailboxes kept in step with a Maildir', () => {
  for (const { client, user, maildir, run } of [mbsync, offlineimap].filter(({ client }) => !missing.includes(client))) {
    server.it(`travel both ways by ${client}: folders, messages, flags and deletions; and a run without changes changes nothing`, async () => {
      const far = await imapOf(server, user);
      const [theirs, ours] = [wireName(THEIRS), wireName(OURS)];
      await far.ok(`CREATE "${theirs}"`);
      await put(far, theirs, INVOICE);
      for (const token of ['one', 'two', 'three', 'four']) await put(far, 'INBOX', note(token), token === 'two' ? '\\Seen \\Flagged' : '');
      await put(far, 'INBOX', letter('letter', addressOf(user)));
      await run();
      const inbox = maildir('INBOX');
      expect(maildirOf(inbox)).toHaveLength(5);
      expect(keptWith(inbox, 'Subject: two').flags).toBe('FS');
      expect(asSent(keptWith(inbox, 'Subject: letter').text)).toBe(letter('letter', addressOf(user)));
      expect(keptWith(maildir(theirs), 'Subject: =?ISO-2022-JP?').flags).toBe('');

      writeFileSync(join(makeMaildir(maildir(ours)), 'cur', '1.mine.host:2,S'), note('draft'));
      mark(inbox, 'Subject: one', 'RS');
      unlinkSync(keptWith(inbox, 'Subject: three').file);
      await far.ok('SELECT INBOX');
      await far.ok('UID STORE 2 -FLAGS.SILENT (\\Flagged)');
      await far.ok('UID STORE 4 +FLAGS.SILENT (\\Deleted)');
      await far.ok('EXPUNGE');
      await run();
      expect(await heldIn(far, 'INBOX')).toEqual(['1 one \\Answered \\Seen', '2 two \\Seen', '5 letter']);
      expect(await heldIn(far, ours)).toEqual(['1 draft \\Seen']);
      expect(maildirOf(inbox).map(({ text, flags }) => [/^Subject: (.*?)\r?$/m.exec(text)?.[1], flags]).sort()).toEqual([['letter', ''], ['one', 'RS'], ['two', 'S']]);
      expect((await far.ok('LIST "" "*"')).map((line) => line.split('"/" ')[1]?.replaceAll('"', '')).sort()).toEqual(
        ['INBOX', ours, wireName('受信箱'), theirs].sort(),
      );

      const boxes = ['INBOX', ours, theirs];
      const near = (): unknown => boxes.map((name) => maildirOf(maildir(name)).map(({ file, text }) => [file, text]).sort());
      const before = { far: await standOf(far, boxes), near: near() };
      await run();
      expect({ far: await standOf(far, boxes), near: near() }).toEqual(before);
      await far.logout();
    }, 60_000);
  }
});

describe('mail taken away by a fetching client', () => {
  const ALL_TLS: readonly Tls[] = ['no TLS', 'STARTTLS', 'implicit TLS'];
  for (const tls of missing.includes('fetchmail') ? [] : ALL_TLS) {
    server.it(`is unchanged and gone from the server, by fetchmail with ${tls}`, async () => {
      const far = await imapOf(server, 'fetch');
      const token = `fetched-${tls.replace(' ', '-')}`;
      await put(far, 'INBOX', letter(token, addressOf('fetch')));
      const file = join(folder.path, `${token}.got`);
      // Without TLS it logs in by CRAM-MD5: passwords are not taken there.
      const how = { 'no TLS': "sslproto ''", 'STARTTLS': "sslproto 'TLS1.2+'", 'implicit TLS': 'ssl' }[tls];
      const rc = `poll 127.0.0.1 service ${portOf(tls)} protocol imap username "${addressOf('fetch')}" password "${PASSWORD}" ${how} no rewrite fetchall mda "cat >> ${file}"\n`;
      const state = ['--pidfile', `${file}.pid`, '--idfile', `${file}.ids`];
      await must(folder.path, 'fetchmail', ['-f', folder.file(`${token}.rc`, rc), '--nosslcertck', '--nosyslog', '--nodetach', '--invisible', ...state]);
      const sent = letter(token, addressOf('fetch'));
      expect(readFileSync(file, 'utf8').replaceAll('\r\n', '\n').slice(-sent.length)).toBe(sent);
      expect(await heldIn(far, 'INBOX')).toEqual([]);
      await far.logout();
    });
  }

  if (!missing.includes('getmail')) {
    server.it('comes from several mailboxes, one with a Japanese name, and stays away, by getmail', async () => {
      const far = await imapOf(server, 'getmail');
      await far.ok(`CREATE "${wireName('日本語')}"`);
      await put(far, 'INBOX', letter('getmail', addressOf('getmail')));
      await put(far, wireName('日本語'), INVOICE);
      const maildir = makeMaildir(join(folder.path, 'getmail'));
      if (isRoot) for (const part of ['', 'new', 'cur', 'tmp']) chownSync(join(maildir, part), NOBODY, NOBODY);
      const rc = lines(
        ...['[retriever]', 'type = SimpleIMAPSSLRetriever', 'server = 127.0.0.1', `port = ${portOf('implicit TLS')}`],
        ...[`username = ${addressOf('getmail')}`, `password = ${PASSWORD}`, 'mailboxes = ("INBOX", "日本語")'],
        ...['[destination]', 'type = Maildir', `path = ${maildir}/`, ...(isRoot ? ['user = nobody'] : [])],
        ...['[options]', 'delivered_to = false', 'received = false', 'delete = true', 'verbose = 0'],
      );
      await must(folder.path, 'getmail', ['--rcfile', folder.file('getmailrc', rc), '--getmaildir', folder.path]);
      const sent = letter('getmail', addressOf('getmail'));
      expect(asSent(keptWith(maildir, 'Subject: getmail').text)).toBe(sent);
      expect(maildirOf(maildir)).toHaveLength(2);
      expect([...(await heldIn(far, 'INBOX')), ...(await heldIn(far, wireName('日本語')))]).toEqual([]);
      await far.logout();
    });
  }
});

if (!missing.includes('curl')) {
  describe('a mailbox seen by curl', () => {
    for (const tls of ['STARTTLS', 'implicit TLS'] as const) {
      server.it(`is listed, written to, searched, read and emptied with ${tls}`, async () => {
        const url = (path: string): string => `${tls === 'implicit TLS' ? 'imaps' : 'imap'}://127.0.0.1:${portOf(tls)}/${path}`;
        const curl = async (path: string, ...more: readonly string[]): Promise<string> =>
          (await must(folder.path, 'curl', ['-sS', '-k', '--ssl-reqd', '--max-time', '30', '--user', `${addressOf('curl')}:${PASSWORD}`, url(path), ...more])).stdout;
        const sent = crlf(letter('curl', addressOf('curl')));
        await curl('', '-X', `CREATE "${wireName('控え')}"`);
        expect(await curl('')).toBe(`* LIST (\\HasNoChildren) "/" INBOX\r\n* LIST (\\HasNoChildren) "/" ${wireName('控え')}\r\n`);
        await curl('INBOX', '-T', folder.file('curl.eml', sent));
        expect(await curl('INBOX', '-X', 'STATUS INBOX (MESSAGES UNSEEN)')).toBe('* STATUS INBOX (MESSAGES 1 UNSEEN 0)\r\n'); // it uploads as \Seen
        expect(await curl('INBOX?TEXT%20%22two%20dots%22')).toBe('* SEARCH 1\r\n');
        expect(await curl('INBOX;MAILINDEX=1')).toBe(sent.toString());
        expect(await curl('INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)')).toBe('Subject: curl\r\n\r\n');
        await curl('INBOX', '-X', `MOVE 1 "${wireName('控え')}"`);
        expect(await curl('INBOX?ALL')).toBe('* SEARCH\r\n');
        await curl(encodeURIComponent(wireName('控え')), '-X', 'STORE 1 +FLAGS (\\Deleted)');
        expect(await curl(encodeURIComponent(wireName('控え')), '-X', 'EXPUNGE')).toBe('* 1 EXPUNGE\r\n');
        await curl('', '-X', `DELETE "${wireName('控え')}"`);
      });
    }
  });
}

if (!missing.includes('neomutt') && !missing.includes('script')) {
  describe('a mailbox seen by neomutt', () => {
    const settings = (): string =>
      folder.file('muttrc', lines(
        `set folder="imaps://127.0.0.1:${portOf('implicit TLS')}/"`,
        `set imap_user="${addressOf('mutt')}" imap_pass="${PASSWORD}" certificate_file="${certificate()}"`,
        `set from="${addressOf('mutt')}" smtp_url="smtps://${addressOf('mutt').replace('@', '%40')}@127.0.0.1:${server.kiroku.ports.smtps}/" smtp_pass="${PASSWORD}"`,
        'set ssl_verify_host=no ssl_verify_dates=no quit=yes delete=yes wait_key=no sleep_time=0 confirmappend=no confirmcreate=no move=no mark_old=no',
        `set editor="cp ${folder.file('mutt.body', '本文です。記録。\n')}" abort_unmodified=no`,
        'set charset="utf-8" send_charset="utf-8" record="=送信済み" use_envelope_from=no pipe_decode=yes pipe_sep=""',
      ));
    /** Opens a mailbox on a terminal of its own and types. */
    const types = (mailbox: string, keys: string): Promise<CommandResult> => {
      const rc = folder.file('muttrc.keys', lines(`source ${settings()}`, `push "${keys}"`));
      return must(folder.path, 'timeout', ['-k', '1', '20', 'script', '-qec', `neomutt -n -F ${rc} -f '=${mailbox}'`, '/dev/null']);
    };

    server.it('takes the copy of what is sent, and shows a Japanese subject and text', async () => {
      const far = await imapOf(server, 'mutt');
      await far.ok(`CREATE "${wireName('送信済み')}"`);
      await types('INBOX', `<mail>${addressOf('mutt')}<enter>請求書の件<enter><send-message><exit>`);
      await server.arrived('mutt', 'Subject: =?utf-8?B?');
      for (const mailbox of ['INBOX', '送信済み']) {
        const out = join(folder.path, `mutt-${mailbox}`);
        await types(mailbox, `<tag-pattern>~A<enter><tag-prefix><pipe-message>cat > ${out}<enter><exit>`);
        const shown = readFileSync(out, 'utf8');
        expect(shown).toContain('Subject: 請求書の件\n');
        expect(shown).toContain('\n本文です。記録。\n');
      }
      await far.logout();
    });

    server.it('is sorted into another by keys: one message saved, one deleted, one flagged', async () => {
      const far = await imapOf(server, 'mutt');
      await far.ok('CREATE sorting');
      for (const token of ['keep', 'save', 'drop']) await put(far, 'sorting', note(token));
      await types('sorting', '<tag-pattern>~s save<enter><tag-prefix><save-message>=整理<enter><delete-pattern>~s drop<enter><limit>~s keep<enter><flag-message><limit>all<enter><quit>');
      expect(await heldIn(far, 'sorting')).toEqual(['1 keep \\Flagged']);
      expect(await heldIn(far, wireName('整理'))).toEqual(['1 save']);
      await far.logout();
    });
  });
}

/** What Python's own client can do; prints one JSON object. */
const PYTHON = `
import imaplib, json, ssl, sys
port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
imap = imaplib.IMAP4('127.0.0.1', port)
told = {'before': 'LOGINDISABLED' in imap.capabilities}
imap.starttls(ssl._create_unverified_context())
told['after'] = 'LOGINDISABLED' in imap.capabilities
imap.authenticate('PLAIN', lambda _: ('\\0%s\\0%s' % (user, password)).encode())
def ok(answer):
    if answer[0] != 'OK': raise Exception(answer)
    return [part.decode() if isinstance(part, bytes) else part for part in answer[1]]
folder, inside = '"日本語/下書き"', sys.argv[4]
ok(imap.create(inside))
for i, subject in enumerate(['=?utf-8?B?6KuL5rGC5pu4?=', 'b', 'Re: b']):
    text = 'From: x@y.test\\r\\nSubject: %s\\r\\nMessage-ID: <%d@y>\\r\\n%s\\r\\ntext %d 記録\\r\\n' % (subject, i, 'In-Reply-To: <1@y>\\r\\n' if i == 2 else '', i)
    ok(imap.append(inside, r'(\\Seen)' if i else None, '"22-Nov-2026 09:00:0%d +0900"' % i, text.encode()))
imap.enable('UTF8=ACCEPT') # not before: it would put the syntax of RFC 6855 into the message itself
told['list'] = ok(imap.list('""', '"日*"'))
told['selected'] = ok(imap.select(folder))
told['unseen'] = ok(imap.search(None, 'UNSEEN'))
imap.literal = '請求書'.encode()
told['japanese'] = ok(imap.uid('SEARCH', 'SUBJECT'))
told['sorted'] = ok(imap.sort('(REVERSE DATE)', 'UTF-8', 'ALL'))
told['threads'] = ok(imap.thread('REFERENCES', 'UTF-8', 'ALL'))
told['stored'] = ok(imap.store('2', '+FLAGS', r'(\\Flagged $Label1)'))
ok(imap.copy('1:2', 'INBOX'))
told['moved'] = imap.uid('MOVE', '3', 'INBOX')[0]
imap.store('1', '+FLAGS.SILENT', r'(\\Deleted)')
told['expunged'] = ok(imap.expunge())
told['status'] = ok(imap.status('INBOX', '(MESSAGES UNSEEN UIDNEXT)'))
told['acl'] = ok(imap.getacl('INBOX'))
told['namespace'] = ok(imap.namespace())
told['quota'] = imap.getquotaroot('INBOX')[0]
told['readonly'] = [imap.select('INBOX', readonly=True)[0], imap.store('1', '+FLAGS', 'x')[0]]
told['text'] = imap.fetch('2', '(UID BODY.PEEK[TEXT])')[1][0][1].decode()
imap.unselect()
ok(imap.delete(folder))
told['bye'] = imap.logout()[0]
print(json.dumps(told))
`;

if (!missing.includes('python3')) {
  describe("Python's imaplib", () => {
    server.it('works through a mailbox with all that it knows', async () => {
      const { stdout } = await must(folder.path, 'python3', [folder.file('client.py', PYTHON), `${portOf('STARTTLS')}`, addressOf('script'), PASSWORD, `"${wireName('日本語/下書き')}"`]);
      expect(JSON.parse(stdout)).toEqual({
        before: true, after: false,
        list: ['(\\HasChildren) "/" "日本語"', '(\\HasNoChildren) "/" "日本語/下書き"'],
        selected: ['3'], unseen: ['1'], japanese: ['1'], sorted: ['3 2 1'], threads: ['(1)(2 3)'],
        stored: ['2 (FLAGS ($Label1 \\Flagged \\Seen))'],
        moved: 'OK', expunged: ['3', '1'], status: ['INBOX (MESSAGES 3 UNSEEN 1 UIDNEXT 4)'],
        acl: [expect.stringContaining(`INBOX `)], namespace: [expect.stringContaining('"#Shared/"')], quota: 'OK',
        readonly: ['OK', 'NO'], text: 'text 1 記録\r\n', bye: 'BYE',
      });
    });
  });
}
