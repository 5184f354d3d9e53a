import { tell } from '@kiroku/domain/story/words.js';
import { MESSAGE_STATES, type MessageInfo, type Story } from '@kiroku/infra/admin/messages.js';
import { Option } from 'commander';
import type { Listed } from '../client.js';
import { type Adder, type Columns, leaf, part, type Run, wholeNumber } from '../command.js';
import { say } from '../texts.js';

const COLUMNS: Columns<MessageInfo> = {
  queueId: (m) => m.id, time: (m, run) => run.time(m.acceptedAt ?? m.refusedAt), state: (m) => m.state, sender: (m) => (m.sender === '' ? '<>' : m.sender),
  recipients: (m) => (m.recipients.length > 3 ? `${m.recipients.slice(0, 3).join(', ')} +${m.recipients.length - 3}` : m.recipients.join(', ')),
  size: (m) => m.size, refusedBy: (m) => m.refusedBy,
};
const DETAILS: Columns<MessageInfo> = {
  ...COLUMNS, recipients: (m) => m.recipients.join(', '), headerMessageId: (m) => m.headerMessageId,
  outcome: (m) => `${m.delivered} / ${m.sent} of ${m.remote} / ${m.bounced}`, sha256: (m) => m.sha256, session: (m) => m.session,
};
/** ms that `kiroku story` waits for a message that was only just sent. */
const WAIT = 5_000;
type Id = readonly [string];

export const addMessageCommands: Adder = (program, terminal) => {
  const message = program.command('message').description('what became of mail');
  leaf<readonly [], { sender?: string; recipient?: string; state?: string; since?: string; until?: string; limit: number }>(
    message, terminal, 'list', 'list messages, newest first', async (run, _, { sender, recipient, state, since, until, limit }) => {
      const { items } = await run.api.get<Listed<MessageInfo>>('/messages', { sender, recipient, state, since, until, limit });
      await run.list(items, COLUMNS);
    })
    .option('--sender <address>', 'from this envelope sender')
    .option('--recipient <address>', 'to this envelope recipient')
    .addOption(new Option('--state <state>', 'in this state').choices(MESSAGE_STATES))
    .option('--since <time>', 'ISO 8601 with offset, a date (UTC), or epoch ms')
    .option('--until <time>', 'before that time')
    .option('--limit <messages>', 'at most 1000', wholeNumber, 50);
  leaf<Id, object>(message, terminal, 'show <id>', 'show a message, by queue id or Message-ID', async (run, [id]) =>
    run.show(await run.api.get<MessageInfo>(`/messages/${part(id)}`), DETAILS));
  leaf<Id, { wait: number }>(program, terminal, 'story <id>', 'everything that happened, by queue id, Message-ID or session id', async (run, [id], { wait }) =>
    showStory(run, await run.api.get<Story>(`/messages/${part(id)}/story`, { wait })),
  ).option('--wait <ms>', 'wait for what was only just sent', wholeNumber, WAIT);
};

export function showStory(run: Run, story: Story): void {
  if (run.json) return run.value(story);
  const { language, terminal } = run;
  run.out(`${tell(story.events, { language, offset: terminal.offset }).join('\n')}\n`);
  if (!story.complete) terminal.errors.write(`${say(language, 'incomplete')}\n`);
}
