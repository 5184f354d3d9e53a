import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../ports.js';
import { processTree } from '../processes.js';
import { daemon, end, which } from './programs.js';
import { listening } from './remote-server.js';

export interface PostfixOptions {
  /** An address of 127.0.0.0/8; 127.0.0.1 when absent. */
  readonly host?: string;
  /** A free one when absent. */
  readonly port?: number;
  /** Its own name. */
  readonly hostname: string;
  /** main.cf beyond what makes it run here. `$config_directory` is the folder of `files`. */
  readonly settings: Readonly<Record<string, string>>;
  /** Files beside main.cf, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Also runs these services; `inet` of smtpd is there already. */
  readonly services?: readonly PostfixService[];
  /** The smtp(8) client runs in a chroot, where this is /etc/resolv.conf: the only way to give Postfix name servers of its own. */
  readonly resolvConf?: string;
  /** Keep a log: `log` tells it. */
  readonly logs?: boolean;
}

export type PostfixService = keyof typeof OPTIONAL;

/** A Postfix of its own: own configuration, queue and data, one port of a loopback address. */
export interface PostfixInstance {
  readonly version: string;
  readonly host: string;
  readonly port: number;
  readonly base: string;
  /** Process id of master. */
  readonly pid: number;
  processes(): number[];
  /** What it logged so far. */
  log(): string;
  stop(): Promise<void>;
}

/** Postfix can run here: it is installed and we may start it (its master insists on root). */
export const havePostfix = (): boolean => which('postfix') !== undefined && process.getuid?.() === 0;

/** Starts Postfix with its defaults but for paths, addresses and `settings`, and waits until it takes connections. */
export async function startPostfixInstance(options: PostfixOptions): Promise<PostfixInstance> {
  const base = mkdtempSync(join(tmpdir(), 'postfix-'));
  chmodSync(base, 0o755);
  const host = options.host ?? '127.0.0.1';
  const port = options.port ?? ((await freePorts(1)) as [number])[0];
  const config = writeConfig(base, host, port, options);
  execFileSync(which('postfix') ?? 'postfix', ['-c', config, 'check'], { stdio: 'ignore', timeout: 30_000 });
  const master = daemon(join(postconf('daemon_directory'), 'master'), ['-c', config, '-s']);
  const stop = async (): Promise<void> => {
    await end(master);
    rmSync(base, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await listening(master, host, port, 'Postfix');
  } catch (error) {
    const said = logOf(base).slice(-2_000);
    await stop();
    throw new Error(`Postfix did not start\n${said}`, { cause: error });
  }
  return {
    version: `Postfix ${postconf('mail_version')}`,
    host,
    port,
    base,
    pid: master.pid ?? 0,
    processes: () => processTree(master.pid ?? 0),
    log: () => logOf(base),
    stop,
  };
}

function writeConfig(base: string, host: string, port: number, options: PostfixOptions): string {
  const account = postconf('mail_owner');
  const [config, queue, state] = ['etc', 'queue', 'lib'].map((name) => join(base, name)) as [string, string, string];
  for (const folder of [config, queue, state]) mkdirSync(folder);
  const id = (flag: string): number => Number(execFileSync('id', [flag, account], { encoding: 'utf8' }));
  chownSync(state, id('-u'), id('-g'));
  if (options.resolvConf !== undefined) {
    mkdirSync(join(queue, 'etc'));
    writeFileSync(join(queue, 'etc', 'resolv.conf'), options.resolvConf);
  }
  const settings = {
    compatibility_level: '3.6',
    queue_directory: queue,
    data_directory: state,
    ...Object.fromEntries(['command_directory', 'daemon_directory', 'mail_owner', 'setgid_group'].map((n) => [n, postconf(n)])),
    myhostname: options.hostname,
    mydestination: '',
    inet_interfaces: '127.0.0.1', // master.cf says where it listens; this must be an address of an interface
    inet_protocols: 'ipv4',
    mynetworks: '127.0.0.0/8',
    alias_maps: '',
    alias_database: '',
    ...(options.logs ? { maillog_file: join(base, 'log'), maillog_file_prefixes: base } : {}),
    ...options.settings,
  };
  const smtp = `smtp unix - - ${options.resolvConf === undefined ? 'n' : 'y'} - - smtp\n`;
  const services = [...SERVICES, ...(options.services ?? []).map((name) => OPTIONAL[name])].map((line) => `${line}\n`).join('');
  writeFileSync(join(config, 'main.cf'), Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`).join(''));
  writeFileSync(join(config, 'master.cf'), `${host}:${port} inet n - n - - smtpd\n${smtp}${services}`);
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(config, name), text);
  return config;
}

/** The services of the stock master.cf that always take part, none in a chroot. */
const SERVICES = [
  'postlog unix-dgram n - n - 1 postlogd',
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
  'anvil unix - - n - 1 anvil',
  'scache unix - - n - 1 scache',
];

const OPTIONAL = {
  discard: 'discard unix - - n - - discard',
  lmtp: 'lmtp unix - - n - - lmtp',
  virtual: 'virtual unix - n n - - virtual',
} as const;

const logOf = (base: string): string => {
  try {
    return readFileSync(join(base, 'log'), 'utf8');
  } catch {
    return '';
  }
};

/** As the package was built: a machine that has never run Postfix has no main.cf to ask. */
function postconf(name: string): string {
  return execFileSync(which('postconf') ?? 'postconf', ['-d', '-h', name], { encoding: 'utf8', timeout: 10_000 }).trim();
}
