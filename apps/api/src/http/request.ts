import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import type { Caller } from '@kiroku/infra/admin/administrators.js';
import type { Request } from 'express';

/** A request with what the front of the API found out. */
export interface AdminRequest extends Request {
  /** UUIDv7: X-Request-Id, and the correlation of every event that the request leads to. */
  id?: string;
  caller?: Caller;
}

const requestOf = (context: ExecutionContext): AdminRequest => context.switchToHttp().getRequest<AdminRequest>();

/** Who asks. Routes behind the guard only. */
export const By = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const { caller } = requestOf(context);
  if (!caller) throw new Error('a route without its guard');
  return caller;
});

/** Actor and correlation for what this request changes. */
export const From = createParamDecorator((_: unknown, context: ExecutionContext): Origin => {
  const { caller, id } = requestOf(context);
  if (!caller || id === undefined) throw new Error('a route without its guard');
  return { actor: `admin:${caller.name}`, correlation: id };
});

export const OPEN = 'kiroku:open';
/** A route for everybody (`always`), or for callers from this machine, who need no token (`loopback`). */
export const Open = (to: 'always' | 'loopback') => SetMetadata(OPEN, to);
