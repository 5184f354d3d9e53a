import { Body, Controller, Delete, Get, HttpStatus, Inject, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { Administrators, type Caller } from '@kiroku/infra/admin/administrators.js';
import type { z } from 'zod';
import { Route } from '../http/describe.js';
import { By, From } from '../http/request.js';
import { AdministratorName, Administrators as List, NewAdministrator, NewToken, TokenParam } from '../schemas.js';

const BY_NAME = { schema: AdministratorName };
type Named = z.output<typeof AdministratorName>;

@ApiTags('administrators')
@Controller('administrators')
export class AdministratorRoutes {
  constructor(@Inject(Administrators) private readonly administrators: Administrators) {}

  @Get()
  @Route({ summary: 'Administrators and when their tokens were issued', answer: List })
  async list() {
    return { items: await this.administrators.list() };
  }

  @Post()
  @Route({
    summary: 'Add an administrator; the token is shown once', status: HttpStatus.CREATED, answer: NewToken,
    refusals: ['bad-administrator-name', 'administrator-exists'],
  })
  add(@Body({ schema: NewAdministrator }) { name }: z.output<typeof NewAdministrator>, @From() origin: Origin) {
    return this.administrators.add(name, origin);
  }

  @Post(':name/tokens')
  @Route({
    summary: 'One more token, shown once', status: HttpStatus.CREATED, answer: NewToken,
    refusals: ['bad-administrator-name', 'unknown-administrator', 'too-many-tokens'],
  })
  issue(@Param(BY_NAME) { name }: Named, @From() origin: Origin) {
    return this.administrators.issue(name, origin);
  }

  @Delete(':name/tokens')
  @Route({ summary: 'Revoke all tokens', refusals: ['bad-administrator-name', 'unknown-administrator', 'own-token'] })
  revokeAll(@Param(BY_NAME) { name }: Named, @By() by: Caller, @From() origin: Origin): Promise<void> {
    return this.administrators.revoke(name, undefined, by, origin);
  }

  @Delete(':name/tokens/:tokenId')
  @Route({ summary: 'Revoke one token', refusals: ['bad-administrator-name', 'unknown-administrator', 'unknown-token', 'own-token'] })
  revoke(@Param({ schema: TokenParam }) { name, tokenId }: z.output<typeof TokenParam>, @By() by: Caller, @From() origin: Origin): Promise<void> {
    return this.administrators.revoke(name, tokenId, by, origin);
  }

  @Delete(':name')
  @Route({ summary: 'Remove an administrator', refusals: ['bad-administrator-name', 'unknown-administrator', 'own-token'] })
  remove(@Param(BY_NAME) { name }: Named, @By() by: Caller, @From() origin: Origin): Promise<void> {
    return this.administrators.remove(name, by, origin);
  }
}
