/**
 * What the DNS said. `secure`: the resolver validated the answer (AD bit, RFC 6840 §5.8), also for denials.
 * `none`: the name exists without such records, or does not exist at all (`nxdomain`).
 */
export type Answer<T> =
  | { readonly kind: 'found'; readonly records: readonly T[]; readonly secure: boolean }
  | { readonly kind: 'none'; readonly nxdomain: boolean; readonly secure: boolean };

export interface Mx { readonly preference: number; readonly host: string }
/** RFC 6698 §2.1. `data` is lower-case hex. */
export interface Tlsa { readonly usage: number; readonly selector: number; readonly matching: number; readonly data: string }

/** No answer could be had (timeout, SERVFAIL, REFUSED, malformed): temporary, whatever the cause. */
export class DnsTrouble extends Error {}

/**
 * The port to the DNS. Names are given and returned in lower-case A-labels without a trailing dot (`.` itself for null MX hosts).
 * CNAMEs are followed. Answers are cached for their TTL within bounds; equal questions under way share one query.
 * @throws DnsTrouble
 */
export interface Dns {
  mx(domain: string): Promise<Answer<Mx>>;
  a(host: string): Promise<Answer<string>>;
  aaaa(host: string): Promise<Answer<string>>;
  /** Each record's strings joined. */
  txt(name: string): Promise<Answer<string>>;
  tlsa(name: string): Promise<Answer<Tlsa>>;
}
