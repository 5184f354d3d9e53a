import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processTree } from '@kiroku/infra/rig/processes.js';
import { until } from '@kiroku/infra/rig/until.js';
import { daemon, end, which } from '@kiroku/infra/rig/remote/programs.js';

export interface Dovecot {
  readonly version: string;
  readonly lmtpSocket: string;
  processes(): number[];
  mailIn(user: string): number;
  stop(): Promise<void>;
}

const MAIL_UID = 8; // `mail` on every Linux distribution that packages Dovecot

export const haveDovecot = (): boolean => which('dovecot') !== undefined && process.getuid?.() === 0;

/** A throw-away Dovecot that stores by LMTP into Maildirs, with its defaults of fsync and locking. */
export async function startDovecot(): Promise<Dovecot> {
  const program = which('dovecot') ?? 'dovecot';
  const base = mkdtempSync(join(tmpdir(), 'bench-dovecot-'));
  chmodSync(base, 0o755);
  const mail = join(base, 'mail');
  mkdirSync(mail);
  chownSync(mail, MAIL_UID, MAIL_UID);
  const lmtpSocket = join(base, 'lmtp');
  const version = execFileSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 }).split(' ')[0] ?? '';
  const file = join(base, 'dovecot.conf');
  writeFileSync(file, config(base, mail, lmtpSocket, version.trim()));
  const child = daemon(program, ['-F', '-c', file], { session: true });
  await until('Dovecot listens for LMTP', 30_000, () => existsSync(lmtpSocket));
  return {
    version: version.trim(),
    lmtpSocket,
    processes: () => processTree(child.pid ?? 0),
    mailIn: (user) => ['new', 'cur'].reduce((sum, part) => sum + entries(join(mail, user, 'Maildir', part)), 0),
    stop: async () => {
      await end(child);
      rmSync(base, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const entries = (folder: string): number => (existsSync(folder) ? readdirSync(folder).length : 0);

function config(base: string, mail: string, lmtpSocket: string, version: string): string {
  // Dovecot 2.4 renamed what says where mail lies, and wants to be told which syntax this is.
  const modern = Number(version.split('.')[1]) >= 4;
  const location = modern
    ? `dovecot_config_version = ${version}\ndovecot_storage_version = ${version}\nmail_driver = maildir\nmail_path = ~/Maildir`
    : 'mail_location = maildir:~/Maildir';
  // Nobody logs in, but its auth process does not start without a passdb.
  const users = modern
    ? `passdb static {\n password = ${randomUUID()}\n}\nuserdb static {\n fields {\n  uid = ${MAIL_UID}\n  gid = ${MAIL_UID}\n  home = ${mail}/%{user | username}\n }\n static_allow_all_users = yes\n}`
    : `passdb {\n driver = static\n args = password=${randomUUID()}\n}\nuserdb {\n driver = static\n args = uid=${MAIL_UID} gid=${MAIL_UID} home=${mail}/%n allow_all_users=yes\n}`;
  return `${location}
base_dir = ${base}/run
state_dir = ${base}/state
log_path = ${base}/log
protocols = lmtp
ssl = no
first_valid_uid = ${MAIL_UID}
${users}
service lmtp {
 unix_listener ${lmtpSocket} {
  mode = 0666
 }
}
`;
}
