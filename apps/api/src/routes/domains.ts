import { Body, Controller, Delete, Get, HttpStatus, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { DirectoryAdmin } from '@kiroku/infra/admin/directory.js';
import type { z } from 'zod';
import { Route } from '../http/describe.js';
import { From } from '../http/request.js';
import { Domain, DomainChange, DomainParam, Domains, NewDomain, PageQuery } from '../schemas.js';

const BY_NAME = { schema: DomainParam };
type Named = z.output<typeof DomainParam>;

@ApiTags('domains')
@Controller('domains')
export class DomainRoutes {
  constructor(@Inject(DirectoryAdmin) private readonly directory: DirectoryAdmin) {}

  @Get()
  @Route({ summary: 'Domains by name', answer: Domains })
  list(@Query({ schema: PageQuery }) query: z.output<typeof PageQuery>) {
    return this.directory.domains(query);
  }

  @Get(':name')
  @Route({ summary: 'One domain', answer: Domain, refusals: ['bad-domain', 'no-such-domain'] })
  get(@Param(BY_NAME) { name }: Named) {
    return this.directory.domain(name);
  }

  @Post()
  @Route({ summary: 'Add a domain whose mail is ours', status: HttpStatus.CREATED, answer: Domain, refusals: ['bad-domain', 'domain-exists'] })
  async add(@Body({ schema: NewDomain }) { name, accountLimit }: z.output<typeof NewDomain>, @From() origin: Origin) {
    await this.directory.commands.addDomain(name, { accountLimit }, origin);
    return this.directory.domain(name);
  }

  @Patch(':name')
  @Route({ summary: 'Change a domain', answer: Domain, refusals: ['bad-domain', 'no-such-domain'] })
  async change(@Param(BY_NAME) { name }: Named, @Body({ schema: DomainChange }) change: z.output<typeof DomainChange>, @From() origin: Origin) {
    await this.directory.commands.changeDomain(name, change, origin);
    return this.directory.domain(name);
  }

  @Post(':name/disable')
  @Route({ summary: 'Take no mail and let nobody log in', answer: Domain, refusals: ['bad-domain', 'no-such-domain'] })
  async disable(@Param(BY_NAME) { name }: Named, @From() origin: Origin) {
    await this.directory.commands.enableDomain(name, false, origin);
    return this.directory.domain(name);
  }

  @Post(':name/enable')
  @Route({ summary: 'Take mail again', answer: Domain, refusals: ['bad-domain', 'no-such-domain'] })
  async enable(@Param(BY_NAME) { name }: Named, @From() origin: Origin) {
    await this.directory.commands.enableDomain(name, true, origin);
    return this.directory.domain(name);
  }

  @Delete(':name')
  @Route({ summary: 'Delete an empty domain', refusals: ['bad-domain', 'no-such-domain', 'not-empty'] })
  async remove(@Param(BY_NAME) { name }: Named, @From() origin: Origin): Promise<void> {
    await this.directory.commands.deleteDomain(name, origin);
  }
}
