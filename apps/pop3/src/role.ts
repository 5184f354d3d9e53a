import { hostname } from 'node:os';
import { join } from 'node:path';
import { DirectoryAuthenticator } from '@kiroku/infra/auth/directory-authenticator.js';
import { loadServerKey } from '@kiroku/infra/auth/seal.js';
import type { Config } from '@kiroku/infra/config/config.js';
import { Certificates } from '@kiroku/infra/net/certificates.js';
import { type Listener, LineServer } from '@kiroku/infra/net/line-server.js';
import { openBodies } from '@kiroku/infra/platform/bodies.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import { PRODUCT } from '@kiroku/infra/platform/product.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { PostgresAdmission } from '@kiroku/infra/read-model/admission.js';
import { PostgresDirectory } from '@kiroku/infra/read-model/directory.js';
import { PostgresMaildrops } from '@kiroku/infra/read-model/maildrops.js';
import type { RunningRole } from '@kiroku/infra/supervise/role-process.js';
import { certificateWarnings } from '@kiroku/infra/telemetry/warnings.js';
import { Pop3 } from './pop3.js';

/** ms that sessions may go on when the process is asked to end. */
const PATIENCE = 20_000;

/** The POP3 role. */
export async function startPop3(config: Config, postgres: PostgresConnection): Promise<RunningRole> {
  const platform = await openPlatform('pop3', { postgres, config, connections: 4 });
  const { pool, address, engine, sessions, trouble, metrics, logger } = platform;
  const host = config.hostname ?? hostname();
  const admission = new PostgresAdmission(pool, engine);
  await admission.admit('pop3', '127.0.0.1'); // settings at hand before the first client
  const directory = new PostgresDirectory(pool, () => admission.settings.tagSeparators);
  const authenticator = new DirectoryAuthenticator(directory, await loadServerKey(config.data));
  const certificates = await Certificates.open({ folder: join(config.data, 'tls'), hostname: host, clock: engine.clock, trouble });
  const bodies = await openBodies(platform, config, false);
  const maildrops = new PostgresMaildrops(pool, address, engine, trouble);
  const protocol = new Pop3({ admission, authenticator, maildrops, bodies, log: sessions, clock: engine.clock, trouble }, { host, product: PRODUCT });
  const server = new LineServer({
    protocol, ids: engine.ids, tls: certificates, listeners: listenersOf(config), reusePort: config.pop3Processes > 1,
    limits: () => {
      const { sessionsPerService: total, sessionsPerIp: perIp, sessionTime, proxyIps } = admission.settings;
      return { total, perIp, sessionTime, proxyIps };
    },
    idleTimeout: () => admission.settings.pop3IdleTime,
    trouble,
  });
  metrics.gauge('kiroku_connections', 'Open connections', () => server.size);
  const listeners = await server.listen();
  metrics.gauge('kiroku_certificate_expiry_seconds', 'Seconds until the first certificate expires', () => (certificates.expiresAt - engine.clock.now()) / 1000);
  platform.live(undefined, () => certificateWarnings(certificates.all, engine.clock.now()));
  logger.info({ listeners: listeners.map((l) => `${l.name} ${l.host}:${l.port}`) }, 'pop3 serves');
  return {
    drain: async () => {
      await server.drain(PATIENCE);
      await maildrops.close();
      await bodies.close();
      certificates.close();
      await platform.close();
    },
  };
}

function listenersOf({ bind, pop3Port, pop3sPort }: Config): readonly Listener[] {
  return [
    ...(pop3Port === undefined ? [] : [{ name: 'pop3', host: bind, port: pop3Port }]),
    ...(pop3sPort === undefined ? [] : [{ name: 'pop3s', host: bind, port: pop3sPort, implicitTls: true }]),
  ];
}
