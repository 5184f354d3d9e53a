import { Controller, Get, Header, HttpStatus, Inject, Res } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { Operations } from '@kiroku/infra/admin/operations.js';
import type { Response } from 'express';
import { Route } from '../http/describe.js';
import { Open } from '../http/request.js';
import { Health, Live, Views } from '../schemas.js';

const NOT_READY = { status: HttpStatus.SERVICE_UNAVAILABLE, description: 'A role is missing or in trouble, or the database is away', standardSchema: Health };

@ApiTags('operations')
@Controller()
export class OperationRoutes {
  constructor(@Inject(Operations) private readonly operations: Operations) {}

  @Get('views')
  @Route({ summary: 'Views and how far each is behind the history', answer: Views })
  async views() {
    return { items: await this.operations.views() };
  }

  @Get('health')
  @Route({ summary: 'Every role and process, and what wants attention', answer: Health })
  @ApiResponse(NOT_READY)
  async health(@Res({ passthrough: true }) response: Response) {
    const health = await this.operations.health();
    if (health.status === 'trouble') response.status(HttpStatus.SERVICE_UNAVAILABLE);
    return health;
  }

  /** For load balancers and supervisors: a stranger sees the words, not the processes. */
  @Get('health/ready')
  @Open('always')
  @Route({ summary: 'Whether all roles run and the database answers', answer: Live, open: true })
  @ApiResponse({ ...NOT_READY, standardSchema: Live })
  async ready(@Res({ passthrough: true }) response: Response) {
    const { status } = await this.operations.health();
    if (status === 'trouble') response.status(HttpStatus.SERVICE_UNAVAILABLE);
    return { status: status === 'trouble' ? status : 'ok' };
  }

  @Get('health/live')
  @Open('always')
  @Route({ summary: 'Whether this process answers', answer: Live, open: true })
  live() {
    return { status: 'ok' };
  }

  @Get('metrics')
  @Open('loopback')
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  @Route({ summary: 'Metrics of all processes in the Prometheus text format; callers from this machine need no token', type: 'text/plain' })
  metrics(): Promise<string> {
    return this.operations.metrics();
  }
}
