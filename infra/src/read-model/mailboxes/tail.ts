import type pg from 'pg';
import { changeMark, type Growth } from '../../postgres/change-mark.js';
import { gather } from '../gather.js';

/** Rows of the history per look; who has fallen further behind forgets what it knew. */
const MOST = 5_000;

const NOTHING = Promise.resolve(undefined);

export type { Growth };

/**
 * Which streams have grown, as one question for all who ask at the same time: what a process keeps of mailboxes is then checked by one
 * small query for many sessions, and usually the answer is "nothing"; beside an embedded server nothing is asked then, nor about what this process
 * itself has appended (see `ChangeMark`).
 * Positions are given out under a lock that is held until the commit, so nothing appears behind what was seen.
 */
export class Tail {
  readonly #listeners: ((grown: Growth | 'all') => void)[] = [];
  #from: number | undefined;
  /** Where the mark of others stood before the last look. */
  #seen: string | undefined;
  /** What this process has appended since somebody was last told. */
  #own = new Map<string, number>();
  /** How often streams grew by its own appends since the last look: so many rows, or a few more, the next one finds for nothing. */
  #grew = 0;
  readonly #ask: (item: undefined) => Promise<undefined>;

  constructor(private readonly pool: pg.Pool) {
    this.#ask = gather<undefined, undefined>(async (items) => {
      await this.#look();
      return items.map(() => undefined);
    });
    changeMark(pool).onOwn((grown) => {
      for (const [stream, version] of grown) this.#own.set(stream, version);
      this.#grew += grown.size;
      if (this.#own.size > MOST) this.#own.clear(); // nobody asks here; who does finds that too much has grown
    });
  }

  /** Told of all growth before `current` resolves; `all`: of whatever there is. */
  onGrown(listener: (grown: Growth | 'all') => void): void {
    this.#listeners.push(listener);
  }

  /** When it resolves, the listeners have been told of every append that had returned before, in whichever process. */
  current(): Promise<undefined> {
    this.#tellOwn();
    const seen = changeMark(this.pool).seenOfOthers();
    return seen !== undefined && seen === this.#seen && this.#grew < MOST / 2 ? NOTHING : this.#ask(undefined);
  }

  #tellOwn(): void {
    if (this.#own.size === 0) return;
    const own = this.#own;
    this.#own = new Map();
    this.#tell(own);
  }

  async #look(): Promise<void> {
    const seen = changeMark(this.pool).seenOfOthers();
    const grew = this.#grew;
    await this.#read();
    this.#seen = seen;
    this.#grew -= grew;
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
