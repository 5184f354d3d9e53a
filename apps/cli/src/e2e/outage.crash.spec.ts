import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, renameSync, rmSync, statfsSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { signalAll } from '@kiroku/infra/rig/processes.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { MailboxWitness, whatIsWrong } from './crash-check.js';
import { Senders } from './crash-load.js';
import { addressOf, chance, ServerUnderTest, upTo } from './harness.js';

const USERS = upTo(4).map((i) => `user${i}`);
const OUTAGE = 90_000; // ms until clients are told of the trouble
const RECOVERY = 90_000; // ms until mail is accepted again after it
const PATIENCE = 400_000;
const MB = 1e6;

/** A server, senders that go on through the outage, and what the mailboxes hold. */
class Scene {
  readonly server: ServerUnderTest;
  #senders: Senders | undefined;
  #witnesses: MailboxWitness[] = [];

  constructor(private readonly name: string, data?: string) {
    this.server = new ServerUnderTest(USERS, data === undefined ? {} : { data });
  }

  async start(): Promise<void> {
    await this.server.start();
    this.#senders = new Senders(this.server.kiroku.ports.smtp, USERS, this.name, chance(7));
    this.#witnesses = USERS.map((user) => new MailboxWitness(this.server, user));
  }

  get senders(): Senders {
    if (!this.#senders) throw new Error('not started');
    return this.#senders;
  }

  /** Mail flows, the trouble begins, clients are told so, the trouble ends, mail flows again, and nothing is lost. */
  async goesThrough(trouble: { begin(): void; end(): void; noticed(): Promise<boolean> }): Promise<void> {
    const { senders } = this;
    senders.start(4);
    try {
      await this.#accepts('mail flows before the trouble');
      trouble.begin();
      try {
        await until('clients are told of the trouble', OUTAGE, () => trouble.noticed());
      } finally {
        trouble.end();
      }
      await this.#accepts('mail flows again after the trouble');
    } finally {
      await senders.stop();
    }
    expect(senders.surprises).toEqual([]);
    const wrong = await whatIsWrong(senders, this.#witnesses, { ms: RECOVERY, whole: true });
    expect(wrong.slice(0, 20)).toEqual([]);
  }

  #accepts(what: string): Promise<unknown> {
    const before = this.senders.acknowledged.size;
    return until(what, RECOVERY, () => this.senders.acknowledged.size > before + 20);
  }

  /** The reply to a whole message; 421 when the server is not there or hangs up. Recorded nowhere: it goes to nobody's witness. */
  async tried(octets: number): Promise<number> {
    try {
      const client = await SmtpClient.hello({ port: this.server.kiroku.ports.smtp });
      try {
        const body = Buffer.from(`Subject: probe\r\n\r\n${`${'p'.repeat(78)}\r\n`.repeat(Math.ceil(octets / 80))}`);
        return (await client.send('probe@outside.test', [addressOf('probe')], body, OUTAGE)).code;
      } finally {
        client.socket.close();
      }
    } catch {
      return 421;
    }
  }
}

const temporary = (code: number): boolean => code >= 400 && code < 500;

function useScene(scene: Scene): void {
  beforeAll(async () => {
    await scene.start();
    await scene.server.kiroku.addAccount(addressOf('probe'), 'a mailbox that nobody reads');
  }, 180_000);
  afterAll(() => scene.server.remove(), 60_000);
}

describe('a server in trouble', () => {
  const scene = new Scene('trouble');
  useScene(scene);
  const kiroku = (): typeof scene.server.kiroku => scene.server.kiroku;

  scene.server.it('defers mail while its process may write no file, and goes on afterwards', () => {
    const limit = (value: string): void => {
      for (const pid of kiroku().pidsOf('smtp')) execFileSync('prlimit', ['--pid', `${pid}`, `--fsize=${value}`]);
    };
    // Only the soft limit: raising the hard one again needs root.
    return scene.goesThrough({
      begin: () => limit('0:'),
      end: () => limit('unlimited:'),
      noticed: async () => temporary(await scene.tried(1_000)),
    });
  }, PATIENCE);

  scene.server.it('defers large mail while the folder of its bodies is gone, and goes on when it is back', () => {
    const folder = folderOfBodies(kiroku().data);
    return scene.goesThrough({
      begin: () => {
        renameSync(folder, `${folder}.away`);
        writeFileSync(folder, 'not a folder');
      },
      end: () => {
        unlinkSync(folder);
        renameSync(`${folder}.away`, folder);
      },
      noticed: async () => temporary(await scene.tried(20 * MB)), // small bodies still fit into the open segment
    });
  }, PATIENCE);

  scene.server.it('defers mail while PostgreSQL stands still, and goes on afterwards', () => {
    let stopped: number[] = [];
    return scene.goesThrough({
      begin: () => {
        stopped = kiroku().postgresPids();
        expect(stopped.length).toBeGreaterThan(0);
        signalAll(stopped, 'SIGSTOP');
      },
      end: () => signalAll(stopped, 'SIGCONT'),
      noticed: async () => temporary(await scene.tried(1_000)),
    });
  }, PATIENCE);

  scene.server.it('survives that PostgreSQL is killed again and again', () => {
    let first: number | undefined;
    return scene.goesThrough({
      begin: () => {
        [first] = kiroku().postgresPids();
        signalAll(kiroku().postgresPids(), 'SIGKILL');
      },
      end: () => signalAll(kiroku().postgresPids().slice(0, 1), 'SIGKILL'),
      noticed: async () => {
        const [now] = kiroku().postgresPids();
        return now !== undefined && now !== first;
      },
    });
  }, PATIENCE);
});

// Mounting needs root; a disk of its own is the only honest way to fill one.
if (process.getuid?.() === 0) {
  describe('a disk that is full', () => {
    const disk = mkdtempSync(join(tmpdir(), 'kiroku-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=700m,mode=755', 'kiroku-test', disk]);
    const scene = new Scene('full', join(disk, 'data'));
    execFileSync('mkdir', [join(disk, 'data')]);
    useScene(scene);
    afterAll(() => {
      execFileSync('umount', ['-l', disk]);
      rmSync(disk, { recursive: true, force: true });
    });

    const ballast = join(disk, 'ballast');
    scene.server.it('makes the server defer mail, lose nothing, and go on when there is space again', () =>
      scene.goesThrough({
        begin: () => fill(ballast),
        end: () => rmSync(ballast, { force: true }),
        noticed: async () => {
          fill(ballast); // what the server gave back meanwhile
          return temporary(await scene.tried(MB));
        },
      }), PATIENCE);
  });
}

/** Writes until there is no space left. */
function fill(file: string): void {
  const handle = openSync(file, 'a');
  const block = Buffer.alloc(64 * 1024);
  try {
    for (let left = statfsSync(dirname(file)).bavail; left > 0; left = statfsSync(dirname(file)).bavail) writeSync(handle, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(handle);
  }
}

/** The folder in the data folder under which the segments lie. */
function folderOfBodies(data: string): string {
  const segment = readdirSync(data, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('.seg'));
  if (segment === undefined) throw new Error(`no segment of bodies under ${data}`);
  return join(data, relative(data, join(data, segment)).split(sep)[0] ?? '');
}
