/** Accounts that are asked for at once. */
const AT_ONCE = 1_000;
/** ms between two looks. */
const EVERY = 3_000;

/** Who may use IMAP now: of these accounts, those. */
export type MayUseImap = (accounts: readonly string[]) => Promise<ReadonlySet<string>>;

/** Looks now and then whether the accounts of open sessions may still use IMAP: a session can last for weeks. */
export class Standing {
  private readonly sessions = new Map<string, Set<() => void>>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  constructor(
    private readonly mayUseImap: MayUseImap,
    private readonly trouble: (error: unknown) => void,
    private readonly every = EVERY,
  ) {}

  /** @param end told, perhaps more than once, that the account may not go on. @returns an end to it. */
  watch(account: string, end: () => void): () => void {
    const ends = this.sessions.get(account) ?? new Set();
    this.sessions.set(account, ends.add(end));
    this.timer ??= setInterval(() => (this.looking ??= this.look()), this.every).unref();
    return () => {
      ends.delete(end);
      if (ends.size === 0 && this.sessions.get(account) === ends) this.sessions.delete(account);
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
        for (const account of some) if (!allowed.has(account)) for (const end of [...(this.sessions.get(account) ?? [])]) end();
      }
    } catch (error) {
      // Who is in stays in while nobody can tell.
      this.trouble(error);
    } finally {
      this.looking = undefined;
    }
  }
}
