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
import { PostgresMailboxStore } from '@kiroku/infra/read-model/mailboxes/store.js';
import { warmUp } from '@kiroku/infra/read-model/mailboxes/warm-up.js';
import { BackgroundFiller } from '@kiroku/infra/read-model/search-index-background.js';
import { whenIdle } from '@kiroku/infra/read-model/search-index-pace.js';
import { BodyCache } from '@kiroku/infra/read-model/search-index-cache.js';
import { sortColumns } from '@kiroku/infra/read-model/search-index-sorting.js';
import { MailboxSearch } from '@kiroku/infra/read-model/search-index.js';
import type { RunningRole } from '@kiroku/infra/supervise/role-process.js';
import { certificateWarnings } from '@kiroku/infra/telemetry/warnings.js';
import { Imap } from './imap.js';
import { LiveMailboxes } from './mailboxes/live-mailboxes.js';
import { CachedStructures } from './mailboxes/structures.js';
import { rehearse } from './rehearsal/rehearse.js';
import { Standing } from './standing.js';

/** ms that sessions may go on when the process is asked to end. */
const PATIENCE = 20_000;
/** A command of one session must not wait for the search of another. */
const CONNECTIONS = 12;
/** Those that stay open while nobody asks for anything, so that the first who does finds their statements ready. */
const KEPT = 2;

/** The IMAP role. */
export async function startImap(config: Config, postgres: PostgresConnection): Promise<RunningRole> {
  const platform = await openPlatform('imap', { postgres, config, connections: CONNECTIONS, kept: KEPT });
  const { pool, log, engine, sessions, trouble, metrics, logger, hints } = platform;
  const host = config.hostname ?? hostname();
  const admission = new PostgresAdmission(pool, engine);
  await admission.admit('imap', '127.0.0.1'); // settings at hand before the first client
  const directory = new PostgresDirectory(pool, () => admission.settings.tagSeparators);
  const authenticator = new DirectoryAuthenticator(directory, await loadServerKey(config.data));
  const certificates = await Certificates.open({ folder: join(config.data, 'tls'), hostname: host, clock: engine.clock, trouble });
  const bodies = await openBodies(platform, config, true);
  const mailboxes = new PostgresMailboxStore(pool, engine, hints, trouble);
  const cache = new BodyCache(pool, bodies, trouble);
  const index = {
    search: (mailbox: string, looked?: (messages: number) => void) => new MailboxSearch(pool, cache, mailbox, looked),
    columns: (mailbox: string, uids: Uint32Array, headers: boolean) => sortColumns(pool, cache, mailbox, uids, headers),
  };
  const protocol = new Imap(
    {
      admission, authenticator, mailboxes, bodies, index, trouble,
      standing: new Standing((accounts) => directory.mayUseImap(accounts), trouble),
      live: new LiveMailboxes(mailboxes, trouble),
      structures: new CachedStructures(cache),
      log: sessions,
      clock: engine.clock,
    },
    { host, product: PRODUCT },
  );
  const server = new LineServer({
    protocol, ids: engine.ids, tls: certificates, listeners: listenersOf(config), reusePort: config.imapProcesses > 1,
    limits: () => {
      const { sessionsPerService: total, sessionsPerIp: perIp, sessionTime, proxyIps } = admission.settings;
      return { total, perIp, sessionTime, proxyIps };
    },
    idleTimeout: () => admission.settings.imapIdleTime,
    trouble,
  });
  metrics.gauge('kiroku_connections', 'Open connections', () => server.size);
  const listeners = await server.listen();
  const filler = new BackgroundFiller({ pool, log, metrics, trouble, pack: (ids) => mailboxes.pack(ids) }, cache, {}, whenIdle({ asked: () => protocol.commands }));
  await filler.start();
  metrics.gauge('kiroku_certificate_expiry_seconds', 'Seconds until the first certificate expires', () => (certificates.expiresAt - engine.clock.now()) / 1000);
  platform.live(undefined, () => certificateWarnings(certificates.all, engine.clock.now()));
  const ending = new AbortController();
  const warm = warmUp(pool, KEPT).catch(trouble);
  const rehearsal = rehearse(engine, ending.signal).then((refused) => refused.forEach((answer) => trouble(new Error(`rehearsal: ${answer}`))), trouble);
  logger.info({ listeners: listeners.map((l) => `${l.name} ${l.host}:${l.port}`) }, 'imap serves');
  return {
    drain: async () => {
      ending.abort();
      await Promise.all([rehearsal, warm]);
      await Promise.all([server.drain(PATIENCE), filler.stop()]);
      await mailboxes.close();
      await bodies.close();
      certificates.close();
      await platform.close();
    },
  };
}

function listenersOf({ bind, imapPort, imapsPort }: Config): readonly Listener[] {
  return [
    ...(imapPort === undefined ? [] : [{ name: 'imap', host: bind, port: imapPort }]),
    ...(imapsPort === undefined ? [] : [{ name: 'imaps', host: bind, port: imapsPort, implicitTls: true }]),
  ];
}
