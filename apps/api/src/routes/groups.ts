import { Body, Controller, Delete, Get, HttpStatus, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { GroupAdmin } from '@kiroku/infra/admin/groups.js';
import type * as z from 'zod';
import { Group, GroupMembers, GroupParam, GroupQuery, GroupRename, Groups, MembersChange, NewGroup } from '../group-schemas.js';
import { Route } from '../http/describe.js';
import { From } from '../http/request.js';
import { PageQuery } from '../schemas.js';

const BY_NAME = { schema: GroupParam };
type Named = z.output<typeof GroupParam>;
const UNKNOWN = ['bad-group', 'no-such-group'] as const;
const JOINING = ['no-such-account', 'too-many-members', 'too-many-groups', 'conflict'] as const;

/** Accounts that access lists of mailboxes name together. */
@ApiTags('groups')
@Controller('groups')
export class GroupRoutes {
  constructor(@Inject(GroupAdmin) private readonly groups: GroupAdmin) {}

  @Get()
  @Route({ summary: 'Groups by name', answer: Groups, refusals: ['bad-domain', 'no-such-account'] })
  list(@Query({ schema: GroupQuery }) query: z.output<typeof GroupQuery>) {
    return this.groups.list(query);
  }

  @Get(':name')
  @Route({ summary: 'One group', answer: Group, refusals: UNKNOWN })
  get(@Param(BY_NAME) { name }: Named) {
    return this.groups.get(name);
  }

  @Get(':name/members')
  @Route({ summary: 'Members by address', answer: GroupMembers, refusals: UNKNOWN })
  members(@Param(BY_NAME) { name }: Named, @Query({ schema: PageQuery }) query: z.output<typeof PageQuery>) {
    return this.groups.members(name, query);
  }

  @Post()
  @Route({ summary: 'Add a group', status: HttpStatus.CREATED, answer: Group, refusals: ['bad-group', 'group-exists', 'no-such-domain', ...JOINING] })
  async add(@Body({ schema: NewGroup }) { name, members }: z.output<typeof NewGroup>, @From() origin: Origin) {
    await this.groups.commands.add(name, members, origin);
    return this.groups.get(name);
  }

  @Patch(':name/members')
  @Route({ summary: 'Take accounts in, and let them go', answer: Group, refusals: [...UNKNOWN, ...JOINING] })
  async change(@Param(BY_NAME) { name }: Named, @Body({ schema: MembersChange }) { add, remove }: z.output<typeof MembersChange>, @From() origin: Origin) {
    await this.groups.commands.changeMembers(name, add, remove, origin);
    return this.groups.get(name);
  }

  @Post(':name/rename')
  @Route({ summary: 'Another name in the same domain; access lists follow', answer: Group, refusals: [...UNKNOWN, 'group-exists', 'conflict'] })
  async rename(@Param(BY_NAME) { name }: Named, @Body({ schema: GroupRename }) { to }: z.output<typeof GroupRename>, @From() origin: Origin) {
    await this.groups.commands.rename(name, to, origin);
    return this.groups.get(to);
  }

  @Delete(':name')
  @Route({ summary: 'Delete a group; what was shared with it is not any more', refusals: [...UNKNOWN, 'conflict'] })
  async remove(@Param(BY_NAME) { name }: Named, @From() origin: Origin): Promise<void> {
    await this.groups.commands.delete(name, origin);
  }
}
