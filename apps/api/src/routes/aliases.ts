import { Body, Controller, Delete, Get, HttpStatus, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { DirectoryAdmin } from '@kiroku/infra/admin/directory.js';
import type { z } from 'zod';
import { Route } from '../http/describe.js';
import { From } from '../http/request.js';
import { AddressParam, Alias, AliasChange, Aliases, DomainQuery, NewAddress, NewAlias } from '../schemas.js';

const BY_ADDRESS = { schema: AddressParam };
type Named = z.output<typeof AddressParam>;
const TARGETS = ['bad-target', 'no-targets', 'too-many-targets', 'duplicate-target'] as const;

@ApiTags('aliases')
@Controller('aliases')
export class AliasRoutes {
  constructor(@Inject(DirectoryAdmin) private readonly directory: DirectoryAdmin) {}

  @Get()
  @Route({ summary: 'Aliases by address', answer: Aliases, refusals: ['bad-domain'] })
  list(@Query({ schema: DomainQuery }) query: z.output<typeof DomainQuery>) {
    return this.directory.aliases(query);
  }

  @Get(':address')
  @Route({ summary: 'One alias', answer: Alias, refusals: ['no-such-alias'] })
  get(@Param(BY_ADDRESS) { address }: Named) {
    return this.directory.alias(address);
  }

  @Post()
  @Route({
    summary: 'Add an alias, or a wildcard alias such as *@x.test', status: HttpStatus.CREATED, answer: Alias,
    refusals: ['bad-address', 'no-such-domain', 'address-taken', ...TARGETS],
  })
  async add(@Body({ schema: NewAlias }) { address, targets }: z.output<typeof NewAlias>, @From() origin: Origin) {
    await this.directory.commands.addAlias(address, targets, origin);
    return this.directory.alias(address);
  }

  @Patch(':address')
  @Route({ summary: 'Set the targets', answer: Alias, refusals: ['bad-address', 'no-such-alias', ...TARGETS] })
  async change(@Param(BY_ADDRESS) { address }: Named, @Body({ schema: AliasChange }) { targets }: z.output<typeof AliasChange>, @From() origin: Origin) {
    await this.directory.commands.changeAlias(address, targets, origin);
    return this.directory.alias(address);
  }

  @Post(':address/disable')
  @Route({ summary: 'As if it did not exist', answer: Alias, refusals: ['bad-address', 'no-such-alias'] })
  async disable(@Param(BY_ADDRESS) { address }: Named, @From() origin: Origin) {
    await this.directory.commands.enableAlias(address, false, origin);
    return this.directory.alias(address);
  }

  @Post(':address/enable')
  @Route({ summary: 'In use again', answer: Alias, refusals: ['bad-address', 'no-such-alias'] })
  async enable(@Param(BY_ADDRESS) { address }: Named, @From() origin: Origin) {
    await this.directory.commands.enableAlias(address, true, origin);
    return this.directory.alias(address);
  }

  @Post(':address/rename')
  @Route({ summary: 'Another address with the same targets', answer: Alias, refusals: ['bad-address', 'no-such-alias', 'address-taken', 'no-such-domain', 'bad-target'] })
  async rename(@Param(BY_ADDRESS) { address }: Named, @Body({ schema: NewAddress }) to: z.output<typeof NewAddress>, @From() origin: Origin) {
    await this.directory.commands.renameAlias(address, to.address, origin);
    return this.directory.alias(to.address);
  }

  @Delete(':address')
  @Route({ summary: 'Delete an alias', refusals: ['bad-address', 'no-such-alias'] })
  async remove(@Param(BY_ADDRESS) { address }: Named, @From() origin: Origin): Promise<void> {
    await this.directory.commands.deleteAlias(address, origin);
  }
}
