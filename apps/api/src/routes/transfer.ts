import { Controller, Get, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { DirectoryAdmin } from '@kiroku/infra/admin/directory.js';
import { AccountImport } from '@kiroku/infra/admin/import.js';
import type { Response } from 'express';
import type { z } from 'zod';
import { Route } from '../http/describe.js';
import { rawBody } from '../http/raw-body.js';
import { type AdminRequest, From } from '../http/request.js';
import { brokeOff, jsonLines, stream } from '../http/stream.js';
import { ExportQuery, ImportQuery } from '../schemas.js';

/** Bytes of an account list. */
const MOST = 64 * 1024 * 1024;

/** Account lists in and out, as streams. */
@ApiTags('accounts')
@Controller('accounts')
export class TransferRoutes {
  /** A list is held in memory while it is imported: one at a time. */
  #importing = false;

  constructor(
    @Inject(DirectoryAdmin) private readonly directory: DirectoryAdmin,
    @Inject(AccountImport) private readonly accounts: AccountImport,
  ) {}

  @Post('import')
  @ApiConsumes('text/tab-separated-values')
  @ApiBody({
    description: 'A list of 8 or 10 tab-separated columns, UTF-8, Shift_JIS or UTF-16; at most 64 MiB and 100,000 rows',
    schema: { type: 'string', format: 'binary' },
  })
  @Route({
    summary: 'Add accounts from a list; a line of JSON for each row, with progress, and a summary at the end', type: 'application/x-ndjson',
    refusals: ['bad-import', 'bad-domain', 'no-such-domain', 'import-running', 'too-large'],
  })
  async import(
    @Query({ schema: ImportQuery }) { domain, dryRun }: z.output<typeof ImportQuery>, @From() origin: Origin,
    @Req() request: AdminRequest, @Res() response: Response,
  ): Promise<void> {
    if (this.#importing) throw new Refusal('import-running');
    this.#importing = true;
    try {
      const plan = await this.accounts.plan(await rawBody(request, MOST), domain);
      await stream(response, 'application/x-ndjson', jsonLines(this.accounts.run(plan, dryRun, origin)), brokeOff(origin));
    } finally {
      this.#importing = false;
    }
  }

  @Get('export')
  @Route({
    summary: 'Accounts as a list of 10 tab-separated columns, which this server can import again; passwords stay sealed', type: 'text/tab-separated-values',
    refusals: ['bad-domain', 'no-such-domain'],
  })
  async export(@Query({ schema: ExportQuery }) { domain }: z.output<typeof ExportQuery>, @Res() response: Response): Promise<void> {
    await stream(response, 'text/tab-separated-values; charset=utf-8', this.directory.exported(domain));
  }
}
