import type { TlsFailure, TlsOutcome } from '../delivery/queue-events.js';
import { isLiteral } from '../mail/address.js';
import type { Host, Route } from '../routing/hosts.js';
import type { TlsDemand } from '../smtp-client/types.js';
import type { Dane } from './dane.js';
import type { TlsRow } from './row.js';
import { type StsPolicy, stsNames } from './sts.js';

/** A domain's policy now; or why there is none although the domain says it has one; all absent: it has none. */
export interface Sts {
  readonly policy?: StsPolicy;
  /** The DNS could not be asked, and no policy is known: mail goes on as if there were none (RFC 8461 §5.1). */
  readonly unknown?: true;
  readonly failure?: Extract<TlsFailure, `sts-${string}`>;
}

/** Everything that decides how to encrypt a connection to one host. */
export interface TlsQuestion {
  readonly host: Host;
  readonly route: Route;
  /** The administrator's row that fits. */
  readonly row: TlsRow | undefined;
  readonly dane: Dane;
  readonly sts: Sts;
  /** The message came with REQUIRETLS (RFC 8689). */
  readonly requireTls: boolean;
  /** How TLS with this host failed at an earlier try: the handshake, or anything before or after. */
  readonly failedBefore?: 'handshake' | 'other' | undefined;
  /** The domain wants reports (RFC 8460). */
  readonly reports: boolean;
}

/** What to report to the domain about a connection; `failure` when it is known before connecting. See `tlsOutcome`. */
export type TlsSubject = Pick<TlsOutcome, 'domain' | 'policy' | 'failure'>;

/**
 * How to talk to one host. Demands are tried in order, each on a fresh connection, the next one only when the encryption failed.
 * `refused` and `deferred` are about this host alone: another of the same destination may do. `reply` has the form of an SMTP reply.
 */
export type TlsPlan = { readonly subject?: TlsSubject } & (
  | { readonly kind: 'demands'; readonly demands: readonly TlsDemand[] }
  | { readonly kind: 'refused' | 'deferred'; readonly reply: string }
);

type Answer = { readonly demands: readonly TlsDemand[] } | { readonly refused: string } | { readonly deferred: string };

/** Whether the row leaves nothing to ask the DNS about. */
export const decidesAlone = (row: TlsRow | undefined): boolean => row !== undefined && ['off', 'opportunistic', 'required', 'verified'].includes(row.mode);

/** Who asks for STS and for reports: mail domains. Gateways are the administrator's own choice, address literals have no zone. */
export const policyDomain = (route: Route): string | undefined => (route.kind === 'mx' && !isLiteral(route.domain) ? route.domain : undefined);

/** The sender's REQUIRETLS goes before all; then the administrator's row, DANE, MTA-STS (RFC 8461 §2), and at last what can be had. */
export function planTls(question: TlsQuestion): TlsPlan {
  const answer = question.requireTls ? forRequireTls(question) : (byRow(question) ?? byDane(question) ?? bySts(question) ?? withoutPolicy(question));
  const subject = subjectOf(question);
  const about = subject && { subject };
  if ('demands' in answer) return { kind: 'demands', demands: answer.demands, ...about };
  return 'refused' in answer ? { kind: 'refused', reply: answer.refused, ...about } : { kind: 'deferred', reply: answer.deferred, ...about };
}

const implicit = ({ route }: TlsQuestion): boolean => route.kind === 'gateway' && route.implicitTls;

function demand({ host, row }: TlsQuestion, mode: TlsDemand['mode'], verify: TlsDemand['verify'] = 'no'): TlsDemand {
  return {
    mode, verify, names: [host.name],
    ...(mode !== 'off' && row?.min && { minVersion: row.min }),
    ...(mode !== 'off' && row?.max && { maxVersion: row.max }),
  };
}

const encrypted = (question: TlsQuestion, verify: TlsDemand['verify'] = 'no'): TlsDemand => demand(question, implicit(question) ? 'implicit' : 'required', verify);

function byRow(question: TlsQuestion): Answer | undefined {
  const { row, route } = question;
  switch (row?.mode) {
    case 'off':
      // A port that speaks TLS from the first byte was the administrator's choice too.
      return { demands: [implicit(question) ? encrypted(question) : demand(question, 'off')] };
    case 'opportunistic':
      return { demands: route.kind === 'gateway' && (route.implicitTls || route.credentials !== undefined) ? [encrypted(question)] : whateverWorks(question) };
    case 'required':
      return { demands: [encrypted(question)] };
    case 'verified':
      return { demands: [encrypted(question, 'pkix')] };
    default:
      return undefined;
  }
}

const whateverWorks = (question: TlsQuestion): readonly TlsDemand[] => [demand(question, 'opportunistic'), demand(question, 'off')];

