import { canonicalDomain, domainOf, formatAddress, parseAddress } from '@kiroku/domain/mail/address.js';
import type { Host, Hosts, Route } from '@kiroku/domain/routing/hosts.js';
import { gatewayOf, type RouteTable } from '@kiroku/domain/routing/route-table.js';
import type { AskInnerServer, Verdict } from '@kiroku/domain/routing/verification.js';
import { type AskingConversation, type ClientCredentials, ConnectFailed, LoginUnavailable, type OpenConversation, type VerifyResult } from '@kiroku/domain/smtp-client/types.js';
import type { TlsPlan } from '@kiroku/domain/tls-policy/demands.js';

export interface AskParts {
  /** As it is now. */
  readonly table: () => RouteTable | Promise<RouteTable>;
  readonly hosts: (route: Route) => Promise<Hosts>;
  /** How to encrypt towards a host. */
  readonly tls: (host: Host, route: Route) => Promise<TlsPlan>;
  /** Undefined: there are none of that name. @throws LoginUnavailable when they cannot be used now: whoever throws it has told. */
  readonly credentials: (name: string) => Promise<ClientCredentials | undefined>;
  /** Give it timeouts of its own, shorter than delivery's: what is late here is closed only when they end. */
  readonly open: OpenConversation<AskingConversation>;
  /** Argument of EHLO. */
  readonly helo: () => string;
  /** Local addresses to bind, the first that can be used; see `sourcesFor`. Default: the system's choice. */
  readonly sources?: (host: Host, destination: string) => readonly (string | undefined)[];
  /** ms for one question, from the table to the answer. */
  readonly time?: number;
  /** Told of errors that are this server's own. */
  readonly trouble: (error: unknown) => void;
}

/** ms; the client that waits for our answer to RCPT has 5 minutes (RFC 5321 §4.5.3.2.3), and most have less patience. */
const TIME = 20_000;
/** Hosts that one question may try. */
const MOST_HOSTS = 3;

/**
 * Asks the server behind a relay domain's gateway whether it takes a recipient: MAIL with the null sender and RCPT, nothing is sent.
 * 2xx to RCPT is `yes` and 5xx to RCPT `no`; all else is `temporary`, as is an address that no line of the gateway table fits: its MX
 * would be this server itself.
 */
export function askRecipient(parts: AskParts): AskInnerServer {
  return async (address) => {
    const question = new Question(parts, address);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Verdict>((resolve) => (timer = setTimeout(() => resolve('temporary'), parts.time ?? TIME)));
    try {
      return await Promise.race([question.answer(), late]);
    } catch (error) {
      if (!(error instanceof LoginUnavailable)) parts.trouble(error);
      return 'temporary';
    } finally {
      clearTimeout(timer);
      question.over = true;
    }
  };
}

class Question {
  /** Nobody waits for the answer any more. */
  over = false;

  constructor(
    private readonly parts: AskParts,
    private readonly address: string,
  ) {}

  async answer(): Promise<Verdict> {
    const route = gatewayOf({ address: this.address, sender: '' }, await this.parts.table());
    if (route?.kind !== 'gateway') return 'temporary';
    const credentials = route.credentials === undefined ? undefined : await this.parts.credentials(route.credentials);
    if (route.credentials !== undefined && !credentials) return 'temporary';
    const found = await this.parts.hosts(route);
    if (found.kind !== 'hosts') return 'temporary';
    for (const host of found.hosts.slice(0, MOST_HOSTS)) {
      const conversation = await this.#open(host, route, credentials);
      const said = conversation && (await this.#verify(conversation));
      if (said?.outcome === 'taken') return 'yes';
      if (said?.outcome === 'refused') return said.phase === 'RCPT' ? 'no' : 'temporary';
      // It did answer, only not for good: the next one would be asked the same.
      if (said || this.over) break;
    }
    return 'temporary';
  }

  /** A fresh connection for each local address and way to encrypt, until one of them comes about. */
  async #open(host: Host, route: Route, credentials: ClientCredentials | undefined): Promise<AskingConversation | undefined> {
    const { name, ip, port } = host;
    const plan = await this.parts.tls(host, route);
    const domain = domainOf(this.address);
    const sources = [...(this.parts.sources?.(host, canonicalDomain(domain) ?? domain.toLowerCase()) ?? [undefined])];
    if (sources.length === 0) return undefined;
    const demands = plan.kind === 'demands' ? [...plan.demands] : [];
    for (let [source, tls] = [sources.shift(), demands.shift()]; tls && !this.over; ) {
      try {
        return await this.parts.open({ name, ip, port, helo: this.parts.helo(), tls, ...(source !== undefined && { source }), ...(credentials && { credentials }) });
      } catch (error) {
        if (!(error instanceof ConnectFailed)) throw error;
        if (error.tlsFailed) tls = demands.shift();
        else if (error.because === 'source' && sources.length > 0) source = sources.shift();
        else return undefined;
      }
    }
    return undefined;
  }

  async #verify(conversation: AskingConversation): Promise<VerifyResult | undefined> {
    try {
      if (this.over) return undefined;
      const parts = parseAddress(this.address);
      // A domain in A-labels needs no SMTPUTF8.
      return await conversation.verify('', parts ? formatAddress(parts) : this.address);
    } finally {
      void conversation.quit();
    }
  }
}
