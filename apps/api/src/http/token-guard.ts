import { createHash } from 'node:crypto';
import { type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { Administrators } from '@kiroku/infra/admin/administrators.js';
import type { Metrics } from '@kiroku/infra/telemetry/metrics.js';
import { LRUCache } from 'lru-cache';
import { type AdminRequest, OPEN } from './request.js';

/** Failed tries per address and minute; after that only tokens that were right before are looked at. */
const MOST_FAILURES = 30;
const WINDOW = 60_000;
/** Longer than any Authorization header of ours. */
const LONGEST = 200;

/** Bearer tokens (RFC 6750 §2.1). A stranger learns nothing but 401. */
export class TokenGuard implements CanActivate {
  readonly #failures = new LRUCache<string, number>({ max: 10_000, ttl: WINDOW, noUpdateTTL: true });
  /** Hashes of tokens that were right: a flood of wrong ones from the same address does not keep an administrator out. */
  readonly #good = new LRUCache<string, true>({ max: 1_000 });

  constructor(
    private readonly administrators: Administrators,
    private readonly metrics: Metrics,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AdminRequest>();
    const open = (Reflect.getMetadata(OPEN, context.getHandler()) ?? Reflect.getMetadata(OPEN, context.getClass())) as string | undefined;
    if (open === 'always' || (open === 'loopback' && isLoopback(request.socket.remoteAddress))) return true;
    const from = request.socket.remoteAddress ?? '';
    const { authorization = '' } = request.headers;
    const token = authorization.length <= LONGEST ? /^Bearer +([\w-]+)$/i.exec(authorization)?.[1] : undefined;
    const name = token === undefined ? '' : createHash('sha256').update(token).digest('base64');
    if ((this.#failures.get(from) ?? 0) >= MOST_FAILURES && !this.#good.has(name)) throw new Refusal('too-many-requests');
    const caller = token === undefined ? undefined : await this.administrators.check(token);
    if (!caller) {
      this.#good.delete(name);
      this.#failures.set(from, (this.#failures.get(from) ?? 0) + 1);
      this.metrics.count('kiroku_api_unauthorized_total', 'Requests without a valid token');
      throw new Refusal('unauthorized');
    }
    this.#good.set(name, true);
    request.caller = caller;
    return true;
  }
}

export const isLoopback = (address: string | undefined): boolean => address !== undefined && /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(address);
