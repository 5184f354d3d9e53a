import { isIP } from 'node:net';
import * as z from 'zod';

const LOCALHOST = '127.0.0.1';

/** 0 and empty mean: no such listener. From the environment everything is text. */
const port = (usual: number) =>
  z
    .union([z.int(), z.string().regex(/^\d{0,5}$/).transform(Number)], { error: 'must be a port, or 0 for none' })
    .refine((value) => value >= 0 && value <= 65_535, 'must be a port, or 0 for none')
    .default(usual)
    .transform((value) => value || undefined);

const processes = z
  .union([z.int(), z.string().regex(/^\d{1,3}$/).transform(Number)], { error: 'must be a number of processes' })
  .refine((value) => value >= 1 && value <= 64, 'must be 1 to 64 processes')
  .default(1);

const address = z
  .string({ error: 'must be an IP address' })
  .transform((value) => (value === 'localhost' ? LOCALHOST : value))
  .refine((value) => isIP(value) > 0, 'must be an IP address, such as 0.0.0.0 for all');

/** One of a port's engines; the first is the embedded one. */
const engine = <const Name extends string>(...names: readonly [Name, ...Name[]]) =>
  z.enum(names, { error: `must be ${names.join(' or ')}` }).default(names[0] as never).transform((name): Name => name);

/** A whole number between two, from the environment as text. */
const whole = (least: number, most: number, what: string) =>
  z
    .union([z.int(), z.string().regex(/^\d{1,7}$/).transform(Number)], { error: `must be ${least} to ${most} ${what}` })
    .refine((value) => value >= least && value <= most, `must be ${least} to ${most} ${what}`);

/** A DNS server as node:dns takes it: 192.0.2.1:53 or [2001:db8::1]:53. */
const dnsServer = z
  .string()
  .transform((text) => {
    const [, v6, name, port = '53'] = /^(?:\[([^\]]+)\]|([^:]+|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*?))(?::(\d{1,5}))?$/i.exec(text) ?? [];
    const host = v6 ?? (name === 'localhost' ? LOCALHOST : name) ?? '';
    return { family: isIP(host), host, port: Number(port) };
  })
  .refine(({ family, port }) => family > 0 && port > 0 && port <= 65_535, 'must be address:port, separated by commas')
  .transform(({ family, host, port }) => (family === 6 ? `[${host}]:${port}` : `${host}:${port}`));

const dns = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value),
  z.array(dnsServer, { error: 'must be a list of address:port' }).min(1),
);

const text = z.string({ error: 'must be text' }).min(1);

/** `host:port`, the host a name or an address; [2001:db8::1]:9092. */
const broker = z.string().trim().refine((value) => {
  const [, port] = /^(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9][a-z0-9.-]{0,253}):(\d{1,5})$/i.exec(value) ?? [];
  return port !== undefined && Number(port) > 0 && Number(port) <= 65_535;
}, 'must be host:port, separated by commas');

const brokers = z.preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(broker, { error: 'must be a list of host:port' }).min(1));

const postgres = text.regex(/^postgres(ql)?:\/\/./, 'must be a URL that begins with postgres://');

/** Of the S3 service itself: no path, no secrets. */
const endpoint = text.refine((value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
}, 'must be a URL such as https://s3.example.org, without a path');

export const ROLES = ['smtp', 'delivery', 'pop3', 'imap', 'worker', 'api'] as const;

const someRoles = { error: `must be some of ${ROLES.join(', ')}, separated by commas` };
const roles = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value),
  z.array(z.enum(ROLES, someRoles), someRoles).min(1, someRoles),
);

/**
 * All process settings: `smtpPort` here is KIROKU_SMTP_PORT in the environment and smtpPort in kiroku.yaml.
 * What an administrator decides (domains, rules, limits) is not here: that is events.
 */
