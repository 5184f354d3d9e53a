/** How to reach PostgreSQL: passed as it is to `new pg.Pool`. Everything is spelled out, so that PG* variables of the environment change nothing. */
export type PostgresConnection =
  | {
      /** The folder of the Unix socket. */
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly database: string;
      readonly ssl: false;
    }
  | { readonly connectionString: string };
