import { openPool } from '@kiroku/infra/read-model/database.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { Kiroku } from '@kiroku/infra/rig/kiroku.js';
import type { Elsewhere } from '@kiroku/infra/rig/remote/elsewhere.js';
import { withDatabase } from '@kiroku/infra/supervise/local-database.js';
import type { OutboundServer } from './outbound-sut.js';
import { stopAtEnd } from './sut.js';

/** A throw-away Kiroku with its defaults that relays for 127.0.0.1 and has no domain of its own. */
export async function startOutboundKiroku(elsewhere: Elsewhere): Promise<OutboundServer> {
  const kiroku = await Kiroku.start({ env: elsewhere.env, session: true });
  const stop = stopAtEnd(() => kiroku.remove());
  await kiroku.must('settings', 'set', 'trustedIps=127.0.0.1', 'hostname=bench.test', 'outboundLoopback=on');
  return {
    name: 'Kiroku',
    version: `Kiroku ${(await kiroku.must('--version')).trim()}`,
    smtpPort: kiroku.ports.smtp,
    processes: () => kiroku.processes(),
    queueProcesses: () => kiroku.pidsOf('delivery'),
    waiting: () => waitingIn(kiroku.data),
    stop,
  };
}

/** Messages with a recipient that was tried at least once and waits. */
async function waitingIn(data: string): Promise<number> {
  let waiting = 0;
  await withDatabase(readConfig({ KIROKU_DATA: data }), async (connection) => {
    const pool = openPool(connection, 1);
    try {
      const { rows } = await pool.query<{ n: string }>('SELECT count(DISTINCT message_id) AS n FROM view.queue_1 WHERE last_at IS NOT NULL');
      waiting = Number(rows[0]?.n);
    } finally {
      await pool.end();
    }
  });
  return waiting;
}
