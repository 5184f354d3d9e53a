import { Body, Controller, Delete, Get, HttpStatus, Inject, Param, Patch, Post, Put, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { DirectoryAdmin } from '@kiroku/infra/admin/directory.js';
import type { z } from 'zod';
import { Route } from '../http/describe.js';
import { From } from '../http/request.js';
import { Account, AccountChange, Accounts, AddressParam, DomainQuery, NewAccount, NewAddress, NewPassword } from '../schemas.js';

const BY_ADDRESS = { schema: AddressParam };
type Named = z.output<typeof AddressParam>;

@ApiTags('accounts')
@Controller('accounts')
export class AccountRoutes {
  constructor(@Inject(DirectoryAdmin) private readonly directory: DirectoryAdmin) {}

  @Get()
  @Route({ summary: 'Accounts by address', answer: Accounts, refusals: ['bad-domain'] })
  list(@Query({ schema: DomainQuery }) query: z.output<typeof DomainQuery>) {
    return this.directory.accounts(query);
  }

  @Get(':address')
  @Route({ summary: 'One account', answer: Account, refusals: ['no-such-account'] })
  get(@Param(BY_ADDRESS) { address }: Named) {
    return this.directory.account(address);
  }

  @Post()
  @Route({
    summary: 'Add an account with its INBOX', status: HttpStatus.CREATED, answer: Account,
    refusals: ['bad-address', 'bad-account', 'bad-password', 'no-such-domain', 'address-taken', 'domain-limit'],
  })
  async add(@Body({ schema: NewAccount }) wish: z.output<typeof NewAccount>, @From() origin: Origin) {
    await this.directory.addAccount(wish, origin);
    return this.directory.account(wish.address);
  }

  @Patch(':address')
  @Route({ summary: 'Change an account', answer: Account, refusals: ['no-such-account', 'bad-account', 'password-needed'] })
  async change(@Param(BY_ADDRESS) { address }: Named, @Body({ schema: AccountChange }) changes: z.output<typeof AccountChange>, @From() origin: Origin) {
    await this.directory.changeAccount(address, changes, origin);
    return this.directory.account(address);
  }

  @Put(':address/password')
  @Route({ summary: 'Set a new password', refusals: ['no-such-account', 'bad-password'] })
  async password(@Param(BY_ADDRESS) { address }: Named, @Body({ schema: NewPassword }) body: z.output<typeof NewPassword>, @From() origin: Origin): Promise<void> {
    await this.directory.setPassword(address, body.password, body.reversible, origin);
  }

  @Post(':address/disable')
  @Route({ summary: 'Take no mail and refuse logins', answer: Account, refusals: ['no-such-account'] })
  async disable(@Param(BY_ADDRESS) { address }: Named, @From() origin: Origin) {
    await this.directory.enableAccount(address, false, origin);
    return this.directory.account(address);
  }

  @Post(':address/enable')
  @Route({ summary: 'Take mail and allow logins again', answer: Account, refusals: ['no-such-account'] })
  async enable(@Param(BY_ADDRESS) { address }: Named, @From() origin: Origin) {
    await this.directory.enableAccount(address, true, origin);
    return this.directory.account(address);
  }

  @Post(':address/rename')
  @Route({
    summary: 'Another address for the same account and mail', answer: Account,
    refusals: ['no-such-account', 'bad-address', 'address-taken', 'no-such-domain', 'domain-limit'],
  })
  async rename(@Param(BY_ADDRESS) { address }: Named, @Body({ schema: NewAddress }) to: z.output<typeof NewAddress>, @From() origin: Origin) {
    await this.directory.renameAccount(address, to.address, origin);
    return this.directory.account(to.address);
  }

  @Delete(':address')
  @Route({ summary: 'Delete an account with its mail', refusals: ['no-such-account'] })
  async remove(@Param(BY_ADDRESS) { address }: Named, @From() origin: Origin): Promise<void> {
    await this.directory.deleteAccount(address, origin);
  }
}
