import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { type Engine, execute } from '@kiroku/domain/kernel/execute.js';
import { administratorAggregate, type AdministratorCommand, administratorStream } from '@kiroku/domain/policy/administrator.js';
import type { TokenRow } from '@kiroku/domain/policy/administrator-view.js';
import type pg from 'pg';
import { readOrCreate } from '../auth/secret-file.js';
import { secretOf } from '../config/secret.js';
import { gather } from '../read-model/gather.js';

/** Who asks, and with which token. */
export interface Caller {
  readonly name: string;
  readonly tokenId: string;
}

export interface AdministratorInfo {
  readonly name: string;
  /** Epoch ms. */
  readonly addedAt: number;
  readonly tokens: readonly { readonly id: string; readonly issuedAt: number; readonly issuedBy: string }[];
}

/** Shown once: only its hash is kept. */
export interface NewToken {
  readonly name: string;
  readonly tokenId: string;
  readonly token: string;
}

type Rows = readonly { readonly name: string; readonly addedAt: number; readonly tokens: readonly TokenRow[] }[];

/** 32 random bytes in base64url. */
const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const newToken = (): string => randomBytes(32).toString('base64url');
const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

export const FIRST_ADMINISTRATOR = 'admin';
export const tokenFile = (data: string): string => join(data, 'admin.token');

/** Who may use the admin API. Checks reflect every append that has returned: a revoked token is refused at once, on every node. */
export class Administrators {
  /** A flood of wrong tokens costs one query at a time. */
  readonly #rows = gather<undefined, Rows>(async (asked) => {
    const rows = await this.#read();
    return asked.map(() => rows);
  }, 10_000);

  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
  ) {}

  /** Whose token this is. Compares with every token there is, each in constant time. */
  async check(token: string): Promise<Caller | undefined> {
    if (!TOKEN.test(token)) return undefined;
    const hash = Buffer.from(hashOf(token), 'hex');
    let caller: Caller | undefined;
    for (const { name, tokens } of await this.#rows(undefined))
      for (const { id, hash: known } of tokens) if (timingSafeEqual(Buffer.from(known, 'hex'), hash)) caller = { name, tokenId: id };
    return caller;
  }

  async list(): Promise<readonly AdministratorInfo[]> {
    return (await this.#rows(undefined)).map(({ name, addedAt, tokens }) => ({
      name, addedAt, tokens: tokens.map(({ id, issuedAt, issuedBy }) => ({ id, issuedAt, issuedBy })),
    }));
  }

  async #read(): Promise<Rows> {
    const { rows } = await this.pool.query<{ name: string; added_at: number; tokens: string }>({
      name: 'administrators', text: 'SELECT name, added_at, tokens FROM view.administrator_1 ORDER BY name',
    });
    return rows.map(({ name, added_at, tokens }) => ({ name, addedAt: added_at, tokens: JSON.parse(tokens) as readonly TokenRow[] }));
  }

  /** @throws Refusal `bad-administrator-name`, `administrator-exists` */
  add(name: string, origin: Origin): Promise<NewToken> {
    return this.#issue('AddAdministrator', name, origin);
  }

  /** One more token. @throws Refusal `unknown-administrator`, `too-many-tokens` */
  issue(name: string, origin: Origin): Promise<NewToken> {
    return this.#issue('IssueToken', name, origin);
  }

  async #issue(type: 'AddAdministrator' | 'IssueToken', name: string, origin: Origin): Promise<NewToken> {
    const token = newToken();
    const tokenId = this.engine.ids.uuid();
    await this.#do({ type, name, tokenId, hash: hashOf(token) }, origin);
    return { name, tokenId, token };
  }

  /** One token, or all of them. @throws Refusal `unknown-administrator`, `unknown-token`, `own-token` */
  async revoke(name: string, tokenId: string | undefined, by: Caller, origin: Origin): Promise<void> {
    await this.#do({ type: 'RevokeTokens', name, ...(tokenId !== undefined && { tokenId }), by: by.tokenId }, origin);
  }

  /** @throws Refusal `unknown-administrator`, `own-token` */
  async remove(name: string, by: Caller, origin: Origin): Promise<void> {
    await this.#do({ type: 'RemoveAdministrator', name, by: by.tokenId }, origin);
  }

  /**
   * Sees to it that the token in `<data>/admin.token` belongs to `admin`; both are made at the first start. The file comes first: a
   * crash in between leaves a file whose token becomes known at the next start. Removing the file and starting again gives a new token.
   * Where KIROKU_ADMIN_TOKEN, or the file that KIROKU_ADMIN_TOKEN_FILE names, holds one, that is the token: the same on all machines,
   * and nothing new for each container that starts with an empty folder.
   * @returns where the token is.
   * @throws Error when there is no token in it.
   */
  async ensureFirst(data: string, given = secretOf(process.env, 'KIROKU_ADMIN_TOKEN')): Promise<string> {
    const path = given === undefined ? tokenFile(data) : 'KIROKU_ADMIN_TOKEN';
    const token = given?.trim() ?? (await readOrCreate(path, 0o600, () => `${newToken()}\n`)).trim();
    if (!TOKEN.test(token))
      throw new Error(given === undefined ? `${path} holds no token: remove it, and a new one is made at the next start` : `${path} must be 43 characters of base64url, 32 random bytes`);
    const origin = { actor: 'system:api', correlation: this.engine.ids.uuid() };
    await this.#do({ type: 'EnsureToken', name: FIRST_ADMINISTRATOR, tokenId: this.engine.ids.uuid(), hash: hashOf(token) }, origin);
    return path;
  }

  async #do(command: AdministratorCommand, origin: Origin): Promise<void> {
    await execute(this.engine, administratorAggregate, administratorStream(command.name), command, origin);
  }
}
