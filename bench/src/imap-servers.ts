import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kiroku } from '@kiroku/infra/rig/kiroku.js';
import { freePorts } from '@kiroku/infra/rig/ports.js';
import { processTree } from '@kiroku/infra/rig/processes.js';
import { until } from '@kiroku/infra/rig/until.js';
import { daemon, end, which } from '@kiroku/infra/rig/remote/programs.js';
import { DOMAIN, PASSWORD, stopAtEnd, USERS } from './sut.js';

/** An IMAP server under test. All its accounts have the password of the other benchmarks. */
export interface ImapServer {
  readonly name: string;
  readonly version: string;
  readonly port: number;
  readonly users: readonly string[];
  processes(): number[];
  /** Ends it and starts it again with the same mail: what it kept in memory is gone. Comes once before anything is measured. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startImapKiroku(): Promise<ImapServer> {
  const kiroku = await Kiroku.start({ session: true });
  const stop = stopAtEnd(() => kiroku.remove());
  await kiroku.addDomain(DOMAIN);
  const users = USERS.map((user) => `${user}@${DOMAIN}`);
  for (const user of users) await kiroku.addAccount(user, PASSWORD);
  await kiroku.must('settings', 'set', 'plainAuthWithoutTls=on', 'sessionsPerIp=0', 'sessionsPerService=0');
  return {
    name: 'Kiroku', version: `Kiroku ${(await kiroku.must('--version')).trim()}`, port: kiroku.ports.imap, users,
    processes: () => kiroku.processes(),
    restart: async () => {
      await kiroku.stop();
      await kiroku.up();
    },
    stop,
  };
}

const MAIL_UID = 8; // `mail` on every Linux distribution that packages Dovecot

export const haveImapDovecot = (): boolean => which('dovecot') !== undefined && process.getuid?.() === 0;

/** A throw-away Dovecot 2.3 with its defaults; mail lies in sdbox or Maildir. */
export async function startImapDovecot(format: 'sdbox' | 'maildir'): Promise<ImapServer> {
  const program = which('dovecot') ?? 'dovecot';
  const base = mkdtempSync(join(tmpdir(), 'bench-imap-'));
  chmodSync(base, 0o755);
  mkdirSync(join(base, 'mail'));
  chownSync(join(base, 'mail'), MAIL_UID, MAIL_UID);
  const [port] = (await freePorts(1)) as [number];
  const file = join(base, 'dovecot.conf');
  // Filled without syncing, which would take a quarter of an hour; measured with its defaults, from the restart on.
  writeFileSync(file, `${configOf(base, format, port)}mail_fsync = never\n`);
  let child = daemon(program, ['-F', '-c', file], { session: true });
  const serves = (): Promise<unknown> => until('Dovecot serves IMAP', 30_000, () => answers(port));
  const stop = stopAtEnd(async () => {
    await end(child);
    rmSync(base, { recursive: true, force: true, maxRetries: 5 });
  });
  await serves();
  const version = execFileSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 }).split(' ')[0]?.trim() ?? '';
  return {
    name: `Dovecot ${format}`, version: `Dovecot ${version}`, port, users: USERS,
    processes: () => processTree(child.pid ?? 0),
    restart: async () => {
      await end(child);
      writeFileSync(file, configOf(base, format, port));
      child = daemon(program, ['-F', '-c', file], { session: true });
      await serves();
    },
    stop,
  };
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('data', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });

const configOf = (base: string, format: string, port: number): string => `base_dir = ${base}/run
state_dir = ${base}/state
log_path = ${base}/log
protocols = imap
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = ${format}:~/mail
mail_max_userip_connections = 1000
first_valid_uid = ${MAIL_UID}
passdb {
 driver = static
 args = nopassword=y
}
userdb {
 driver = static
 args = uid=${MAIL_UID} gid=${MAIL_UID} home=${base}/mail/%n allow_all_users=yes
}
namespace inbox {
 inbox = yes
}
service imap-login {
 inet_listener imap {
  address = 127.0.0.1
  port = ${port}
 }
 inet_listener imaps {
  port = 0
 }
 service_count = 0
 client_limit = 1000
}
service imap {
 process_limit = 1000
}
service anvil {
 client_limit = 4000
}
service auth {
 client_limit = 4000
}
`;

