import { isIP } from 'node:net';
import { z } from 'zod';

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

/** One of the design's engines; only the embedded one is there yet. */
const engine = <const Name extends string>(embedded: Name, planned: string) =>
  z
    .literal(embedded, {
      error: ({ input }) =>
        input === planned ? `this version has only the embedded engine ${embedded}, not ${planned}` : `must be ${embedded}`,
    })
    .optional()
    .transform((): Name => embedded);

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
  /** A PostgreSQL of the administrator's instead of the embedded one. Holds a password. */
  postgresUrl: text.regex(/^postgres(ql)?:\/\/./, 'must be a URL that begins with postgres://').optional(),
  eventLog: engine('postgres', 'kafka'),
  kafkaBrokers: text.optional(),
  eventStore: engine('postgres', 'kurrentdb'),
  kurrentdbUrl: text.optional(),
  objectStore: engine('files', 's3'),
  s3Endpoint: text.optional(),
  s3Bucket: text.optional(),
  s3AccessKey: text.optional(),
  s3SecretKey: text.optional(),
  s3Region: text.optional(),
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
export const PORTS = NAMES.filter((name): name is Extract<Name, `${string}Port`> => name.endsWith('Port'));
export const Settings = z.object(SETTINGS);

/** smtpPort → KIROKU_SMTP_PORT; s3AccessKey → KIROKU_S3_ACCESS_KEY. */
export const variableOf = (name: string): string => `KIROKU_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
