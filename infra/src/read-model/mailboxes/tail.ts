import type pg from 'pg';
import { changeMark } from '../../postgres/change-mark.js';
import { gather } from '../gather.js';

/** Rows of the history per look; who has fallen further behind forgets what it knew. */
const MOST = 5_000;

const NOTHING = Promise.resolve(undefined);

/** Streams that have grown: to which version. */
export type Growth = ReadonlyMap<string, number>;

/**
 * Which streams have grown, as one question for all who ask at the same time: what a process keeps of mailboxes is then checked by one
 * small query for many sessions, and usually the answer is "nothing"; beside an embedded server nothing is asked then (see `ChangeMark`).
 * Positions are given out under a lock that is held until the commit, so nothing appears behind what was seen.
 */
export class Tail {
  readonly #listeners: ((grown: Growth | 'all') => void)[] = [];
  #from: number | undefined;
  /** Where the mark stood before the last look. */
  #seen: string | undefined;
  readonly #ask: (item: undefined) => Promise<undefined>;

  constructor(private readonly pool: pg.Pool) {
    this.#ask = gather<undefined, undefined>(async (items) => {
      await this.#look();
      return items.map(() => undefined);
    });
  }

  /** Told of all growth before `current` resolves; `all`: of whatever there is. */
  onGrown(listener: (grown: Growth | 'all') => void): void {
    this.#listeners.push(listener);
  }

  /** When it resolves, the listeners have been told of every append that had returned before, in whichever process. */
  current(): Promise<undefined> {
    const seen = changeMark(this.pool).seen();
    return seen !== undefined && seen === this.#seen ? NOTHING : this.#ask(undefined);
  }

  async #look(): Promise<void> {
    const seen = changeMark(this.pool).seen();
    await this.#read();
    this.#seen = seen;
  }

  async #read(): Promise<void> {
    if (this.#from === undefined) return this.#begin();
    const { rows } = await this.pool.query<{ stream: string; version: number; next: number }>({
      name: 'mailbox-tail', text: `SELECT stream, version + count - 1 AS version, position + count AS next FROM history.decision WHERE position >= $1 ORDER BY position LIMIT ${MOST}`, values: [this.#from],
    });
    if (rows.length === 0) return;
    if (rows.length === MOST) return this.#begin();
    this.#from = rows.at(-1)?.next ?? this.#from;
    this.#tell(new Map(rows.map(({ stream, version }) => [stream, version])));
  }

  async #begin(): Promise<void> {
    const { rows } = await this.pool.query<{ next: number }>({ name: 'mailbox-tail-begin', text: `SELECT next FROM history.head WHERE topic = 'decision' AND partition = 0` });
    this.#from = rows[0]?.next ?? 0;
    this.#tell('all');
  }

  #tell(grown: Growth | 'all'): void {
    for (const listener of this.#listeners) listener(grown);
  }
}
