import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import type { Attempt, AttemptResult, QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import type { RetrySettings } from '@kiroku/domain/delivery/retry-settings.js';
import type { Outcome } from '@kiroku/domain/story/outcomes.js';
import type { Story } from '@kiroku/infra/admin/messages.js';
import type { QueueItem } from '@kiroku/infra/admin/queue.js';
import type { QueueStory } from '@kiroku/infra/admin/queue-story.js';
import { SmtpClient, type SmtpReply } from '@kiroku/infra/rig/smtp-client.js';
import { Elsewhere } from '@kiroku/infra/rig/remote/elsewhere.js';
import { startSmtpSink, type SinkOptions, type SmtpSink } from '@kiroku/infra/rig/remote/smtp-sink.js';
import { type Script, ScriptedSmtp, type ScriptedOptions } from '@kiroku/infra/rig/scripted-smtp.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, ServerUnderTest } from './harness.js';

const STARTING = 120_000; // ms
const SHORTLY = 1_000; // ms for one message
const PATIENCE = 20_000; // ms until what should happen at once has happened

/** RCPT TO with its parameters, e.g. `NOTIFY=SUCCESS`. */
export type Recipient = string | { readonly address: string; readonly parameters: string };

export interface Posting {
  readonly to: readonly Recipient[];
  readonly from?: string;
  /** Of MAIL FROM, e.g. `RET=HDRS ENVID=abc`. */
  readonly parameters?: string;
  readonly body: Uint8Array;
}

/** A Kiroku that relays for this machine, and the rest of the world, which is what the test makes of it. */
export class OutboundScene {
  readonly server: ServerUnderTest;
  #elsewhere: Elsewhere | undefined;
  readonly #started: { stop(): Promise<void> }[] = [];
  #probe: SmtpSink | undefined;
  #changes = 0;
  #probes = 0;

  /** @param more of the server's environment. */
  constructor(users: readonly string[], more: () => Readonly<Record<string, string>> = () => ({})) {
    const env = (): Readonly<Record<string, string>> => ({ ...this.elsewhere.env, ...more() });
    // The world's ports are known only when it is there.
    this.server = new ServerUnderTest(users, {
      get env() {
        return env();
      },
    });
  }

  get elsewhere(): Elsewhere {
    if (!this.#elsewhere) throw new Error('the world is not there yet');
    return this.#elsewhere;
  }

  async start(): Promise<void> {
    this.#elsewhere = await Elsewhere.start();
    await this.server.start();
    this.#probe = await this.sink([], { keep: true });
    await this.set('trustedIps=127.0.0.1', 'outboundLoopback=on');
  }

  /** What the server calls itself now. */
  get hostname(): string {
    return `mx${this.#changes}.x.test`;
  }

  /**
   * Changes settings and waits until all processes go by them: the name that the server says is changed along. Each message that
   * asks for it goes to a domain of its own, since a connection once made goes on under the old name; it has no sender, so that
   * nobody hears of it.
   */
  async set(...changes: readonly string[]): Promise<void> {
    this.#changes += 1;
    await this.server.kiroku.must('settings', 'set', `hostname=${this.hostname}`, ...changes);
    await until(`the settings hold (${this.hostname})`, PATIENCE, async () => {
      const domain = `probe${++this.#probes}.test`;
      if (this.#probe) this.elsewhere.route(this.#probe.host, domain);
      await this.post({ from: '', to: [`probe@${domain}`], body: Buffer.from('Subject: probe\r\n\r\n') });
      return until('the probe shows it', SHORTLY, () => this.#probe?.mails().some((mail) => mail.helo === this.hostname)).catch(() => false);
    });
  }

  async remove(): Promise<void> {
    await this.server.remove();
    await Promise.all(this.#started.splice(0).map((one) => one.stop()));
    await this.#elsewhere?.stop();
  }

  /** Ended with the scene. */
  keep<T extends { stop(): Promise<void> }>(server: T): T {
    this.#started.push(server);
    return server;
  }

  /** An smtp-sink that is the mail server of these domains. */
  async sink(domains: readonly string[], options: SinkOptions = {}): Promise<SmtpSink> {
    const host = options.host ?? this.elsewhere.nextHost();
    const sink = this.keep(await startSmtpSink({ host, port: this.elsewhere.port, ...options }));
    this.elsewhere.route(host, ...domains);
    return sink;
  }

  /** The mail server of these domains does what the script says, which the test may change at any time. */
  async scripted(domains: readonly string[], script: Script = {}, options: ScriptedOptions = {}): Promise<ScriptedSmtp> {
    const host = this.elsewhere.nextHost();
    const server = await ScriptedSmtp.listen(script, { host, port: this.elsewhere.port, ...options });
    this.keep({ stop: () => server.close() });
    this.elsewhere.route(host, ...domains);
    return server;
  }

  /** How often and how long it is tried. */
  async retry(settings: Partial<RetrySettings>): Promise<void> {
    await this.set(`retry=${JSON.stringify(settings)}`);
  }

  /** Hands a message in from this machine. @returns its queue id. */
  async post({ to, from = addressOf('ann'), parameters = '', body }: Posting): Promise<string> {
    const client = await SmtpClient.hello({ port: this.server.kiroku.ports.smtp });
    try {
      const recipients = to.map((one) => (typeof one === 'string' ? `RCPT TO:<${one}>` : `RCPT TO:<${one.address}> ${one.parameters}`));
      const envelope = [`MAIL FROM:<${from}>${parameters && ` ${parameters}`}`, ...recipients];
      client.socket.write(envelope.map((line) => `${line}\r\n`).join(''));
      for (const line of envelope) accepted(line, await client.read());
      accepted('DATA', await client.command('DATA'));
      const reply = await client.sendData(body);
      const id = /id <([^>]+)>/.exec(reply.lines.join(' '))?.[1];
      if (reply.code !== 250 || id === undefined) throw new Error(`end of data: ${reply.code} ${reply.lines.join(' ')}`);
      return id;
    } finally {
      await client.quit();
    }
  }

  /** As `kiroku story ID --json`, without a process for each: most wait for something in it. @param wait ms for it to be complete. */
  story(id: string, wait = 0): Promise<Story> {
    return this.#ask<Story>(`messages/${id}/story?wait=${wait}`);
  }

  /** As `kiroku queue show ID --json`: what was decided about recipients elsewhere, at once. The story follows the log, and gives way where the machine is busy. */
  decided(id: string): Promise<QueueStory> {
    return this.#ask<QueueStory>(`queue/messages/${id}`);
  }

  async #ask<T>(what: string): Promise<T> {
    const { data, ports } = this.server.kiroku;
    const token = readFileSync(join(data, 'admin.token'), 'utf8').trim();
    const answer = await fetch(`http://127.0.0.1:${ports.http}/api/v1/${what}`, { headers: { authorization: `Bearer ${token}` } });
    if (!answer.ok) throw new Error(`${what}: ${answer.status}`);
    return (await answer.json()) as T;
  }

  decidedWith(what: string, id: string, fulfils: (told: QueueStory) => boolean, ms = PATIENCE): Promise<QueueStory> {
    return until(what, ms, async () => {
      const told = await this.decided(id);
      return fulfils(told) && told;
    });
  }

  /** Every recipient elsewhere was tried. */
  tried(id: string): Promise<QueueStory> {
    return this.decidedWith(`every recipient of ${id} was tried`, id, (told) => {
      const queued = dataOf<QueueFact<'MessageQueued'>>(told, 'MessageQueued').flatMap(({ recipients }) => recipients);
      return queued.length > 0 && queued.every(({ address }) => triesOf(told, address).length > 0);
    });
  }

  /** The story, as soon as it fulfils this. */
  storyWith(what: string, id: string, fulfils: (story: Story) => boolean, ms = PATIENCE): Promise<Story> {
    return until(what, ms, async () => {
      const story = await this.story(id);
      return fulfils(story) && story;
    });
  }

  /** Every recipient was tried or needs no try any more. */
  settled(id: string): Promise<Story> {
    const told = ({ ends }: Outcome): boolean => ends.length > 0 && ends.every((end) => end.kind !== 'waiting' || end.last !== undefined);
    return this.storyWith(`every recipient of ${id} was tried`, id, ({ outcomes }) => outcomes.length > 0 && outcomes.every(told));
  }

  async waiting(): Promise<readonly QueueItem[]> {
    return JSON.parse(await this.server.kiroku.must('queue', 'list', '--json')) as QueueItem[];
  }
}

function accepted(line: string, { code, lines }: SmtpReply): void {
  if (code >= 400) throw new Error(`${line}: ${code} ${lines.join(' ')}`);
}

/** A scene for all tests of the file. */
export function useOutbound(users: readonly string[], more?: () => Readonly<Record<string, string>>): OutboundScene {
  const scene = new OutboundScene(users, more);
  beforeAll(() => scene.start(), STARTING);
  afterAll(() => scene.remove(), 60_000);
  return scene;
}

/** A plain message with this token as its subject. */
export const plain = (token: string, text = 'hello'): Buffer => Buffer.from(`From: <${addressOf('ann')}>\r\nSubject: ${token}\r\n\r\n${text}\r\n`);

/** Whatever tells events. */
export type Told = Pick<Story, 'events'>;

/** An attempt of a story with its time. */
export type TimedAttempt = Attempt & { readonly at: number };

export const attemptsIn = ({ events }: Told): TimedAttempt[] =>
  events.filter((event) => event.type === 'DeliveryAttempted').map((event) => ({ ...(event.data as Attempt), at: event.at }));

/** Every result for this recipient, in order, with its time. */
export const triesOf = (story: Told, address: string): (AttemptResult & { readonly at: number })[] =>
  attemptsIn(story).flatMap(({ at, results }) => results.filter((result) => result.address === address).map((result) => ({ ...result, at })));

/** Data of all events of this type. */
export const dataOf = <T>({ events }: Told, type: string): T[] => events.filter((event) => event.type === type).map((event) => event.data as T);
