import { ADMIN_ACTIONS } from '@kiroku/domain/story/admin-actions.js';
import type { ActionInfo } from '@kiroku/infra/admin/actions.js';
import { Option } from 'commander';
import type { Listed } from '../client.js';
import { type Adder, type Columns, leaf, wholeNumber } from '../command.js';
import { say } from '../texts.js';

const COLUMNS: Columns<ActionInfo> = {
  time: (a, run) => run.time(a.at), administrator: (a) => a.actor.replace(/^admin:/, ''), action: (a, run) => run.text(ADMIN_ACTIONS[a.type]), about: (a) => a.subject, reason: (a) => a.reason,
};

interface Options { readonly actor?: string; readonly about?: string; readonly type?: string; readonly since?: string; readonly until?: string; readonly limit: number; readonly after?: string }

/** What administrators did: every act is an event, so the list cannot be tampered with from here. */
export const addAuditCommands: Adder = (program, terminal) => {
  leaf<readonly [], Options>(program, terminal, 'audit', 'what administrators did, newest first', async (run, _, { actor, about, type, since, until, limit, after }) => {
    const page = await run.api.get<Listed<ActionInfo>>('/admin/actions', { actor, subject: about, type, since, until, limit, after });
    if (run.json) return run.value(page);
    await run.list(page.items, COLUMNS);
    if (page.next !== undefined) run.terminal.errors.write(`${say(run.language, 'moreAfter', page.next)}\n`);
  })
    .option('--actor <name>', 'by this administrator')
    .option('--about <subject>', 'about this address, domain, queue id or setting')
    .addOption(new Option('--type <type>', 'of this type of event').choices(Object.keys(ADMIN_ACTIONS)))
    .option('--since <time>', 'ISO 8601 with offset, a date (UTC), or epoch ms')
    .option('--until <time>', 'before that time')
    .option('--limit <actions>', 'at most 1000', wholeNumber, 50)
    .option('--after <id>', 'the next page: `next` of the one before');
};