function byDane(question: TlsQuestion): Answer | undefined {
  const { dane, host, route } = question;
  if (dane.kind === 'trouble') return { deferred: `451 4.7.5 The TLSA records of ${host.name} cannot be had: ${dane.detail}` };
  if (dane.kind === 'none' || dane.usable.length === 0) return undefined;
  // RFC 7672 §3.2.2: the certificate may also name the domain that a secure MX led from.
  const names = [...new Set([host.name, ...(route.kind === 'mx' ? [route.domain] : [])])];
  return { demands: [{ ...encrypted(question, 'dane'), names, tlsa: dane.usable }] };
}

const stsForbids = ({ sts, host }: TlsQuestion): boolean => sts.policy?.mode === 'enforce' && !stsNames(sts.policy, host.name);
const notNamed = ({ host, route }: TlsQuestion): string =>
  `451 4.7.5 The MTA-STS policy of ${policyDomain(route) ?? host.name} does not name the MX ${host.name}`;

function bySts(question: TlsQuestion): Answer | undefined {
  const { policy } = question.sts;
  if (!policy || policy.mode === 'none') return undefined;
  if (stsForbids(question)) return { deferred: notNamed(question) };
  if (policy.mode === 'enforce') return { demands: [encrypted(question, 'mta-sts')] };
  // What a policy in testing forbids is done all the same: worth a connection only when somebody hears of it.
  if (!question.reports || !stsNames(policy, question.host.name)) return undefined;
  return { demands: [encrypted(question, 'mta-sts'), ...withoutPolicy(question).demands] };
}

function withoutPolicy(question: TlsQuestion): { readonly demands: readonly TlsDemand[] } {
  const { dane, route, row, failedBefore } = question;
  // TLSA records of which none can be used: encryption without a check (RFC 7672 §2.2). Credentials go nowhere without TLS.
  if (dane.kind === 'found' || implicit(question) || (route.kind === 'gateway' && route.credentials !== undefined)) return { demands: [encrypted(question)] };
  switch (row?.mode) {
    case 'tls-only':
      return { demands: [encrypted(question)] };
    case 'plain-next-handshake':
      return { demands: [failedBefore === 'handshake' ? demand(question, 'off') : { ...demand(question, 'opportunistic'), plainAfterFailure: false }] };
    case 'plain-next-any':
      return { demands: [failedBefore !== undefined ? demand(question, 'off') : { ...demand(question, 'opportunistic'), plainAfterFailure: false }] };
    default:
      return { demands: whateverWorks(question) };
  }
}

/** RFC 8689 §4.2.1: the way to the server and its certificate must both be vouched for. */
function forRequireTls(question: TlsQuestion): Answer {
  const { route, row, host, sts } = question;
  if (row?.mode === 'off') return { refused: `550 5.7.10 The sender requires TLS, and this server's TLS table forbids it towards ${host.name}` };
  const dane = byDane(question);
  if (dane) return dane;
  if (route.kind === 'gateway') return { demands: [encrypted(question, 'pkix')] };
  if (stsForbids(question)) return { deferred: notNamed(question) };
  if (sts.policy && sts.policy.mode !== 'none' && stsNames(sts.policy, host.name)) return { demands: [encrypted(question, 'mta-sts')] };
  if (host.secure) return { demands: [encrypted(question, 'pkix')] };
  if (sts.failure ?? sts.unknown) return { deferred: `451 4.7.30 The sender requires TLS (REQUIRETLS), and the MTA-STS policy of ${route.domain} cannot be had now` };
  return { refused: `550 5.7.30 The sender requires TLS (REQUIRETLS), and neither DNSSEC nor MTA-STS vouches for the servers of ${route.domain}` };
}

function subjectOf(question: TlsQuestion): TlsSubject | undefined {
  const { dane, sts, host, route, row, reports, requireTls } = question;
  const domain = policyDomain(route);
  if (!reports || domain === undefined || (decidesAlone(row) && !requireTls)) return undefined;
  if (dane.kind === 'trouble') return { domain, policy: 'tlsa', failure: 'dnssec-invalid' };
  if (dane.kind === 'found' && dane.usable.length > 0) return { domain, policy: 'tlsa' };
  if (sts.policy && sts.policy.mode !== 'none')
    return { domain, policy: 'sts', ...(!stsNames(sts.policy, host.name) && { failure: 'validation-failure' as const }) };
  if (sts.failure) return { domain, policy: 'sts', failure: sts.failure };
  return dane.kind === 'found' ? { domain, policy: 'tlsa', failure: 'tlsa-invalid' } : { domain, policy: 'no-policy-found' };
}
