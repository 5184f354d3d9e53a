import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import type pg from 'pg';
import { Rebuild } from './rebuild.js';
import { INLINE_VIEWS } from './views.js';

/**
 * Builds inline views that a migration has added, from the history before it. Before any role runs: until then nobody may append, or
 * the view would lack what came in between. A start that is cut off goes on with it the next time.
 * @returns names of the views built.
 */
export async function buildNewViews(pool: pg.Pool, log: EventLog, building: (view: string) => void = () => undefined): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>('SELECT name FROM ops.unbuilt_view');
  const views = INLINE_VIEWS.filter((view) => rows.some(({ name }) => name === view.name));
  for (const view of views) {
    building(view.name);
    if ((await log.head('decision', 0)) > 0) await new Rebuild(log, pool, view).replace();
    await pool.query('DELETE FROM ops.unbuilt_view WHERE name = $1', [view.name]);
  }
  return views.map((view) => view.name);
}
