import { Body, Controller, Delete, Get, Header, HttpStatus, Inject, Param, Patch, Post, Put, Query, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { GatewayAdmin } from '@kiroku/infra/admin/gateways.js';
import type { z } from 'zod';
import {
  Credentials, CredentialsChange, CredentialsPage, CredentialsParam, FetchedToken, ForwardAll, GatewayTable, LineChange, LineParam, NewCredentials, NewLine, NewPlace, Revision, RouteAnswer, RouteQuery, TableChanged,
} from '../gateway-schemas.js';
import { Route } from '../http/describe.js';
import { rawBody } from '../http/raw-body.js';
import { type AdminRequest, From } from '../http/request.js';
import { PageQuery } from '../schemas.js';

/** Bytes of a table: 2 million characters. */
const MOST = 8 * 1024 * 1024;
const BY_LINE = { schema: LineParam };
const WITH_REVISION = { schema: Revision };
type Line = z.output<typeof LineParam>;
type Seen = z.output<typeof Revision>;
const TABLE = ['stale-table', 'bad-gateway-line', 'too-many-lines', 'no-such-line', 'unknown-credentials'] as const;

/** The gateway table: which mail goes where instead of to the MX of its domain. */
@ApiTags('gateways')
@Controller('gateways')
export class GatewayRoutes {
  constructor(@Inject(GatewayAdmin) private readonly gateways: GatewayAdmin) {}

  @Get()
  @Route({ summary: 'The gateway table', answer: GatewayTable })
  get() {
    return this.gateways.table();
  }

  @Patch()
  @Route({ summary: 'Send all received mail to the gateways, also for local domains, or not', answer: TableChanged, refusals: ['stale-table'] })
  forwardAll(@Body({ schema: ForwardAll }) { forwardAll }: z.output<typeof ForwardAll>, @Query(WITH_REVISION) { revision }: Seen, @From() origin: Origin) {
    return this.gateways.change({ type: 'SetForwardAll', forwardAll, revision }, origin);
  }

  @Get('table')
  @Header('Content-Type', 'text/plain; charset=utf-8')
  @Route({ summary: 'The table as text that can be imported', type: 'text/plain' })
  text() {
    return this.gateways.text();
  }

  @Put('table')
  @ApiConsumes('text/plain')
  @ApiBody({ description: 'Lines target[|sender],gateway,port[*][,credentials] (gateway.dat), UTF-8, Shift_JIS or UTF-16', schema: { type: 'string', format: 'binary' } })
  @Route({ summary: 'Replace the whole table by a text, or nothing of it', answer: TableChanged, refusals: ['stale-table', 'bad-table', 'too-many-lines', 'unknown-credentials', 'too-large'] })
  async import(@Query(WITH_REVISION) { revision }: Seen, @From() origin: Origin, @Req() request: AdminRequest) {
    return this.gateways.import(await rawBody(request, MOST), revision, origin);
  }

  @Get('route')
  @Route({ summary: 'Where mail to an address would go, and which line says so', answer: RouteAnswer, refusals: ['bad-address'] })
  route(@Query({ schema: RouteQuery }) { address, sender }: z.output<typeof RouteQuery>) {
    return this.gateways.test(address, sender);
  }

  @Post('lines')
  @Route({ summary: 'Add a row or a comment', status: HttpStatus.CREATED, answer: TableChanged, refusals: TABLE })
  add(@Body({ schema: NewLine }) { at, ...line }: z.output<typeof NewLine>, @Query(WITH_REVISION) { revision }: Seen, @From() origin: Origin) {
    return this.gateways.change({ type: 'AddLine', line, at, revision }, origin);
  }

  @Patch('lines/:line')
  @Route({ summary: 'Change a part of a row', answer: TableChanged, refusals: TABLE })
  change(@Param(BY_LINE) { line }: Line, @Body({ schema: LineChange }) changes: z.output<typeof LineChange>, @Query(WITH_REVISION) { revision }: Seen, @From() origin: Origin) {
    return this.gateways.change({ type: 'ChangeLine', at: line, changes, revision }, origin);
  }

  @Post('lines/:line/move')
  @Route({ summary: 'Another place, which is another priority', answer: TableChanged, refusals: ['stale-table', 'no-such-line'] })
  move(@Param(BY_LINE) { line }: Line, @Body({ schema: NewPlace }) { to }: z.output<typeof NewPlace>, @Query(WITH_REVISION) { revision }: Seen, @From() origin: Origin) {
    return this.gateways.change({ type: 'MoveLine', at: line, to, revision }, origin);
  }

  @Delete('lines/:line')
  @Route({ summary: 'Remove a row or a comment', answer: TableChanged, refusals: ['stale-table', 'no-such-line'] })
  remove(@Param(BY_LINE) { line }: Line, @Query(WITH_REVISION) { revision }: Seen, @From() origin: Origin) {
    return this.gateways.change({ type: 'RemoveLine', at: line, revision }, origin);
  }
}

const BY_NAME = { schema: CredentialsParam };
type Named = z.output<typeof CredentialsParam>;

@ApiTags('credentials')
@Controller('credentials')
export class CredentialsRoutes {
  constructor(@Inject(GatewayAdmin) private readonly gateways: GatewayAdmin) {}

  @Get()
  @Route({ summary: 'Credentials for gateways, without their secrets', answer: CredentialsPage })
  list(@Query({ schema: PageQuery }) query: z.output<typeof PageQuery>) {
    return this.gateways.credentials(query);
  }

  @Get(':name')
  @Route({ summary: 'One of them', answer: Credentials, refusals: ['bad-credentials', 'no-such-credentials'] })
  get(@Param(BY_NAME) { name }: Named) {
    return this.gateways.oneCredentials(name);
  }

  @Post()
  @Route({ summary: 'Add credentials', status: HttpStatus.CREATED, answer: Credentials, refusals: ['bad-credentials', 'credentials-exist'] })
  async add(@Body({ schema: NewCredentials }) wish: z.output<typeof NewCredentials>, @From() origin: Origin) {
    await this.gateways.addCredentials(wish, origin);
    return this.gateways.oneCredentials(wish.name);
  }

  @Patch(':name')
  @Route({ summary: 'Change mechanism, user, secret or where access tokens come from', answer: Credentials, refusals: ['bad-credentials', 'no-such-credentials'] })
  async change(@Param(BY_NAME) { name }: Named, @Body({ schema: CredentialsChange }) changes: z.output<typeof CredentialsChange>, @From() origin: Origin) {
    await this.gateways.changeCredentials(name, changes, origin);
    return this.gateways.oneCredentials(name);
  }

  @Post(':name/test')
  @Route({ summary: 'Fetch an access token as delivery would, and say until when it is good', status: HttpStatus.OK, answer: FetchedToken, refusals: ['bad-credentials', 'no-such-credentials', 'fixed-secret', 'no-access-token'] })
  test(@Param(BY_NAME) { name }: Named) {
    return this.gateways.testCredentials(name);
  }

  @Delete(':name')
  @Route({ summary: 'Remove credentials that no row uses', refusals: ['bad-credentials', 'no-such-credentials', 'credentials-in-use'] })
  async remove(@Param(BY_NAME) { name }: Named, @From() origin: Origin): Promise<void> {
    await this.gateways.removeCredentials(name, origin);
  }
}
