import { describe, expect } from '@jest/globals';
import type { QueueItem } from '@kiroku/infra/admin/queue.js';
import type { CommandResult } from '@kiroku/infra/rig/kiroku.js';
import { alive, signalAll } from '@kiroku/infra/rig/processes.js';
import { haveSmtpSink } from '@kiroku/infra/rig/remote/smtp-sink.js';
import type { Script, ScriptedSmtp } from '@kiroku/infra/rig/scripted-smtp.js';
import { until } from '@kiroku/infra/rig/until.js';
import { REASONS } from '../texts.js';
import { addressOf } from './harness.js';
import { attemptsIn, dataOf, plain, type Told, triesOf, useOutbound } from './outbound-scene.js';
import { parseReport } from './reports.js';

const BUSY: Script = { RCPT: '450 4.7.1 come again', DATA: '554 5.5.1 for nobody' };
const WHY = 'ticket 7: the author asked';
const SECOND = 1_000;
const SUPERVISOR = 30_000; // ms that the supervisor gives a role to end

if (haveSmtpSink()) {
  const scene = useOutbound(['ann']);
  const { server } = scene;

  const queue = (...args: readonly string[]): Promise<CommandResult> => server.kiroku.cli('queue', ...args);
  const order = (...args: readonly string[]): Promise<CommandResult> => queue(...args, '--reason', WHY);
  const done = (words: string): CommandResult => ({ code: 0, stdout: `${words}\n`, stderr: '' });
  const refused = (reason: keyof typeof REASONS, about: string): CommandResult => ({ code: 1, stdout: '', stderr: `kiroku: ${REASONS[reason].en}: ${about}\n` });
  const rowsOf = async (id: string): Promise<readonly QueueItem[]> => JSON.parse(await server.kiroku.must('queue', 'list', '--message', id, '--json')) as QueueItem[];

  /** Mail that waits for two minutes, because its server is busy. */
  async function waitingMail(domain: string, users: readonly string[] = ['carl'], script: Script = BUSY): Promise<{ readonly id: string; readonly remote: ScriptedSmtp }> {
    const remote = await scene.scripted([domain], script);
    const id = await scene.post({ to: users.map((user) => `${user}@${domain}`), body: plain(domain) });
    await scene.tried(id);
    return { id, remote };
  }

  const sent = (id: string, address: string): Promise<Told> =>
    scene.decidedWith(`${address} has it`, id, (story) => triesOf(story, address).at(-1)?.outcome === 'delivered', 40 * SECOND);
  const came = (remote: ScriptedSmtp, recipient: string): Promise<true> =>
    until(`mail for ${recipient} has arrived`, 20_000, () => remote.messages.some((message) => message.rcpt.some((rcpt) => rcpt.includes(`<${recipient}>`))));
  /** Who ordered what, and why. */
  const ordersIn = ({ events }: Told): unknown[] =>
    events.filter(({ data }) => (data as { reason?: string }).reason !== undefined).map(({ type, actor, data }) => ({ type, actor, ...(data as object) }));
  const ordered = (type: string, messageId: string, address: string, more: object = {}): unknown =>
    expect.objectContaining({ type, messageId, address, reason: WHY, actor: 'admin:admin', ...more });

  describe('mail that waits', () => {
    server.it('stays when it is held, though its time comes and others are served, and leaves when it is released', async () => {
      await scene.retry({ destinations: { 'held.test': { interval: SECOND, longest: SECOND } } });
      const { id, remote } = await waitingMail('held.test');
      expect(await order('hold', id, 'carl@held.test')).toEqual(done(`${id} carl@held.test: held`));
      const { events } = await scene.decided(id);
      remote.script = {};
      await until('its time has come', 5_000, () => Date.now() > (triesOf({ events }, 'carl@held.test').at(-1)?.nextAt ?? 0));
      await scene.post({ to: ['dora@held.test'], body: plain('another') });
      await came(remote, 'dora@held.test');
      expect(remote.messages).toHaveLength(1);
      expect(await rowsOf(id)).toMatchObject([{ address: 'carl@held.test', state: 'held', nextAt: null, lastReply: '450 4.7.1 come again' }]);
      expect(await order('hold', id, 'carl@held.test')).toEqual(refused('already-held', 'carl@held.test'));
      expect(await order('retry', id)).toEqual(refused('held', 'carl@held.test'));
      expect(await order('release', id)).toEqual(done(`${id} carl@held.test: released`));
      await sent(id, 'carl@held.test');
      expect(ordersIn(await scene.storyWith('it is told', id, (told) => triesOf(told, 'carl@held.test').at(-1)?.outcome === 'delivered'))).toEqual([ordered('RecipientHeld', id, 'carl@held.test'), ordered('RecipientReleased', id, 'carl@held.test')]);
      const told = await server.kiroku.must('story', id);
      for (const words of [`reason: ${WHY}\n`, 'by: admin:admin\n']) expect(told.split(words)).toHaveLength(3);
      expect(await rowsOf(id)).toEqual([]);
    });

    server.it('is tried at once when somebody asks for it, and its schedule goes on', async () => {
      const { id, remote } = await waitingMail('now.test');
      expect(await order('retry', id)).toEqual(done(`${id} carl@now.test: due now`));
      const story = await scene.decidedWith('it was tried again', id, (told) => triesOf(told, 'carl@now.test').length === 2);
      const [first, second] = triesOf(story, 'carl@now.test');
      expect(second!.at).toBeLessThan(first!.nextAt!);
      expect(second!.why).toMatch(/: try 2, next in \d+ s, given up after 8 h$/);
      remote.script = {};
      expect(await queue('retry', '--destination', 'now.test', '--reason', WHY)).toMatchObject({ code: 0, stdout: expect.stringContaining('recipients 1: done 1, refused 0\n') });
      expect(ordersIn(await sent(id, 'carl@now.test'))).toEqual([ordered('RetryRequested', id, 'carl@now.test'), ordered('RetryRequested', id, 'carl@now.test')]);
    });

    server.it('goes to the server that an administrator names, and on its usual way again', async () => {
      const { id, remote } = await waitingMail('moved.test', ['carl', 'dora']);
      const other = await scene.scripted([]);
      const route = `${other.options.host}:${other.port}`;
      expect(await order('reroute', id, 'carl@moved.test', '--to', route)).toEqual(done(`${id} carl@moved.test: rerouted`));
      const story = await sent(id, 'carl@moved.test');
      expect(attemptsIn(story).at(-1)).toMatchObject({ route: 'gateway', ip: other.options.host, port: other.port });
      expect(other.messages.map((message) => message.rcpt)).toEqual([['TO:<carl@moved.test>']]);
      expect(remote.heard.filter((line) => line.includes('carl@'))).toHaveLength(1);
      expect(ordersIn(story)).toEqual([ordered('RecipientRerouted', id, 'carl@moved.test', { route })]);
      expect(await order('reroute', id, 'dora@moved.test', '--usual')).toEqual(refused('same-route', 'dora@moved.test'));
      expect(await order('reroute', id, 'dora@moved.test', '--to', 'nowhere')).toEqual(refused('bad-route', 'nowhere'));
    });

    server.it('goes to another address, with a schedule of its own', async () => {
      const { id, remote } = await waitingMail('typo.test', ['crla'], { RCPT: (line) => (line.includes('<crla@') ? '450 4.2.1 no such name yet' : undefined) });
      expect(await order('change', id, 'crla@typo.test', 'carl@typo.test')).toEqual(done('changed: crla@typo.test → carl@typo.test'));
      await came(remote, 'carl@typo.test');
      const story = await scene.storyWith('it is told', id, (told) => told.complete && triesOf(told, 'carl@typo.test').length === 1);
      expect(story.outcomes).toMatchObject([{ recipient: 'crla@typo.test', ends: [{ kind: 'sent', address: 'carl@typo.test' }] }]);
      expect(ordersIn(story)).toEqual([ordered('RecipientChanged', id, 'crla@typo.test', { to: 'carl@typo.test' })]);
    });

    server.it('is returned when an administrator gives it up, and the sender does not hear why', async () => {
      const { id } = await waitingMail('closed.test');
      expect(await order('bounce', id)).toEqual(done(`${id} carl@closed.test: bounced`));
      const mail = await server.arrived('ann', 'rfc822; carl@closed.test');
      expect((await parseReport(mail)).recipients).toMatchObject([{ action: 'failed', status: '5.7.1', 'final-recipient': 'rfc822; carl@closed.test' }]);
      expect(mail.includes(WHY)).toBe(false);
      const story = await scene.decidedWith('the report was sent', id, (told) => dataOf(told, 'NoticeSent').length > 0);
      expect(dataOf(story, 'RecipientBounced')).toMatchObject([{ rule: 'bounced-by-administrator', reply: expect.stringMatching(/^554 5\.7\.1 /) }]);
      expect(ordersIn(story)).toEqual([ordered('RecipientBounced', id, 'carl@closed.test')]);
      expect(await rowsOf(id)).toEqual([]);
    });

    server.it('is taken out without a word to its sender', async () => {
      const { id, remote } = await waitingMail('stolen.test', ['carl', 'dora']);
      expect(await order('remove', id)).toMatchObject({ code: 2, stderr: expect.stringContaining('that is about 2 recipients') });
      expect(await rowsOf(id)).toHaveLength(2);
      expect(await order('remove', id, '--yes')).toEqual(done(`${id} carl@stolen.test: removed\n${id} dora@stolen.test: removed`));
      const story = await scene.decidedWith('both are removed', id, (told) => dataOf(told, 'RecipientRemoved').length === 2);
      expect(ordersIn(story)).toEqual([ordered('RecipientRemoved', id, 'carl@stolen.test'), ordered('RecipientRemoved', id, 'dora@stolen.test')]);
      expect(dataOf(story, 'NoticeOwed')).toEqual([]);
      expect(await rowsOf(id)).toEqual([]);
      expect(remote.messages).toEqual([]);
    });
  });

  describe('an order about mail', () => {
    server.it('that is not there, or not there any more, is refused and changes nothing', async () => {
      const { id, remote } = await waitingMail('gone.test');
      remote.script = {};
      expect((await order('retry', id)).code).toBe(0);
      await sent(id, 'carl@gone.test');
      for (const verb of ['hold', 'release', 'retry', 'bounce', 'remove']) {
        expect(await order(verb, id, 'carl@gone.test')).toEqual(refused('unknown-recipient', 'carl@gone.test'));
        expect(await order(verb, '00000000000000Z')).toEqual(refused('unknown-recipient', '00000000000000Z'));
      }
      expect(await order('reroute', id, '--to', '127.0.0.1:25')).toEqual(refused('unknown-recipient', id));
      expect(await order('change', id, 'carl@gone.test', 'dora@gone.test')).toEqual(refused('unknown-recipient', 'carl@gone.test'));
      expect(await queue('show', '00000000000000Z')).toEqual(refused('no-such-message', '00000000000000Z'));
      expect(ordersIn(await scene.decided(id))).toEqual([ordered('RetryRequested', id, 'carl@gone.test')]);
      expect(remote.messages).toHaveLength(1);
    });

    server.it('is refused where it does not apply, and needs a reason', async () => {
      const { id } = await waitingMail('wrong.test', ['carl', 'dora']);
      expect(await order('release', id, 'carl@wrong.test')).toEqual(refused('not-held', 'carl@wrong.test'));
      expect(await order('change', id, 'carl@wrong.test', addressOf('ann'))).toEqual(refused('local-address', addressOf('ann')));
      expect(await order('change', id, 'carl@wrong.test', 'dora@wrong.test')).toEqual(refused('already-a-recipient', 'dora@wrong.test'));
      expect((await queue('hold', id, 'carl@wrong.test')).code).toBe(2);
      // One of those that are named is not there: none is held.
      expect(await order('hold', id, 'carl@wrong.test', 'emil@wrong.test', '--yes')).toEqual(refused('unknown-recipient', 'emil@wrong.test'));
      expect((await order('hold', id, '--recipient', 'carl@wrong.test')).code).toBe(0);
      const story = await scene.decidedWith('one is held', id, (told) => dataOf(told, 'RecipientHeld').length > 0);
      expect(ordersIn(story)).toEqual([ordered('RecipientHeld', id, 'carl@wrong.test')]);
    });

    server.it('that is being sent comes too late when the other server takes it, and holds when it does not', async () => {
      const answers = new Map(['taken', 'deferred'].map((user) => [user, Promise.withResolvers<void>()]));
      const remote = await scene.scripted(['busy.test'], {
        'end-of-data': (_, { rcpt }) => {
          const user = /<(\w+)@/.exec(rcpt[0] ?? '')?.[1] ?? '';
          const when = answers.get(user)?.promise;
          return when && { when, say: user === 'taken' ? '250 2.0.0 kept' : '451 4.3.0 try again' };
        },
      });
      const held = async (user: string): Promise<string> => {
        const id = await scene.post({ to: [`${user}@busy.test`], body: plain(user) });
        await until(`mail for ${user} is on its way`, 20_000, () => remote.heard.some((line) => line.includes(`<${user}@`)));
        expect(await order('hold', id)).toEqual(done(`${id} ${user}@busy.test: held`));
        answers.get(user)?.resolve();
        return id;
      };
      const [taken, deferred] = [await held('taken'), await held('deferred')];
      await sent(taken, 'taken@busy.test');
      // The order and the attempt are told of by two topics: either may be heard of first.
      const story = await scene.storyWith('it was tried and is held', deferred, (told) => triesOf(told, 'deferred@busy.test').length === 1 && told.outcomes[0]?.ends[0]?.kind === 'held');
      expect(story.outcomes[0]?.ends).toMatchObject([{ kind: 'held', reason: WHY, last: { attempts: 1, reply: '451 4.3.0 try again' } }]);
      expect(await rowsOf(deferred)).toMatchObject([{ state: 'held' }]);
      expect(await rowsOf(taken)).toEqual([]);
    });
  });

  describe('a server elsewhere that hangs up before it answers the end of the message', () => {
    server.it('is sent the message again, and list and story say that it may have it twice', async () => {
      const remote = await scene.scripted(['twice.test'], { 'end-of-data': { drop: true } });
      const id = await scene.post({ to: ['carl@twice.test'], body: plain('twice') });
      await scene.tried(id);
      const unknown = JSON.parse(await server.kiroku.must('queue', 'list', '--outcome', 'unknown', '--json')) as QueueItem[];
      expect(unknown).toMatchObject([{ messageId: id, attempts: 1, lastOutcome: 'unknown', lastReply: expect.stringMatching(/^450 4\.4\.2 Connection dropped/) }]);
      remote.script = {};
      expect((await order('retry', id)).code).toBe(0);
      const story = await sent(id, 'carl@twice.test');
      expect(triesOf(story, 'carl@twice.test')).toMatchObject([{ outcome: 'unknown', cause: 'line', phase: 'end-of-data' }, { outcome: 'delivered' }]);
      expect(remote.heard.filter((line) => line === 'DATA')).toHaveLength(2);
      expect(dataOf(story, 'NoticeOwed')).toEqual([]);
    });
  });

  describe('the delivery role that is asked to end', () => {
    const delivery = (): number => server.kiroku.pidsOf('delivery')[0] ?? 0;
    /** A server that answers the end of the message when told to. */
    async function thinking(domain: string, when: Promise<unknown>): Promise<{ readonly id: string; readonly remote: ScriptedSmtp }> {
      const remote = await scene.scripted([domain], { 'end-of-data': { say: '250 2.0.0 kept', when } });
      const id = await scene.post({ to: [`carl@${domain}`], body: plain(domain) });
      await until('the message is at the end of data', 20_000, () => remote.connections.some((one) => one.counts.has('DATA') && one.reads.join('').endsWith('\r\n.\r\n')));
      return { id, remote };
    }
    const ended = (pid: number): Promise<number> => {
      const since = performance.now();
      return until('it has ended', SUPERVISOR, () => !alive(pid) && performance.now() - since);
    };

    server.it('waits for the answer that it is owed, and another one takes its place', async () => {
      const answer = Promise.withResolvers<void>();
      const { id, remote } = await thinking('thinks.test', answer.promise);
      const pid = delivery();
      signalAll([pid], 'SIGTERM');
      const [, next] = [answer.resolve(), await scene.post({ to: ['dora@thinks.test'], body: plain('meanwhile') })];
      await ended(pid);
      expect(triesOf(await sent(id, 'carl@thinks.test'), 'carl@thinks.test')).toMatchObject([{ outcome: 'delivered' }]);
      await sent(next, 'dora@thinks.test');
      expect(remote.messages.map((message) => message.rcpt)).toEqual([['TO:<carl@thinks.test>'], ['TO:<dora@thinks.test>']]);
      expect(delivery()).not.toBe(pid);
    });

    server.it('does not wait for ever, and what it knows nothing of is said to be unknown and sent again', async () => {
      await scene.retry({ destinations: { 'never.test': { interval: SECOND } } });
      const { id, remote } = await thinking('never.test', new Promise(() => undefined));
      remote.script = {};
      const pid = delivery();
      signalAll([pid], 'SIGTERM');
      await ended(pid);
      expect(triesOf(await sent(id, 'carl@never.test'), 'carl@never.test')).toMatchObject([{ outcome: 'unknown', phase: 'end-of-data' }, { outcome: 'delivered' }]);
      expect(remote.messages).toHaveLength(1);
    }, 60_000);
  });
}
