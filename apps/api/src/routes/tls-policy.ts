import { Body, Controller, Delete, Get, HttpStatus, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import type { TlsRow } from '@kiroku/domain/tls-policy/row.js';
import { TlsPolicyAdmin } from '@kiroku/infra/admin/tls-policy.js';
import { TlsReports } from '@kiroku/infra/admin/tls-reports.js';
import type { z } from 'zod';
import { Route } from '../http/describe.js';
import { From } from '../http/request.js';
import { NeverOfferedChange, NewTlsRow, PeerParam, TlsDays, TlsDaysQuery, TlsReport, TlsReportParam, TlsRowChange, TlsTable } from '../tls-policy-schemas.js';

const BY_PEER = { schema: PeerParam };
type Named = z.output<typeof PeerParam>;

/** How connections to other servers are encrypted, and who is not offered STARTTLS here. */
@ApiTags('TLS policy')
@Controller('tls-policy')
export class TlsPolicyRoutes {
  constructor(
    @Inject(TlsPolicyAdmin) private readonly policy: TlsPolicyAdmin,
    @Inject(TlsReports) private readonly reported: TlsReports,
  ) {}

  @Get()
  @Route({ summary: 'The table, in order', answer: TlsTable })
  get() {
    return this.policy.table();
  }

  @Get('reports')
  @Route({ summary: 'Connections to domains that want reports about TLS, by UTC day and domain, the latest first', answer: TlsDays })
  days(@Query({ schema: TlsDaysQuery }) query: z.output<typeof TlsDaysQuery>) {
    return this.reported.days(query);
  }

  @Get('reports/:day/:domain')
  @Route({ summary: 'The report to a domain about a day (RFC 8460)', answer: TlsReport, refusals: ['no-tls-report'] })
  report(@Param({ schema: TlsReportParam }) { day, domain }: z.output<typeof TlsReportParam>) {
    return this.reported.report(day, domain);
  }

  @Post('rows')
  @Route({ summary: 'Add a row', status: HttpStatus.CREATED, answer: TlsTable, refusals: ['bad-tls-row', 'tls-row-exists', 'no-such-tls-row', 'too-many-tls-rows'] })
  add(@Body({ schema: NewTlsRow }) { before, ...row }: z.output<typeof NewTlsRow>, @From() origin: Origin) {
    return this.policy.change({ type: 'AddTlsRow', row: row as TlsRow, before }, origin);
  }

  @Patch('rows/:peer')
  @Route({ summary: 'Change or move a row', answer: TlsTable, refusals: ['bad-tls-row', 'no-such-tls-row'] })
  change(@Param(BY_PEER) { peer }: Named, @Body({ schema: TlsRowChange }) { before, ...changes }: z.output<typeof TlsRowChange>, @From() origin: Origin) {
    return this.policy.change({ type: 'ChangeTlsRow', peer, changes, before }, origin);
  }

  @Delete('rows/:peer')
  @Route({ summary: 'Remove a row', answer: TlsTable, refusals: ['no-such-tls-row'] })
  remove(@Param(BY_PEER) { peer }: Named, @From() origin: Origin) {
    return this.policy.change({ type: 'RemoveTlsRow', peer }, origin);
  }

  @Patch('never-offered')
  @Route({ summary: 'Say which clients are not offered STARTTLS', answer: TlsTable, refusals: ['bad-tls-row'] })
  never(@Body({ schema: NeverOfferedChange }) changes: z.output<typeof NeverOfferedChange>, @From() origin: Origin) {
    return this.policy.change({ type: 'ChangeNeverOffered', ...changes }, origin);
  }
}
