import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import { MessageQueries } from '@kiroku/infra/admin/messages.js';
import type { Response } from 'express';
import type { z } from 'zod';
import { Route } from '../http/describe.js';
import { Message, MessageParam, MessageQuery, Messages, Story, StoryQuery } from '../schemas.js';

const BY_ID = { schema: MessageParam };
type Named = z.output<typeof MessageParam>;

@ApiTags('messages')
@Controller('messages')
export class MessageRoutes {
  constructor(@Inject(MessageQueries) private readonly messages: MessageQueries) {}

  @Get()
  @Route({ summary: 'Messages, newest first', answer: Messages })
  list(@Query({ schema: MessageQuery }) query: z.output<typeof MessageQuery>) {
    return this.messages.list(query);
  }

  @Get(':id')
  @Route({ summary: 'One message, by queue id or Message-ID', answer: Message, refusals: ['no-such-message'] })
  async get(@Param(BY_ID) { id }: Named) {
    return (await this.messages.get(id)) ?? unknown(id);
  }

  @Get(':id/story')
  @Route({ summary: 'Everything that happened, by queue id, Message-ID or session id', answer: Story, refusals: ['no-such-message'] })
  async story(@Param(BY_ID) { id }: Named, @Query({ schema: StoryQuery }) { wait }: z.output<typeof StoryQuery>, @Res({ passthrough: true }) response: Response) {
    const left = new AbortController();
    response.on('close', () => left.abort());
    return (await this.messages.story(id, wait, left.signal)) ?? unknown(id);
  }
}

const unknown = (id: string): never => {
  throw new Refusal('no-such-message', id.slice(0, 200));
};
