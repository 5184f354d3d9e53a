import { Body, Controller, Delete, Get, HttpStatus, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { LdapAdmin } from '@kiroku/infra/admin/ldap.js';
import type * as z from 'zod';
import { Route } from '../http/describe.js';
import { From } from '../http/request.js';
import { LdapChange, LdapDirectories, LdapDirectory, LdapParam, LdapTest, LdapTestQuery, NewLdapDirectory } from '../ldap-schemas.js';
import { PageQuery } from '../schemas.js';

const BY_NAME = { schema: LdapParam };
type Named = z.output<typeof LdapParam>;

/** Directories that know the recipients of relay domains. */
@ApiTags('LDAP directories')
@Controller('ldap')
export class LdapRoutes {
  constructor(@Inject(LdapAdmin) private readonly ldap: LdapAdmin) {}

  @Get()
  @Route({ summary: 'LDAP directories, without their secrets', answer: LdapDirectories })
  list(@Query({ schema: PageQuery }) query: z.output<typeof PageQuery>) {
    return this.ldap.list(query);
  }

  @Get(':name')
  @Route({ summary: 'One of them', answer: LdapDirectory, refusals: ['bad-ldap-directory', 'no-such-ldap-directory'] })
  get(@Param(BY_NAME) { name }: Named) {
    return this.ldap.get(name);
  }

  @Get(':name/test')
  @Route({ summary: 'Ask every server of a directory for an address', answer: LdapTest, refusals: ['bad-ldap-directory', 'no-such-ldap-directory', 'bad-address'] })
  test(@Param(BY_NAME) { name }: Named, @Query({ schema: LdapTestQuery }) { address }: z.output<typeof LdapTestQuery>) {
    return this.ldap.test(name, address);
  }

  @Post()
  @Route({ summary: 'Add an LDAP directory', status: HttpStatus.CREATED, answer: LdapDirectory, refusals: ['bad-ldap-directory', 'bad-ldap-filter', 'ldap-directory-exists'] })
  async add(@Body({ schema: NewLdapDirectory }) { secret = '', ...wish }: z.output<typeof NewLdapDirectory>, @From() origin: Origin) {
    await this.ldap.add({ ...wish, secret }, origin);
    return this.ldap.get(wish.name);
  }

  @Patch(':name')
  @Route({ summary: 'Change servers, login, base or filter', answer: LdapDirectory, refusals: ['bad-ldap-directory', 'bad-ldap-filter', 'no-such-ldap-directory'] })
  async change(@Param(BY_NAME) { name }: Named, @Body({ schema: LdapChange }) changes: z.output<typeof LdapChange>, @From() origin: Origin) {
    await this.ldap.change(name, changes, origin);
    return this.ldap.get(name);
  }

  @Delete(':name')
  @Route({ summary: 'Remove a directory that no relay domain asks', refusals: ['bad-ldap-directory', 'no-such-ldap-directory', 'ldap-directory-in-use'] })
  async remove(@Param(BY_NAME) { name }: Named, @From() origin: Origin): Promise<void> {
    await this.ldap.remove(name, origin);
  }
}
