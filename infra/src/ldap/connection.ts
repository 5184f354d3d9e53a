import type { connect } from 'node:net';
import { type LdapServer, type Plain, printServer } from '@kiroku/domain/routing/ldap.js';
import type { LdapFilter } from '@kiroku/domain/routing/ldap-filter.js';
import {
  AndFilter, ApproximateFilter, Client, EqualityFilter, ExtensibleFilter, type Filter, GreaterThanEqualsFilter, LessThanEqualsFilter, NotFilter, OrFilter, PresenceFilter, SubstringFilter,
} from 'ldapts';
import { failureOf } from './failure.js';
import { FramedSocket } from './frames.js';
import { openSocket } from './open-socket.js';

/** How to get at a server, and who we are there. */
export interface LdapAccess {
  readonly plain: Plain;
  /** '' = anonymous. */
  readonly bindDn: string;
  readonly secret: string;
  /** PEM; '' = the usual authorities. */
  readonly ca: string;
}

/** ms for a connection until it is bound, and for one answer. */
export const LDAP_TIME = 5_000;
/** ms without a question after which a connection is closed: longer ones are cut by routers, who tell nobody. */
const IDLE = 60_000;

/**
 * Connects and binds.
 * @throws LdapFailed
 */
export async function openLdap(server: LdapServer, access: LdapAccess, time = LDAP_TIME): Promise<LdapConnection> {
  const socket = await openSocket(server, access, AbortSignal.timeout(time));
  socket.setTimeout(IDLE, () => socket.destroy());
  const framed = new FramedSocket(socket);
  const name = printServer(server);
  // The client would connect again by itself, without TLS and login: it gets this one connection and no other.
  let given = false;
  const once = (): FramedSocket => {
    if (given) throw new Error('the connection is closed');
    given = true;
    return framed;
  };
  const client = new Client({ url: 'ldap://given', timeout: time, strictDN: false, createConnection: once as unknown as typeof connect });
  try {
    // Anonymously too: it shows that somebody answers who speaks LDAP.
    await client.bind(access.bindDn, access.secret);
  } catch (error) {
    const open = !framed.destroyed;
    framed.destroy();
    throw failureOf(error, name, 'bind', open);
  }
  return new LdapConnection(client, framed, name);
}

/** A bound connection. Many questions may be under way at once. */
export class LdapConnection {
  #asking = 0;
  #retired = false;

  constructor(
    private readonly client: Client,
    private readonly socket: FramedSocket,
    readonly server: string,
  ) {}

  /** Questions may be put to it. */
  get usable(): boolean {
    return !this.socket.destroyed && !this.#retired;
  }

  /**
   * Whether anything below `baseDn` fits. References to other servers are left out of account.
   * @throws LdapFailed
   */
  async has(baseDn: string, filter: LdapFilter): Promise<boolean> {
    this.#asking++;
    try {
      const { searchEntries } = await this.client.search(baseDn, { scope: 'sub', filter: filterFor(filter), attributes: ['1.1'], sizeLimit: 1, timeLimit: LDAP_TIME / 1_000 });
      this.socket.renew();
      return searchEntries.length > 0;
    } catch (error) {
      throw failureOf(error, this.server, 'search', !this.socket.destroyed);
    } finally {
      this.#asking--;
      if (this.#retired && this.#asking === 0) this.#end();
    }
  }

  /** Closes it after the questions that are under way. */
  retire(): void {
    this.#retired = true;
    if (this.#asking === 0) this.#end();
  }

  #end(): void {
    void this.client.unbind().catch(() => undefined);
  }
}

/** Values go into the request as they are: the text form of filters, and what it would have to escape, does not come into it. */
function filterFor(filter: LdapFilter): Filter {
  switch (filter.kind) {
    case 'and':
      return new AndFilter({ filters: filter.of.map(filterFor) });
    case 'or':
      return new OrFilter({ filters: filter.of.map(filterFor) });
    case 'not':
      return new NotFilter({ filter: filterFor(filter.of) });
    case 'present':
      return new PresenceFilter({ attribute: filter.attribute });
    case 'substrings':
      return new SubstringFilter({ attribute: filter.attribute, initial: filter.parts[0] ?? '', any: filter.parts.slice(1, -1), final: filter.parts.at(-1) ?? '' });
    case 'matches':
      return new ExtensibleFilter({ matchType: filter.attribute, rule: filter.rule, dnAttributes: filter.dn, value: filter.value });
    case 'equal':
      return new EqualityFilter({ attribute: filter.attribute, value: filter.value });
    case 'approx':
      return new ApproximateFilter({ attribute: filter.attribute, value: filter.value });
    case 'at-least':
      return new GreaterThanEqualsFilter({ attribute: filter.attribute, value: filter.value });
    case 'at-most':
      return new LessThanEqualsFilter({ attribute: filter.attribute, value: filter.value });
  }
}
