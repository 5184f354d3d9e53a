import { Body, Controller, Delete, Get, HttpStatus, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { MailboxAdmin } from '@kiroku/infra/admin/mailboxes.js';
import type { z } from 'zod';
import { Route } from '../http/describe.js';
import { From } from '../http/request.js';
import { AccessList, AccessParam, BodyCache, Mailbox, Mailboxes, MailboxesQuery, MailboxParam, MailboxRename, NewMailbox, NewRights, ReasonQuery } from '../mailbox-schemas.js';
import { AddressParam } from '../schemas.js';

type Named = z.output<typeof MailboxParam>;
const BY_NAME = { schema: MailboxParam };
const UNKNOWN = ['no-such-account', 'no-such-mailbox', 'bad-mailbox-name'] as const;
const MADE = ['mailbox-exists', 'too-many-mailboxes', 'bad-reason', 'conflict'] as const;
const SHARING = ['unknown-identifier', 'owner-has-all-rights', 'bad-reason', 'conflict'] as const;

/** The mailboxes of an account, as its owner's mail program sees them. In a path, / within a name is %2F. */
@ApiTags('mailboxes')
@Controller('accounts/:address/mailboxes')
export class MailboxRoutes {
  constructor(@Inject(MailboxAdmin) private readonly mailboxes: MailboxAdmin) {}

  @Get()
  @Route({ summary: 'An account’s mailboxes by name', answer: Mailboxes, refusals: ['no-such-account'] })
  list(@Param({ schema: AddressParam }) { address }: z.output<typeof AddressParam>, @Query({ schema: MailboxesQuery }) query: z.output<typeof MailboxesQuery>) {
    return this.mailboxes.list(address, query);
  }

  @Get(':name')
  @Route({ summary: 'One mailbox', answer: Mailbox, refusals: UNKNOWN })
  get(@Param(BY_NAME) { address, name }: Named) {
    return this.mailboxes.get(address, name);
  }

  @Post()
  @Route({ summary: 'Create a mailbox, and those above it that are missing', status: HttpStatus.CREATED, answer: Mailbox, refusals: ['no-such-account', 'bad-mailbox-name', ...MADE] })
  create(@Param({ schema: AddressParam }) { address }: z.output<typeof AddressParam>, @Body({ schema: NewMailbox }) wish: z.output<typeof NewMailbox>, @From() origin: Origin) {
    return this.mailboxes.create(address, wish, origin);
  }

  @Post(':name/rename')
  @Route({ summary: 'Another name for a mailbox and what lies below it', answer: Mailbox, refusals: [...UNKNOWN, 'inbox-stays', ...MADE] })
  rename(@Param(BY_NAME) { address, name }: Named, @Body({ schema: MailboxRename }) { to, reason }: z.output<typeof MailboxRename>, @From() origin: Origin) {
    return this.mailboxes.rename(address, name, to, reason, origin);
  }

  @Delete(':name')
  @Route({ summary: 'Delete a mailbox with its messages; what lies below it stays', refusals: [...UNKNOWN, 'inbox-stays', 'bad-reason', 'conflict'] })
  async remove(@Param(BY_NAME) { address, name }: Named, @Query({ schema: ReasonQuery }) { reason }: z.output<typeof ReasonQuery>, @From() origin: Origin): Promise<void> {
    await this.mailboxes.delete(address, name, reason, origin);
  }

  @Get(':name/acl')
  @Route({ summary: 'Who else may use a mailbox, and how', answer: AccessList, refusals: UNKNOWN })
  async acl(@Param(BY_NAME) { address, name }: Named) {
    return { items: await this.mailboxes.acl(address, name) };
  }

  @Put(':name/acl/:who')
  @Route({ summary: 'Give an account, a group or anyone exactly these rights', answer: AccessList, refusals: [...UNKNOWN, ...SHARING, 'bad-rights', 'too-many-mailboxes'] })
  async share(@Param({ schema: AccessParam }) { address, name, who }: z.output<typeof AccessParam>, @Body({ schema: NewRights }) { rights, reason }: z.output<typeof NewRights>, @From() origin: Origin) {
    return { items: await this.mailboxes.setAcl(address, name, who, rights, reason, origin) };
  }

  @Delete(':name/acl/:who')
  @Route({ summary: 'Take an entry off the access list', answer: AccessList, refusals: [...UNKNOWN, ...SHARING] })
  async unshare(
    @Param({ schema: AccessParam }) { address, name, who }: z.output<typeof AccessParam>, @Query({ schema: ReasonQuery }) { reason }: z.output<typeof ReasonQuery>, @From() origin: Origin,
  ) {
    return { items: await this.mailboxes.setAcl(address, name, who, '', reason, origin) };
  }
}

/** What SEARCH and FETCH know of bodies without reading them. */
@ApiTags('mailboxes')
@Controller('body-cache')
export class BodyCacheRoutes {
  constructor(@Inject(MailboxAdmin) private readonly mailboxes: MailboxAdmin) {}

  @Get()
  @Route({ summary: 'How large the cache of bodies is, and what it lacks', answer: BodyCache })
  get() {
    return this.mailboxes.cache();
  }

  @Delete()
  @Route({ summary: 'Empty the cache of bodies: it fills itself again' })
  async clear(): Promise<void> {
    await this.mailboxes.clearCache();
  }
}
