import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { addressOf } from './harness.js';

/** A message as its sender remembers it. */
export interface Sent {
  readonly users: readonly string[];
  /** Its queue id, from the reply to DATA. */
  readonly id: string;
  readonly length: number;
  readonly sha1: string;
  /** When it was begun and, if it was, acknowledged, as `performance.now()` tells. */
  readonly begun: number;
  readonly at?: number;
}

/** All that counts of what senders were told. */
export interface Told {
  readonly acknowledged: ReadonlyMap<string, Sent>;
  readonly uncertain: ReadonlyMap<string, Sent>;
}

export interface Manner {
  /** Where the server is, if not on the loopback address. */
  readonly host?: string;
  /** ms at most between two messages of a sender: a steady load, not a flood. */
  readonly pace?: number;
  /** ms a sender waits for a reply before it gives up on the connection. */
  readonly answer?: number;
}

const ANSWER = 30_000;
const PACE = 20;

export const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

/** Several senders that go on through every failure and remember what they were told about each message. */
export class Senders implements Told {
  /** 250 was received: has to be in each of its mailboxes exactly once. */
  readonly acknowledged = new Map<string, Sent>();
  /** No answer to the end of data, or one that leaves it open: at most once. */
  readonly uncertain = new Map<string, Sent>();
  /** Replies that were neither 250 nor temporary: there must be none. */
  readonly surprises: string[] = [];
  /** How often they were told to come again later, and how often a connection broke or could not be made. */
  deferrals = 0;
  breaks = 0;
  #count = 0;
  #running: Promise<unknown> | undefined;
  #stopped = false;

  constructor(
    private readonly port: number,
    private readonly users: readonly string[],
    /** Part of every token, so that tokens of different runs differ. */
    private readonly name: string,
    private readonly random: () => number,
    private readonly toAddress: (user: string) => string = addressOf,
    private readonly manner: Manner = {},
  ) {}

  start(senders: number): void {
    this.#stopped = false;
    this.#running = Promise.all(Array.from({ length: senders }, () => this.#sender()));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #sender(): Promise<void> {
    const { host, pace = PACE } = this.manner;
    while (!this.#stopped) {
      try {
        const client = await SmtpClient.hello({ port: this.port, ...(host !== undefined && { host }) });
        try {
          while (!this.#stopped && (await this.#sendOne(client))) await pause(this.random() * pace);
        } finally {
          client.socket.close();
        }
      } catch {
        this.breaks += 1;
        await pause(10 + this.random() * pace); // the server is down: try again soon
      }
    }
  }

  /** False when the connection is of no more use. @throws when it broke before the message was sent whole. */
  async #sendOne(client: SmtpClient): Promise<boolean> {
    const { answer = ANSWER } = this.manner;
    const users = this.#recipients();
    const begun = performance.now();
    let id = '';
    for (const line of ['MAIL FROM:<crash@outside.test>', ...users.map((user) => `RCPT TO:<${this.toAddress(user)}>`), 'DATA']) {
      const reply = await client.command(line, answer);
      if (reply.code >= 400) return this.#refused(reply.code, line);
      id = /id <([^>]+)>/.exec(reply.lines.join(' '))?.[1] ?? '';
    }
    const token = `${this.name}-${++this.#count}`;
    const body = this.#body(token);
    const sent = { users, id, length: body.length, sha1: sha1(body), begun };
    this.uncertain.set(token, sent);
    const reply = await client.sendData(body, answer);
    if (reply.code !== 250) return this.#refused(reply.code, 'end of data');
    this.uncertain.delete(token);
    this.acknowledged.set(token, { ...sent, at: performance.now() });
    return true;
  }

  #refused(code: number, where: string): boolean {
    if (code >= 500) this.surprises.push(`${code} to ${where}`);
    else this.deferrals += 1;
    return false;
  }

  #recipients(): string[] {
    const first = Math.floor(this.random() * this.users.length);
    const both = this.random() < 0.3;
    return [first, ...(both ? [first + 1] : [])].map((i) => this.users[i % this.users.length]!);
  }

  /** Mostly small, some of 300 KB: those take another path through the object store. */
  #body(token: string): Buffer {
    const lines = this.random() < 0.02 ? 4_000 : 1 + Math.floor(this.random() * 100);
    const text = `${token} ${'x'.repeat(60)}\r\n`.repeat(lines);
    return Buffer.from(`From: crash@outside.test\r\nSubject: ${token}\r\n\r\n${text}`);
  }
}
