import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { type LdapServer, printServer } from '@kiroku/domain/routing/ldap.js';
import { fillTemplate, type LdapFilter } from '@kiroku/domain/routing/ldap-filter.js';
import type { Verdict } from '@kiroku/domain/routing/verification.js';
import { type LdapAccess, type LdapConnection, openLdap } from './connection.js';
import { isAway, LdapFailed } from './failure.js';

/** A directory with what is needed to ask it. */
export interface AskableDirectory extends Omit<LdapAccess, 'secret'> {
  readonly name: string;
  readonly revision: number;
  /** In the order of preference; at least one. */
  readonly servers: readonly LdapServer[];
  /** Undefined: the sealed one does not open. */
  readonly secret: string | undefined;
  readonly baseDn: string;
  readonly template: LdapFilter;
}

/** ms for which a server that failed is left alone, while others, or old answers, will do. */
const AWAY = 10_000;
/** ms likewise after a refused login: directories lock accounts that fail too often. */
const LOGIN_AWAY = 5 * 60_000;
/** ms for one question; the client that waits for our answer to RCPT has 5 minutes, and most have less patience. */
const TIME = 15_000;

/**
 * Asks LDAP directories for recipients, over one kept connection each. Whatever goes wrong is `temporary`, and is said once until it
 * goes well again.
 */
export class LdapDirectories {
  readonly #links = new Map<string, DirectoryLink>();
  readonly #loading = new Map<string, Promise<DirectoryLink | undefined>>();

  /** @param load a directory as it is now; undefined when there is none of that name. */
  constructor(
    private readonly load: (name: string) => Promise<AskableDirectory | undefined>,
    private readonly clock: Clock,
    /** Told of what keeps a directory from answering. */
    private readonly trouble: (error: unknown) => void,
  ) {}

  /** Never rejects. @param address canonical. @param revision the directory's, or an earlier one. */
  async verdict(address: string, { name, revision }: { readonly name: string; readonly revision: number }): Promise<Verdict> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Verdict>((resolve) => (timer = setTimeout(() => resolve('temporary'), TIME)));
    try {
      const known = this.#links.get(name);
      const link = known && known.revision >= revision ? known : await this.#fresh(name);
      if (!link) return 'temporary'; // removed meanwhile
      return await Promise.race([link.has(address).then((has): Verdict => (has ? 'yes' : 'no')), late]);
    } catch (error) {
      if (!(error instanceof LdapFailed)) this.trouble(error); // the others were said
      return 'temporary';
    } finally {
      clearTimeout(timer);
    }
  }

  /** What is under way is still answered. */
  close(): void {
    for (const link of this.#links.values()) link.retire();
    this.#links.clear();
  }

  #fresh(name: string): Promise<DirectoryLink | undefined> {
    let loading = this.#loading.get(name);
    if (!loading) {
      loading = this.#load(name).finally(() => this.#loading.delete(name));
      this.#loading.set(name, loading);
    }
    return loading;
  }

  async #load(name: string): Promise<DirectoryLink | undefined> {
    const directory = await this.load(name);
    this.#links.get(name)?.retire();
    this.#links.delete(name);
    if (!directory) return undefined;
    const link = new DirectoryLink(directory, this.clock, this.trouble);
    this.#links.set(name, link);
    return link;
  }
}

/** One directory, of one revision: the connection in use, and which servers fail. */
class DirectoryLink {
  #connection: LdapConnection | undefined;
  #opening: Promise<LdapConnection> | undefined;
  #retired = false;
  /** By server. */
  readonly #failing = new Map<string, { readonly until: number; readonly failure: LdapFailed }>();
  readonly #said = new Map<string, string>();

  constructor(
    private readonly directory: AskableDirectory,
    private readonly clock: Clock,
    private readonly trouble: (error: unknown) => void,
  ) {}

  get revision(): number {
    return this.directory.revision;
  }

  /** Once more on a new connection when the kept one turns out to be dead. @throws LdapFailed, which has been said. */
  async has(address: string): Promise<boolean> {
    const filter = fillTemplate(this.directory.template, address);
    for (let attempt = 1; ; attempt++) {
      const connection = await this.#connected();
      try {
        const has = await connection.has(this.directory.baseDn, filter);
        this.#said.delete(connection.server);
        return has;
      } catch (error) {
        if (!(error instanceof LdapFailed)) throw error;
        // Closed by a server that had nothing to do: no reason to leave it alone.
        if (!(error.reason === 'lost' && attempt === 1)) this.#failed(error);
        if (isAway(error) && this.#connection === connection) {
          this.#connection = undefined;
          connection.retire();
        }
        if (!isAway(error) || attempt > 1) throw error;
      }
    }
  }

  retire(): void {
    this.#retired = true;
    this.#connection?.retire();
    void this.#opening?.then((connection) => connection.retire(), () => undefined);
  }

  async #connected(): Promise<LdapConnection> {
    if (this.#connection?.usable) return this.#connection;
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    const connection = await this.#opening;
    if (!this.#retired) this.#connection = connection;
    return connection;
  }

  /** The first server that takes us. @throws LdapFailed of the last one that was tried, or is left alone. */
  async #open(): Promise<LdapConnection> {
    const { servers, secret, ...access } = this.directory;
    let last = new LdapFailed('secret', `ldap ${this.directory.name}`, '');
    if (secret === undefined) {
      this.#failed(last);
      throw last;
    }
    for (const server of servers) {
      const failing = this.#failing.get(printServer(server));
      // A clock that was set back must not keep a server away.
      if (failing && this.clock.now() < failing.until && failing.until - this.clock.now() <= LOGIN_AWAY) {
        last = failing.failure;
        continue;
      }
      try {
        const connection = await openLdap(server, { ...access, secret });
        this.#failing.delete(connection.server);
        return connection;
      } catch (error) {
        if (!(error instanceof LdapFailed)) throw error;
        this.#failed((last = error));
      }
    }
    throw last;
  }

  #failed(failure: LdapFailed): void {
    const { server, reason, message } = failure;
    if (isAway(failure)) this.#failing.set(server, { until: this.clock.now() + (reason === 'login' ? LOGIN_AWAY : AWAY), failure });
    if (this.#said.get(server) === reason) return;
    this.#said.set(server, reason);
    this.trouble(new Error(`LDAP directory ${this.directory.name}: ${message}`));
  }
}
