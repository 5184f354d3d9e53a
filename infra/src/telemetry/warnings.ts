import type { ReplicaLook, ReplicaProblem } from '../postgres/replica-look.js';

/**
 * What wants an administrator's attention while mail still flows. Trouble, in contrast, keeps a process from doing its work, and
 * the server from being ready.
 */
export type Warning =
  /** The supervisor had to start this process again so many times within the last ten minutes. */
  | { readonly kind: 'restarts'; readonly times: number }
  /** Bytes free on the disk of the data: not much more than `diskReserve`, below which no mail is taken. */
  | { readonly kind: 'disk'; readonly freeBytes: number }
  /** Of `tls/<name>.crt`; epoch ms. It may have passed. */
  | { readonly kind: 'certificate'; readonly name: string; readonly expiresAt: number }
  /** Messages that local delivery could not deliver because of a fault of its own, and set aside. */
  | { readonly kind: 'quarantine'; readonly messages: number }
  /** No access token can be had for gateway credentials, and mail waits; `detail` says why, without secrets. */
  | { readonly kind: 'access-token'; readonly name: string; readonly detail: string }
  /** The replica for reports is not used, and the primary does its work; `behind` in seconds, -1: nobody knows how far. */
  | { readonly kind: 'replica'; readonly state: 'away'; readonly detail: string }
  | { readonly kind: 'replica'; readonly state: 'behind'; readonly behind: number }
  | { readonly kind: 'replica'; readonly state: ReplicaProblem };

/** ms before its end at which a certificate is spoken of: time to renew it by hand. */
export const EXPIRES_SOON = 21 * 24 * 60 * 60_000;
/** Bytes; less is too little for PostgreSQL's own housekeeping, whatever the reserve. */
export const LITTLE_SPACE = 1024 ** 3;
const RESTARTS_WITHIN = 10 * 60_000;
const MANY_RESTARTS = 3;

/** How often a process was started again, as its supervisor told it. */
export interface Restarts {
  /** Since the supervisor's start. */
  readonly total: number;
  /** Epoch ms of the latest ones, oldest first. */
  readonly lately: readonly number[];
}

export const NO_RESTARTS: Restarts = { total: 0, lately: [] };
/** Restarts kept in mind; more within the time warn just the same. */
export const RESTARTS_KEPT = 20;

export function restartWarnings({ lately }: Restarts, now: number): readonly Warning[] {
  const times = lately.filter((at) => now - at < RESTARTS_WITHIN).length;
  return times >= MANY_RESTARTS ? [{ kind: 'restarts', times }] : [];
}

export function certificateWarnings(certificates: readonly { readonly name: string; readonly expiresAt: number }[], now: number): readonly Warning[] {
  return certificates.filter(({ expiresAt }) => expiresAt - now < EXPIRES_SOON).map(({ name, expiresAt }) => ({ kind: 'certificate', name, expiresAt }));
}

export const tokenWarnings = (missing: readonly { readonly name: string; readonly detail: string }[]): readonly Warning[] =>
  missing.map(({ name, detail }) => ({ kind: 'access-token', name, detail }));

/** @param limit ms that it may be behind. */
export function replicaWarnings(found: ReplicaLook, limit: number): readonly Warning[] {
  if (found.kind === 'away') return [{ kind: 'replica', state: 'away', detail: found.why }];
  if (found.kind === 'wrong') return [{ kind: 'replica', state: found.problem }];
  return found.lag > limit ? [{ kind: 'replica', state: 'behind', behind: Number.isFinite(found.lag) ? Math.round(found.lag / 1_000) : -1 }] : [];
}

/** @param reserve bytes below which mail is refused. */
export function diskWarnings(freeBytes: number, reserve: number): readonly Warning[] {
  return freeBytes < Math.max(LITTLE_SPACE, 2 * reserve) ? [{ kind: 'disk', freeBytes }] : [];
}
