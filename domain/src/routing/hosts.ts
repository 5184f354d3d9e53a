/** One place to try, in order. */
export interface Host {
  /** Name in lower-case A-labels, or an address literal's address. */
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  /** MX preference; 0 for gateways and address fallback. */
  readonly preference: number;
  /** The whole chain that led to this address was validated by the resolver (MX and address): what DANE needs (RFC 7672 §2.2). */
  readonly secure: boolean;
}

/** Who is to be contacted for a recipient, before any DNS is asked. Two recipients with equal keys can share a connection. */
export type Route =
  | { readonly kind: 'mx'; readonly domain: string }
  | {
      readonly kind: 'gateway';
      /** Name, IPv4, or IPv6 without brackets. */
      readonly host: string;
      readonly port: number;
      readonly implicitTls: boolean;
      /** Name of the credentials to log in with. */
      readonly credentials?: string;
    };

export const routeKey = (route: Route): string =>
  route.kind === 'mx' ? `mx ${route.domain}` : `gateway ${route.host} ${route.port}${route.implicitTls ? '*' : ''} ${route.credentials ?? ''}`;

/**
 * Where a recipient's mail can be tried, or why not. `refused`: never (null MX, a loop to this server); `deferred`: no answer yet.
 * `reply` is in the form of an SMTP reply with an enhanced code, e.g. `556 5.1.10 Domain does not accept mail (null MX)`.
 */
export type Hosts =
  | { readonly kind: 'hosts'; readonly hosts: readonly Host[] }
  | { readonly kind: 'refused' | 'deferred'; readonly reply: string };
