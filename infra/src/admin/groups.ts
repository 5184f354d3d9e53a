import { ownDomain } from '@kiroku/domain/directory/domain.js';
import { groupName } from '@kiroku/domain/directory/group.js';
import type { GroupCommands } from '@kiroku/domain/directory/group-commands.js';
import { refuse } from '@kiroku/domain/directory/refusals.js';
import { canonical } from '@kiroku/domain/mail/address.js';
import type pg from 'pg';
import { type Page, pageOf, type PageQuery } from './page.js';

export interface GroupInfo {
  readonly id: string;
  /** As in access lists behind `group:`. */
  readonly name: string;
  readonly domain: string;
  /** How many. */
  readonly members: number;
  /** Epoch ms. */
  readonly createdAt: number;
}

export interface GroupMember {
  readonly address: string;
  readonly fullName: string;
  /** One that is disabled stays a member and can do nothing. */
  readonly enabled: boolean;
}

interface GroupFilter extends PageQuery {
  readonly domain?: string | undefined;
  /** Address of an account: its groups. */
  readonly member?: string | undefined;
}
interface Row { id: string; name: string; domain: string; members: number; created_at: number }
interface MemberRow { address: string; full_name: string; enabled: boolean }

const GROUP = 'g.id, g.name, g.domain, g.members, g.created_at';

/** Groups as administrators change and see them. Lists come from inline views: they reflect every change that has returned. */
export class GroupAdmin {
  constructor(
    private readonly pool: pg.Pool,
    readonly commands: GroupCommands,
  ) {}

  /** By name. @throws Refusal `bad-domain`, `no-such-account` */
  async list({ after, limit, domain, member }: GroupFilter): Promise<Page<GroupInfo>> {
    const account = member === undefined ? null : await this.#account(member);
    const { rows } = await this.pool.query<Row>({
      name: 'admin-groups',
      text: `SELECT ${GROUP} FROM view.group_1 g WHERE g.name > $1 AND ($2::text IS NULL OR g.domain = $2)
               AND ($3::uuid IS NULL OR EXISTS (SELECT FROM view.group_member_1 m WHERE m.group_id = g.id AND m.account_id = $3)) ORDER BY g.name LIMIT $4`,
      values: [after ?? '', domain === undefined ? null : ownDomain(domain), account, limit + 1],
    });
    return pageOf(rows, limit, groupOf, (row) => row.name);
  }

  /** @throws Refusal `bad-group`, `no-such-group` */
  async get(name: string): Promise<GroupInfo> {
    return groupOf(await this.#row(name));
  }

  /** By address. @throws Refusal `bad-group`, `no-such-group` */
  async members(name: string, { after, limit }: PageQuery): Promise<Page<GroupMember>> {
    const { id } = await this.#row(name);
    const { rows } = await this.pool.query<MemberRow>({
      name: 'admin-group-members',
      text: `SELECT a.address, a.full_name, a.enabled FROM view.group_member_1 m JOIN view.account_1 a ON a.id = m.account_id
             WHERE m.group_id = $1 AND a.address > $2 ORDER BY a.address LIMIT $3`,
      values: [id, after ?? '', limit + 1],
    });
    return pageOf(rows, limit, (row) => ({ address: row.address, fullName: row.full_name, enabled: row.enabled }), (row) => row.address);
  }

  async #row(name: string): Promise<Row> {
    const known = groupName(name);
    const { rows } = await this.pool.query<Row>({ name: 'admin-group', text: `SELECT ${GROUP} FROM view.group_1 g WHERE g.name = $1`, values: [known] });
    return rows[0] ?? refuse('no-such-group', known);
  }

  async #account(address: string): Promise<string> {
    const { rows } = await this.pool.query<{ id: string }>({ name: 'admin-owner', text: 'SELECT id, address FROM view.account_1 WHERE address = $1', values: [canonical(address)] });
    return rows[0]?.id ?? refuse('no-such-account', address.slice(0, 320));
  }
}

const groupOf = ({ id, name, domain, members, created_at }: Row): GroupInfo => ({ id, name, domain, members, createdAt: created_at });
