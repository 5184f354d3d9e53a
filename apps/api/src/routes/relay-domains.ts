import { Body, Controller, Delete, Get, HttpStatus, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { RelayDomainAdmin } from '@kiroku/infra/admin/relay-domains.js';
import type { z } from 'zod';
import { NewRelayDomain, Recipients, RelayDomainChange, RelayDomainDetails, RelayDomains } from '../gateway-schemas.js';
import { Route } from '../http/describe.js';
import { From } from '../http/request.js';
import { DomainParam, PageQuery } from '../schemas.js';

const BY_NAME = { schema: DomainParam };
type Named = z.output<typeof DomainParam>;
const LIST = ['bad-recipient', 'too-many-recipients'] as const;
const DIRECTORY = ['unknown-ldap-directory', 'ldap-directory-needed', 'ldap-directory-unused', 'bad-ldap-directory'] as const;

/** Domains whose mail is taken for a gateway though they are not local. */
@ApiTags('relay domains')
@Controller('relay-domains')
export class RelayDomainRoutes {
  constructor(@Inject(RelayDomainAdmin) private readonly relays: RelayDomainAdmin) {}

  @Get()
  @Route({ summary: 'Relay domains by name', answer: RelayDomains })
  list(@Query({ schema: PageQuery }) query: z.output<typeof PageQuery>) {
    return this.relays.list(query);
  }

  @Get(':name')
  @Route({ summary: 'One relay domain with its recipients', answer: RelayDomainDetails, refusals: ['bad-domain', 'no-such-relay-domain'] })
  get(@Param(BY_NAME) { name }: Named) {
    return this.relays.get(name);
  }

  @Post()
  @Route({
    summary: 'Take mail for a domain that a gateway serves', status: HttpStatus.CREATED, answer: RelayDomainDetails,
    refusals: ['bad-domain', 'relay-domain-exists', 'domain-is-local', ...LIST, ...DIRECTORY],
  })
  async add(@Body({ schema: NewRelayDomain }) wish: z.output<typeof NewRelayDomain>, @From() origin: Origin) {
    await this.relays.add(wish, origin);
    return this.relays.get(wish.name);
  }

  @Patch(':name')
  @Route({ summary: 'Another way to check recipients, or another list', answer: RelayDomainDetails, refusals: ['bad-domain', 'no-such-relay-domain', ...LIST, ...DIRECTORY] })
  async change(@Param(BY_NAME) { name }: Named, @Body({ schema: RelayDomainChange }) changes: z.output<typeof RelayDomainChange>, @From() origin: Origin) {
    await this.relays.change(name, { type: 'ChangeRelayDomain', ...changes }, origin);
    return this.relays.get(name);
  }

  @Post(':name/recipients/add')
  @Route({ summary: 'Put recipients on the list', answer: RelayDomainDetails, refusals: ['bad-domain', 'no-such-relay-domain', ...LIST] })
  async addRecipients(@Param(BY_NAME) { name }: Named, @Body({ schema: Recipients }) { recipients }: z.output<typeof Recipients>, @From() origin: Origin) {
    await this.relays.change(name, { type: 'AddRecipients', recipients }, origin);
    return this.relays.get(name);
  }

  @Post(':name/recipients/remove')
  @Route({ summary: 'Take recipients off the list', answer: RelayDomainDetails, refusals: ['bad-domain', 'no-such-relay-domain', ...LIST] })
  async removeRecipients(@Param(BY_NAME) { name }: Named, @Body({ schema: Recipients }) { recipients }: z.output<typeof Recipients>, @From() origin: Origin) {
    await this.relays.change(name, { type: 'RemoveRecipients', recipients }, origin);
    return this.relays.get(name);
  }

  @Delete(':name')
  @Route({ summary: 'Take no more mail for it', refusals: ['bad-domain', 'no-such-relay-domain'] })
  async remove(@Param(BY_NAME) { name }: Named, @From() origin: Origin): Promise<void> {
    await this.relays.change(name, { type: 'RemoveRelayDomain' }, origin);
  }
}
