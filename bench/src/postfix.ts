import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LineSocket } from '@kiroku/infra/rig/line-socket.js';
import { freePorts } from '@kiroku/infra/rig/ports.js';
import { processTree } from '@kiroku/infra/rig/processes.js';
import { until } from '@kiroku/infra/rig/until.js';
import { daemon, end, which } from './child.js';
import { startDovecot, type Dovecot } from './dovecot.js';
import { DOMAIN, SIZE_LIMIT, stopAtEnd, USERS, type MailServer } from './sut.js';

/** Postfix can be measured: it is installed and we may start it (its master insists on root). */
export const havePostfix = (): boolean => which('postfix') !== undefined && process.getuid?.() === 0;

/**
 * A throw-away Postfix of its own on a port of 127.0.0.1. Its defaults stand, fsync above all; set are only paths, the
 * recipients it knows, a size limit above our largest mail, and no pause for fast senders (in_flow_delay), which flatters it.
 * Without a syslog daemon it writes no log, which flatters it too.
 * @param deliverTo `discard` drops what was accepted; `dovecot` stores it in Maildirs by LMTP.
 */
export async function startPostfix(deliverTo: 'discard' | 'dovecot'): Promise<MailServer> {
  const base = mkdtempSync(join(tmpdir(), 'bench-postfix-'));
  chmodSync(base, 0o755);
  const [port] = (await freePorts(1)) as [number];
  const dovecot = deliverTo === 'dovecot' ? await startDovecot() : undefined;
  const { config, account } = writeConfig(base, port, dovecot);
  execFileSync(which('postfix') ?? 'postfix', ['-c', config, 'check'], { stdio: 'ignore', timeout: 30_000 });
  const daemons = postconf('daemon_directory');
  const master = daemon(join(daemons, 'master'), ['-c', config, '-s']);
  const stop = stopAtEnd(async () => {
    await end(master);
    await dovecot?.stop();
    rmSync(base, { recursive: true, force: true, maxRetries: 5 });
  });
  await until(`Postfix (as ${account}) greets on ${port}`, 30_000, () => greets(port));
  return {
    name: dovecot ? 'Postfix → Dovecot' : 'Postfix',
    version: `Postfix ${postconf('mail_version')}${dovecot ? `, Dovecot ${dovecot.version}` : ''}`,
    smtpPort: port,
    processes: () => [...processTree(master.pid ?? 0), ...(dovecot?.processes() ?? [])],
    mailIn: async (user) => dovecot?.mailIn(user) ?? 0,
    stop,
  };
}

function writeConfig(base: string, port: number, dovecot?: Dovecot): { config: string; account: string } {
  const account = postconf('mail_owner');
  const [config, queue, state] = ['etc', 'queue', 'lib'].map((name) => join(base, name)) as [string, string, string];
  for (const folder of [config, queue, state]) mkdirSync(folder);
  const id = (flag: string): number => Number(execFileSync('id', [flag, account], { encoding: 'utf8' }));
  chownSync(state, id('-u'), id('-g'));
  const settings = {
    compatibility_level: '3.6',
    queue_directory: queue,
    data_directory: state,
    ...Object.fromEntries(['command_directory', 'daemon_directory', 'mail_owner', 'setgid_group'].map((n) => [n, postconf(n)])),
    myhostname: 'bench.test',
    mydestination: '',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    mynetworks: '127.0.0.0/8',
    alias_maps: '',
    alias_database: '',
    in_flow_delay: '0s',
    message_size_limit: `${SIZE_LIMIT}`,
    virtual_mailbox_limit: '0',
    mailbox_size_limit: '0',
    virtual_mailbox_domains: DOMAIN,
    virtual_mailbox_maps: `texthash:${config}/mailboxes`,
    virtual_transport: dovecot ? `lmtp:unix:${dovecot.lmtpSocket}` : 'discard:',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  writeFileSync(join(config, 'main.cf'), lines.join(''));
  writeFileSync(join(config, 'mailboxes'), USERS.map((user) => `${user}@${DOMAIN} ${user}/\n`).join(''));
  writeFileSync(join(config, 'master.cf'), `127.0.0.1:${port} inet n - n - - smtpd\n${SERVICES}`);
  return { config, account };
}

/** The services of the stock master.cf that take part, none in a chroot. */
const SERVICES = [
  'pickup unix n - n 60 1 pickup',
  'cleanup unix n - n - 0 cleanup',
  'qmgr unix n - n 300 1 qmgr',
  'tlsmgr unix - - n 1000? 1 tlsmgr',
  'rewrite unix - - n - - trivial-rewrite',
  'bounce unix - - n - 0 bounce',
  'defer unix - - n - 0 bounce',
  'trace unix - - n - 0 bounce',
  'verify unix - - n - 1 verify',
  'flush unix n - n 1000? 0 flush',
  'proxymap unix - - n - - proxymap',
  'proxywrite unix - - n - 1 proxymap',
  'showq unix n - n - - showq',
  'error unix - - n - - error',
  'retry unix - - n - - error',
  'discard unix - - n - - discard',
  'lmtp unix - - n - - lmtp',
  'anvil unix - - n - 1 anvil',
  'scache unix - - n - 1 scache',
]
  .map((line) => `${line}\n`)
  .join('');

function postconf(name: string): string {
  const args = name === 'mail_version' ? ['-d', '-h', name] : ['-h', name];
  return execFileSync(which('postconf') ?? 'postconf', args, { encoding: 'utf8', timeout: 10_000 }).trim();
}

async function greets(port: number): Promise<boolean> {
  const socket = await LineSocket.connect({ port }, 1_000);
  const line = await socket.readLine(5_000);
  socket.close();
  return line.startsWith('220');
}