export const SETTINGS = {
  /** The folder for everything: bodies, database, keys. Relative to Kiroku's own folder, or to kiroku.yaml if it stands there. */
  data: text.default('./data'),
  /** The address that all listeners bind to. */
  bind: address.default(LOCALHOST),
  /** The name said in greetings and Received; the system's own if absent. */
  hostname: z
    .string({ error: 'must be a host name' })
    .toLowerCase()
    .regex(/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/, 'must be a host name')
    .optional(),
  smtpPort: port(2525),
  submissionPort: port(2587),
  smtpsPort: port(2465),
  pop3Port: port(2110),
  pop3sPort: port(2995),
  imapPort: port(2143),
  imapsPort: port(2993),
  httpPort: port(8080),
  smtpProcesses: processes,
  deliveryProcesses: processes,
  pop3Processes: processes,
  imapProcesses: processes,
  workerProcesses: processes,
  /** Of which at least one process must live somewhere for the installation to be healthy; those of this machine if absent. */
  expectedRoles: roles.optional(),
  /** A PostgreSQL of the administrator's instead of the embedded one; all machines of an installation name the same. Holds a password. */
  postgresUrl: postgres.optional(),
  /** A streaming replica of it, which answers reports. Holds a password. */
  postgresReplicaUrl: postgres.optional(),
  /** Seconds that a report may be behind; further behind, the primary answers. */
  postgresReplicaLag: whole(5, 3600, 'seconds').default(30),
  /** Seconds for which a start waits for engines that are away; 0: not at all, and for ever if absent. */
  waitForEngines: whole(0, 1_000_000, 'seconds').optional(),
  eventLog: engine('postgres', 'kafka'),
  kafkaBrokers: brokers.optional(),
  /** Topics are `<prefix>.mail`, `<prefix>.session`, `<prefix>.decision`. */
  kafkaPrefix: text.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'must be letters, digits, dots, hyphens and underscores').default('kiroku'),
  /** Of topic `mail` when it is made, `session` gets a third; topics that are there keep their number. */
  kafkaPartitions: whole(1, 1000, 'partitions').default(12),
  /** Copies of each partition of topics that are made; 3 if absent, or as many as there are brokers. */
  kafkaReplication: whole(1, 9, 'copies').optional(),
  /** `on`, `off`, or the path of a file with the certificates to trust (PEM). Relative as the data folder is. */
  kafkaTls: text.default('off'),
  kafkaSasl: z.enum(['plain', 'scram-sha-256', 'scram-sha-512'], { error: 'must be plain, scram-sha-256 or scram-sha-512' }).optional(),
  kafkaUser: text.optional(),
  kafkaPassword: text.optional(),
  eventStore: engine('postgres', 'kurrentdb'),
  kurrentdbUrl: text.regex(/^(kurrentdb|kdb|esdb)(\+discover)?:\/\/./, 'must be a URL that begins with kurrentdb:// or esdb://').optional(),
  objectStore: engine('files', 's3'),
  s3Endpoint: endpoint.optional(),
  s3Bucket: text.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be a bucket name').optional(),
  s3AccessKey: text.optional(),
  s3SecretKey: text.optional(),
  s3Region: text.regex(/^[A-Za-z0-9-]{1,50}$/, 'must be a region').default('us-east-1'),
  /** In front of the name of every object. */
  s3Prefix: z.string({ error: 'must be text' }).regex(/^$|^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*\/?$/, 'must be letters, digits, dots, hyphens, underscores and single slashes, not first').max(200, 'must be 200 characters at most').default(''),
  /** What the S3 service is asked to encrypt with. */
  s3Encryption: z.enum(['none', 'AES256', 'aws:kms'], { error: 'must be none, AES256 or aws:kms' }).default('none'),
  /** Days for which the S3 service lets nobody delete an object; needs a bucket made with object lock. */
  s3ObjectLock: whole(1, 36_500, 'days').optional(),
  /** Servers asked instead of the system's. */
  dns: dns.optional(),
  /** The port on which other servers' MX hosts are called. Anything but 25 is for tests, and networks that know why. */
  remoteSmtp: z
    .union([z.int(), z.string().regex(/^\d{1,5}$/).transform(Number)], { error: 'must be a port' })
    .refine((value) => value >= 1 && value <= 65_535, 'must be a port')
    .default(25),
  /** The port on which MTA-STS policies are fetched. Anything but 443 is for tests. */
  remoteHttps: z
    .union([z.int(), z.string().regex(/^\d{1,5}$/).transform(Number)], { error: 'must be a port' })
    .refine((value) => value >= 1 && value <= 65_535, 'must be a port')
    .default(443),
  /** ms: where RFC 5321 §4.5.3.2 has more patience with other servers, so long and no longer. For tests. */
  remotePatience: z
    .union([z.int(), z.string().regex(/^\d{1,7}$/).transform(Number)], { error: 'must be milliseconds' })
    .refine((value) => value >= 100, 'must be at least 100 ms')
    .optional(),
};

export type Name = keyof typeof SETTINGS;
export const NAMES = Object.keys(SETTINGS) as Name[];
/** Nothing that is said or logged quotes one of these. Each may also be given as the path of a file: see `secretOf`. */
export const SECRETS = ['postgresUrl', 'postgresReplicaUrl', 'kafkaPassword', 'kurrentdbUrl', 's3AccessKey', 's3SecretKey'] as const satisfies readonly Name[];
export const PORTS = NAMES.filter((name): name is Extract<Name, `${string}Port`> => name.endsWith('Port'));
export const Settings = z.object(SETTINGS);

/** smtpPort → KIROKU_SMTP_PORT; s3AccessKey → KIROKU_S3_ACCESS_KEY. */
export const variableOf = (name: string): string => `KIROKU_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
