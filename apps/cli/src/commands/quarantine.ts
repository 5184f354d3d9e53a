import type { QuarantinedInfo } from '@kiroku/infra/admin/quarantine.js';
import { Failed } from '../client.js';
import { type Adder, type Columns, leaf, part } from '../command.js';
import { say } from '../texts.js';

const COLUMNS: Columns<QuarantinedInfo> = {
  queueId: (m) => m.messageId, state: (m, run) => say(run.language, m.state === 'aside' ? 'aside' : 'retrying'), time: (m, run) => run.time(m.asideAt), tries: (m) => m.tries, size: (m) => m.size,
  error: (m) => m.error,
};

/** Messages that a fault of the server keeps from being delivered here. */
export const addQuarantineCommands: Adder = (program, terminal) => {
  const quarantine = program.command('quarantine').description('messages that a fault of this server keeps from their mailboxes');
  leaf(quarantine, terminal, 'list', 'list messages set aside; `story` tells more of each', (run) => run.list(run.api.all<QuarantinedInfo>('/quarantine'), COLUMNS));
  leaf<readonly [string | undefined], { all?: boolean; reason: string }>(quarantine, terminal, 'retry [id]', 'have one tried again, or all', async (run, [id], { all, reason }) => {
    if ((id === undefined) === (all !== true)) throw new Failed('oneOrAll', [], true);
    const answer = await run.api.post<{ retried: number }>(id === undefined ? '/quarantine/retry' : `/quarantine/${part(id.toUpperCase())}/retry`, { reason });
    run.done('retryAsked', String(answer.retried), answer);
  })
    .option('--all', 'all that are set aside')
    .requiredOption('--reason <text>', 'why, for the story');
  leaf<readonly [string], { reason: string }>(quarantine, terminal, 'discard <id>', 'give one up for good: it is never delivered', async (run, [id], { reason }) => {
    const name = id.toUpperCase();
    run.done('discarded', name, await run.api.post(`/quarantine/${part(name)}/discard`, { reason }));
  })
    .requiredOption('--reason <text>', 'why, for the story');
};
