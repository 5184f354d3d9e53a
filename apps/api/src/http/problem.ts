import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import { type AdminReason, isAdminReason, STATUS } from '@kiroku/infra/admin/refusals.js';
import type { Logger } from '@kiroku/infra/telemetry/logger.js';
import type { Response } from 'express';
import * as z from 'zod';
import type { AdminRequest } from './request.js';

/** RFC 9457. `type` is a URN of the reason; `reason` is the literal that programs look at. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  reason: z.string(),
  detail: z.string().optional(),
  /** The request's id, also in X-Request-Id and in the log. */
  instance: z.string(),
});
export type Problem = z.infer<typeof Problem>;

/** Codes of `pg` and of sockets that mean: the database is away or too slow, try again. */
const AWAY = /^(ECONNREFUSED|ECONNRESET|ENOENT|EPIPE|ETIMEDOUT|57P0[123]|53300|08\w{3})$/;

/** What went wrong, told without internals. Only what Kiroku itself refused says more than its title. */
export function reasonOf(error: unknown): { readonly reason: AdminReason; readonly detail?: string | undefined } {
  if (error instanceof Refusal) return refused(error as Refusal);
  if (error instanceof VersionConflict) return { reason: 'conflict' };
  if (error instanceof HttpException) return fromHttp(error);
  const { code, message, type } = error as { code?: unknown; message?: unknown; type?: unknown };
  // Body parsers of Express (http-errors): entity.too.large, entity.parse.failed, encoding.unsupported…
  if (type === 'entity.too.large') return { reason: 'too-large' };
  if (typeof type === 'string' && type.startsWith('en')) return { reason: 'bad-request', detail: 'the body cannot be read' };
  if ((typeof code === 'string' && AWAY.test(code)) || (typeof message === 'string' && /timeout/i.test(message))) return { reason: 'unavailable' };
  return { reason: 'internal' };
}

function refused({ reason, detail }: Refusal): { readonly reason: AdminReason; readonly detail?: string | undefined } {
  return isAdminReason(reason) ? { reason, detail } : { reason: 'bad-request', detail: reason };
}

function fromHttp(error: HttpException): { readonly reason: AdminReason; readonly detail?: string } {
  const status = error.getStatus();
  const body = error.getResponse() as { message?: unknown };
  const messages = Array.isArray(body.message) ? body.message.join('; ') : undefined;
  if (status === 404) return { reason: 'no-such-route' };
  if (status === 413) return { reason: 'too-large' };
  if (status === 415) return { reason: 'unsupported-media-type' };
  if (status >= 500) return { reason: status === 503 ? 'unavailable' : 'internal' };
  return { reason: 'bad-request', ...(messages !== undefined && { detail: messages.slice(0, 2_000) }) };
}

export const problemOf = (reason: AdminReason, instance: string, detail?: string): Problem => ({
  type: `urn:kiroku:problem:${reason}`,
  title: reason.replaceAll('-', ' '),
  status: STATUS[reason],
  reason,
  ...(detail !== undefined && { detail }),
  instance,
});

/** Every error of every route ends here. Unknown ones are logged whole and told as nothing but their request's id. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<AdminRequest>();
    const response = host.switchToHttp().getResponse<Response>();
    const { reason, detail } = reasonOf(error);
    const id = request.id ?? '';
    if (STATUS[reason] >= 500) this.logger.error({ err: error, request: id, method: request.method, path: request.path }, 'request failed');
    if (response.headersSent) {
      // A stream broke off half-way: unless it said so, the client must not take it for whole.
      if (!response.writableEnded) response.destroy();
      return;
    }
    if (reason === 'unauthorized') response.setHeader('WWW-Authenticate', 'Bearer realm="kiroku"');
    if (reason === 'unavailable') response.setHeader('Retry-After', '1');
    response.status(STATUS[reason]).type('application/problem+json').send(JSON.stringify(problemOf(reason, id, detail)));
  }
}
