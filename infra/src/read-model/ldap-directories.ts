import { type LdapServer, parseServer, type Plain } from '@kiroku/domain/routing/ldap.js';
import { parseTemplate } from '@kiroku/domain/routing/ldap-filter.js';
import type pg from 'pg';
import { openLdapSecret } from '../auth/ldap-secret.js';
import { SealBroken, type ServerKey } from '../auth/seal.js';
import type { AskableDirectory } from '../ldap/directories.js';

interface Row { name: string; servers: string; plain: Plain; bind_dn: string; sealed: string; base_dn: string; filter: string; ca: string; revision: number }

/** LDAP directories as they are asked, from the inline view `ldap_directory_1`. */
export class PostgresLdapDirectories {
  constructor(
    private readonly pool: pg.Pool,
    private readonly key: ServerKey,
  ) {}

  /** @returns undefined when there is none of that name. */
  async load(name: string): Promise<AskableDirectory | undefined> {
    const { rows } = await this.pool.query<Row>({
      name: 'ldap-directory', text: 'SELECT name, servers, plain, bind_dn, sealed, base_dn, filter, ca, revision FROM view.ldap_directory_1 WHERE name = $1', values: [name],
    });
    const row = rows[0];
    if (!row) return undefined;
    const servers = (JSON.parse(row.servers) as readonly string[]).map(parseServer).filter((server): server is LdapServer => server !== undefined);
    const { plain, bind_dn: bindDn, base_dn: baseDn, ca, revision } = row;
    return { name, revision, servers, plain, bindDn, secret: this.#secret(row), baseDn, template: parseTemplate(row.filter), ca };
  }

  #secret({ name, sealed }: Row): string | undefined {
    if (sealed === '') return '';
    try {
      return openLdapSecret(sealed, this.key, name);
    } catch (error) {
      if (error instanceof SealBroken) return undefined;
      throw error;
    }
  }
}
