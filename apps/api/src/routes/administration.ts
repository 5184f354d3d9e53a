import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { ActionQueries } from '@kiroku/infra/admin/actions.js';
import { QuarantineAdmin } from '@kiroku/infra/admin/quarantine.js';
import type { z } from 'zod';
import { Route } from '../http/describe.js';
import { From } from '../http/request.js';
import { ActionQuery, Actions, Quarantined, QuarantineDiscarded, QuarantineOrder, QuarantineParam, QuarantineRetried } from '../administration-schemas.js';
import { PageQuery } from '../schemas.js';

@ApiTags('administrators')
@Controller('admin')
export class ActionRoutes {
  constructor(@Inject(ActionQueries) private readonly actions: ActionQueries) {}

  @Get('actions')
  @Route({ summary: 'What administrators did, newest first', answer: Actions })
  list(@Query({ schema: ActionQuery }) query: z.output<typeof ActionQuery>) {
    return this.actions.list(query);
  }
}

@ApiTags('quarantine')
@Controller('quarantine')
export class QuarantineRoutes {
  constructor(@Inject(QuarantineAdmin) private readonly quarantine: QuarantineAdmin) {}

  @Get()
  @Route({ summary: 'Messages that a fault of this server keeps from being delivered here', answer: Quarantined })
  list(@Query({ schema: PageQuery }) query: z.output<typeof PageQuery>) {
    return this.quarantine.list(query);
  }

  @Post('retry')
  @Route({ summary: 'Have all of them tried again', status: 200, answer: QuarantineRetried, refusals: ['bad-reason'] })
  async retryAll(@Body({ schema: QuarantineOrder }) { reason }: z.output<typeof QuarantineOrder>, @From() origin: Origin) {
    return { retried: await this.quarantine.retryAll(reason, origin) };
  }

  @Post(':id/retry')
  @Route({ summary: 'Have one tried again', status: 200, answer: QuarantineRetried, refusals: ['not-quarantined', 'already-discarded', 'bad-reason'] })
  async retry(@Param({ schema: QuarantineParam }) { id }: z.output<typeof QuarantineParam>, @Body({ schema: QuarantineOrder }) { reason }: z.output<typeof QuarantineOrder>, @From() origin: Origin) {
    await this.quarantine.retry(id, reason, origin);
    return { retried: 1 };
  }

  @Post(':id/discard')
  @Route({ summary: 'Give one up for good: it is never delivered, and its body is removed in time', status: 200, answer: QuarantineDiscarded, refusals: ['not-quarantined', 'already-discarded', 'bad-reason'] })
  async discard(@Param({ schema: QuarantineParam }) { id }: z.output<typeof QuarantineParam>, @Body({ schema: QuarantineOrder }) { reason }: z.output<typeof QuarantineOrder>, @From() origin: Origin) {
    await this.quarantine.discard(id, reason, origin);
    return { discarded: 1 };
  }
}
