import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { Administrators } from '@kiroku/infra/admin/administrators.js';
import type { Metrics } from '@kiroku/infra/telemetry/metrics.js';
import { type AdminRequest, OPEN } from './request.js';

/** Longer than any Authorization header of ours. */
const LONGEST = 200;

/**
 * Bearer tokens (RFC 6750 §2.1). A stranger learns nothing but 401. Nobody is locked out: 256 random bits need no guard against
 * guessing, and on this machine everybody has the same address. Checks that wait at the same time are one query.
 */
export class TokenGuard implements CanActivate {
  constructor(
    private readonly administrators: Administrators,
    private readonly metrics: Metrics,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AdminRequest>();
    const open = (Reflect.getMetadata(OPEN, context.getHandler()) ?? Reflect.getMetadata(OPEN, context.getClass())) as string | undefined;
    if (open === 'always' || (open === 'loopback' && isLoopback(request.socket.remoteAddress))) return true;
    const { authorization = '' } = request.headers;
    const token = authorization.length <= LONGEST ? /^Bearer +([\w-]+)$/i.exec(authorization)?.[1] : undefined;
    const caller = token === undefined ? undefined : await this.administrators.check(token);
    if (!caller) {
      this.metrics.count('kiroku_api_unauthorized_total', 'Requests without a valid token');
      throw new Refusal('unauthorized');
    }
    request.caller = caller;
    return true;
  }
}

export const isLoopback = (address: string | undefined): boolean => address !== undefined && /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(address);
