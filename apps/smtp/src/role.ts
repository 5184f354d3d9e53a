import { hostname } from 'node:os';
import { join } from 'node:path';
import { DirectoryAuthenticator } from '@kiroku/infra/auth/directory-authenticator.js';
import { saslExchange } from '@kiroku/infra/auth/sasl.js';
import { loadServerKey } from '@kiroku/infra/auth/seal.js';
import type { Config } from '@kiroku/infra/config/config.js';
import { DiskSpace } from '@kiroku/infra/platform/disk-space.js';
import { Certificates } from '@kiroku/infra/net/certificates.js';
import { type Listener, LineServer } from '@kiroku/infra/net/line-server.js';
import { openBodies } from '@kiroku/infra/platform/bodies.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import { PRODUCT } from '@kiroku/infra/platform/product.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { PostgresAdmission } from '@kiroku/infra/read-model/admission.js';
import { Backlog } from '@kiroku/infra/read-model/backlog.js';
import { PostgresDirectory } from '@kiroku/infra/read-model/directory.js';
import { srsKeys } from '@kiroku/infra/srs/keys.js';
import { srsDirectory } from '@kiroku/infra/srs/srs-directory.js';
import type { RunningRole } from '@kiroku/infra/supervise/role-process.js';
import { certificateWarnings, diskWarnings } from '@kiroku/infra/telemetry/warnings.js';
import { relayDomains } from './relay-domains.js';
import { PostgresTlsTable } from '@kiroku/infra/tls-policy/tls-table.js';
import { SmtpServer } from './server.js';

/** ms that conversations may go on when the process is asked to end. */
const PATIENCE = 20_000;
/** ms for which the administrators' TLS table may be old here. */
const TLS_TABLE_AGE = 1_000;

/** The SMTP role: MX, submission and implicit-TLS listeners over the embedded engines. */
export async function startSmtp(config: Config, postgres: PostgresConnection): Promise<RunningRole> {
  const platform = await openPlatform('smtp', { postgres, config });
  const { pool, engine, log, sessions, trouble, metrics, logger } = platform;
  const host = config.hostname ?? hostname();
  const admission = new PostgresAdmission(pool, engine);
  await admission.admit('smtp', '127.0.0.1'); // settings at hand before the first client
  const directory = new PostgresDirectory(pool, () => admission.settings.tagSeparators);
  const key = await loadServerKey(config.data);
  const authenticator = new DirectoryAuthenticator(directory, key);
  const certificates = await Certificates.open({ folder: join(config.data, 'tls'), hostname: host, clock: engine.clock, trouble });
  const bodies = await openBodies(platform, config, true);
  const disk = new DiskSpace([config.data, ...(config.objectStore === 'files' ? [join(config.data, 'objects')] : [])], engine.clock, trouble);
  await disk.free();
  const rules = new PostgresTlsTable(pool);
  let tlsTable = await rules.current();
  const refresh = setInterval(() => void rules.current().then((table) => (tlsTable = table), trouble), TLS_TABLE_AGE);
  const { relays, close: closeDirectories } = relayDomains(platform, config, key, () => admission.settings);
  const protocol = new SmtpServer({
    directory: srsDirectory(directory, srsKeys(key), engine.clock), relays,
    backlog: new Backlog(pool, engine.clock), disk, admission, bodies, log, sessions, trouble, clock: engine.clock, ids: engine.ids, hostname: host,
    offersTls: (ip) => tlsTable.offers(ip), product: PRODUCT,
    sasl: (mechanism, context) => saslExchange(mechanism, { authenticator, protocol: 'smtp', ...context }),
    offset: (at) => -new Date(at).getTimezoneOffset(),
  });
  const server = new LineServer({
    protocol, ids: engine.ids, tls: certificates, listeners: listenersOf(config), reusePort: config.smtpProcesses > 1,
    limits: () => {
      const { sessionsPerService: total, sessionsPerIp: perIp, sessionTime, proxyIps } = admission.settings;
      return { total, perIp, sessionTime, proxyIps };
    },
    idleTimeout: () => admission.settings.smtpIdleTime,
    trouble,
  });
  metrics.gauge('kiroku_connections', 'Open connections', () => server.size);
  metrics.gauge('kiroku_refusal_facts_dropped', 'Facts of refusals that could not be written', () => protocol.droppedFacts);
  const listeners = await server.listen();
  metrics.gauge('kiroku_certificate_expiry_seconds', 'Seconds until the first certificate expires', () => (certificates.expiresAt - engine.clock.now()) / 1000);
  metrics.gauge('kiroku_disk_free_bytes', 'Bytes free on the disk of the data', () => known(disk));
  platform.live(() => (known(disk) < admission.settings.diskReserve ? `only ${known(disk)} bytes are free on the disk: mail is refused for the time being` : undefined),
    () => [...diskWarnings(known(disk), admission.settings.diskReserve), ...certificateWarnings(certificates.all, engine.clock.now())]);
  logger.info({ listeners: listeners.map((l) => `${l.name} ${l.host}:${l.port}`) }, 'smtp serves');
  return {
    drain: async () => {
      clearInterval(refresh);
      await server.drain(PATIENCE);
      await protocol.settled();
      closeDirectories();
      await bodies.close();
      certificates.close();
      await platform.close();
    },
  };
}

/** As of the last sign of life; a number that JSON has. */
function known(disk: DiskSpace): number {
  void disk.free();
  return Math.min(disk.known, Number.MAX_SAFE_INTEGER);
}

function listenersOf({ bind, smtpPort, submissionPort, smtpsPort }: Config): readonly Listener[] {
  return [
    ...(smtpPort === undefined ? [] : [{ name: 'mx', host: bind, port: smtpPort }]),
    ...(submissionPort === undefined ? [] : [{ name: 'submission', host: bind, port: submissionPort }]),
    ...(smtpsPort === undefined ? [] : [{ name: 'smtps', host: bind, port: smtpsPort, implicitTls: true }]),
  ];
}
