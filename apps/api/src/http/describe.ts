import { applyDecorators, HttpCode } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse } from '@nestjs/swagger';
import { type AdminReason, STATUS } from '@kiroku/infra/admin/refusals.js';
import type { z } from 'zod';

interface Described {
  readonly summary: string;
  readonly status?: number;
  /** What the answer holds; none = no content, or something that `type` names. */
  readonly answer?: z.ZodType;
  /** Media type of an answer that is not JSON. */
  readonly type?: string;
  /** Reasons for which it can be refused, beyond those that every route has. */
  readonly refusals?: readonly AdminReason[];
  /** Needs no token. */
  readonly open?: boolean;
}

/** One place says what a route does, answers and refuses; the OpenAPI document is made of it. */
export function Route({ summary, status, answer, type, refusals = [], open = false }: Described): MethodDecorator {
  const code = status ?? (answer || type ? 200 : 204);
  const reasons: readonly AdminReason[] = [...refusals, 'bad-request', ...(open ? [] : (['unauthorized'] as const)), 'internal', 'unavailable'];
  const statuses = [...new Set(reasons.map((reason) => STATUS[reason]))];
  return applyDecorators(
    named,
    HttpCode(code),
    ApiOperation({ summary, ...(open && { security: [] }) }),
    ...(open ? [] : [ApiBearerAuth()]),
    answer
      ? ApiResponse({ status: code, description: 'Done', standardSchema: answer })
      : ApiResponse({ status: code, description: 'Done', ...(type !== undefined && { content: { [type]: { schema: { type: 'string' } } } }) }),
    ...statuses.map((problem) =>
      ApiResponse({
        status: problem,
        description: reasons.filter((reason) => STATUS[reason] === problem).join(', '),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      }),
    ),
  );
}


/** Nest's document looks at a route's parameters only where the compiler has left their types, which ours does not; the schemas say more. */
const named: MethodDecorator = (target, key, descriptor) => {
  const { length } = descriptor.value as unknown as { readonly length: number };
  Reflect.defineMetadata('design:paramtypes', Array.from({ length }, () => Object), target, key);
};
