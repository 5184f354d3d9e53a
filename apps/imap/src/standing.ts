/** Accounts that are asked for at once. */
const AT_ONCE = 1_000;
/** ms between two looks. */
const EVERY = 3_000;

/** Who may use IMAP now: of these accounts, those, each with the mark of what it logs in with. */
export type MayUseImap = (accounts: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/** Why a session may not go on. */
export type Fall = 'account-off' | 'password-changed';

interface Watched {
  /** As it was at the login; '' where the login did not say: then as it was first seen. */
  mark: string;
  readonly end: (why: Fall) => void;
}

/** Looks now and then whether the accounts of open sessions may still use IMAP, and with the same password: a session can last for weeks. */
export class Standing {
  private readonly sessions = new Map<string, Set<Watched>>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  constructor(
    private readonly mayUseImap: MayUseImap,
    private readonly trouble: (error: unknown) => void,
    private readonly every = EVERY,
  ) {}

  /** @param end told, perhaps more than once, that the account may not go on. @returns an end to it. */
  watch(account: string, mark: string, end: Watched['end']): () => void {
    const watched = { mark, end };
    const all = this.sessions.get(account) ?? new Set();
    this.sessions.set(account, all.add(watched));
    this.timer ??= setInterval(() => (this.looking ??= this.look()), this.every).unref();
    return () => {
      all.delete(watched);
      if (all.size === 0 && this.sessions.get(account) === all) this.sessions.delete(account);
      if (this.sessions.size > 0) return;
      clearInterval(this.timer);
      this.timer = undefined;
    };
  }

  private async look(): Promise<void> {
    try {
      const accounts = [...this.sessions.keys()];
      for (let at = 0; at < accounts.length; at += AT_ONCE) {
        const some = accounts.slice(at, at + AT_ONCE);
        const allowed = await this.mayUseImap(some);
        for (const account of some) for (const watched of [...(this.sessions.get(account) ?? [])]) judge(watched, allowed.get(account));
      }
    } catch (error) {
      // Who is in stays in while nobody can tell.
      this.trouble(error);
    } finally {
      this.looking = undefined;
    }
  }
}

function judge(watched: Watched, mark: string | undefined): void {
  if (mark === undefined) return watched.end('account-off');
  watched.mark ||= mark;
  if (watched.mark !== mark) watched.end('password-changed');
}
