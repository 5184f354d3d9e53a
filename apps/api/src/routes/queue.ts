import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { QueueQueries } from '@kiroku/infra/admin/queue.js';
import { QueueCommands } from '@kiroku/infra/admin/queue-commands.js';
import { QueueStories } from '@kiroku/infra/admin/queue-story.js';
import type { Response } from 'express';
import type { z } from 'zod';
import { Route } from '../http/describe.js';
import { From } from '../http/request.js';
import { brokeOff, jsonLines, stream } from '../http/stream.js';
import {
  QueueBulkQuery, QueueChange, QueueChanged, QueueCountQuery, QueuedMessageParam, QueuedMessageVerb, QueueFilterQuery, QueueItems, QueueMessageOrder, QueueOrder, QueueQuery, QueueStory,
  QueueStoryQuery, QueueSummary, QueueSummaryQuery, QueueTotal, QueueVerbParam,
} from '../queue-schemas.js';

const NDJSON = 'application/x-ndjson';
const ORDER = ['bad-reason', 'bad-route', 'bad-priority'] as const;

/** The outbound queue: mail for other servers, a recipient at a time. Always as true as the last change. */
@ApiTags('queue')
@Controller('queue')
export class QueueRoutes {
  constructor(
    @Inject(QueueQueries) private readonly queue: QueueQueries,
    @Inject(QueueCommands) private readonly commands: QueueCommands,
    @Inject(QueueStories) private readonly stories: QueueStories,
  ) {}

  @Get()
  @Route({ summary: 'Recipients that wait for other servers', answer: QueueItems })
  list(@Query({ schema: QueueQuery }) query: z.output<typeof QueueQuery>) {
    return this.queue.list(query);
  }

  @Get('summary')
  @Route({ summary: 'The queue by destination, the fullest first', answer: QueueSummary })
  summary(@Query({ schema: QueueSummaryQuery }) { limit, ...filter }: z.output<typeof QueueSummaryQuery>) {
    return this.queue.summary(filter, limit);
  }

  @Get('count')
  @Route({ summary: 'How many recipients and messages fit', answer: QueueTotal })
  count(@Query({ schema: QueueCountQuery }) { for: verb, to, priority, ...filter }: z.output<typeof QueueCountQuery>) {
    return verb === undefined ? this.queue.count(filter) : this.commands.count({ verb, route: to, priority }, filter);
  }

  @Get('export')
  @Route({ summary: 'Recipients that wait, a line of JSON each, oldest first', type: NDJSON })
  async export(@Query({ schema: QueueFilterQuery }) filter: z.output<typeof QueueFilterQuery>, @Res() response: Response): Promise<void> {
    await stream(response, NDJSON, jsonLines(this.queue.items(filter)));
  }

  @Get('messages/:id')
  @Route({ summary: 'Where a message’s recipients stand and what happened to them, every attempt', answer: QueueStory, refusals: ['no-such-message', 'unknown-recipient'] })
  story(@Param({ schema: QueuedMessageParam }) { id }: z.output<typeof QueuedMessageParam>, @Query({ schema: QueueStoryQuery }) { address }: z.output<typeof QueueStoryQuery>) {
    return this.stories.of(id, address);
  }

  @Post('messages/:id/change')
  @Route({
    summary: 'Another address in a recipient’s place', answer: QueueChanged,
    refusals: ['unknown-recipient', 'not-queued-yet', 'bad-address', 'same-address', 'already-a-recipient', 'local-address', 'bad-reason', 'conflict'],
  })
  change(@Param({ schema: QueuedMessageParam }) { id }: z.output<typeof QueuedMessageParam>, @Body({ schema: QueueChange }) change: z.output<typeof QueueChange>, @From() origin: Origin) {
    return this.commands.change(id, change, origin);
  }

  @Post('messages/:id/:verb')
  @Route({
    summary: 'Hold, release, retry, bounce, remove, reroute, or change the priority of recipients of one message: all that are named, or none', answer: QueueChanged,
    refusals: [...ORDER, 'unknown-recipient', 'not-queued-yet', 'already-held', 'not-held', 'held', 'same-route', 'same-priority', 'conflict'],
  })
  apply(
    @Param({ schema: QueuedMessageVerb }) { id, verb }: z.output<typeof QueuedMessageVerb>, @Body({ schema: QueueMessageOrder }) { addresses, ...order }: z.output<typeof QueueMessageOrder>,
    @From() origin: Origin,
  ) {
    return this.commands.apply({ verb, ...order }, id, addresses, origin);
  }

  @Post(':verb')
  @Route({
    summary: 'The same for all recipients that fit; a line of JSON for each, with progress, and a summary at the end. It stops when the client leaves',
    type: NDJSON, refusals: [...ORDER, 'nothing-chosen'],
  })
  async applyToAll(
    @Param({ schema: QueueVerbParam }) { verb }: z.output<typeof QueueVerbParam>, @Query({ schema: QueueBulkQuery }) { all, dryRun, ...filter }: z.output<typeof QueueBulkQuery>,
    @Body({ schema: QueueOrder }) order: z.output<typeof QueueOrder>, @From() origin: Origin, @Res() response: Response,
  ): Promise<void> {
    await stream(response, NDJSON, jsonLines(this.commands.applyToAll({ verb, ...order }, filter, { all, dryRun }, origin)), brokeOff(origin));
  }
}
