import { hostname as machineName } from 'node:os';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { StandardSchemaValidationPipe } from '@nestjs/common';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import { GroupCommands } from '@kiroku/domain/directory/group-commands.js';
import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import { ActionQueries } from '@kiroku/infra/admin/actions.js';
import { Administrators } from '@kiroku/infra/admin/administrators.js';
import { DirectoryAdmin } from '@kiroku/infra/admin/directory.js';
import { GatewayAdmin } from '@kiroku/infra/admin/gateways.js';
import { GroupAdmin } from '@kiroku/infra/admin/groups.js';
import { AccountImport } from '@kiroku/infra/admin/import.js';
import { LdapAdmin } from '@kiroku/infra/admin/ldap.js';
import { MailboxAdmin } from '@kiroku/infra/admin/mailboxes.js';
import { MessageQueries } from '@kiroku/infra/admin/messages.js';
import { Operations } from '@kiroku/infra/admin/operations.js';
import { PolicyAdmin } from '@kiroku/infra/admin/policy.js';
import { QuarantineAdmin } from '@kiroku/infra/admin/quarantine.js';
import { QueueQueries } from '@kiroku/infra/admin/queue.js';
import { QueueCommands } from '@kiroku/infra/admin/queue-commands.js';
import { QueueStories } from '@kiroku/infra/admin/queue-story.js';
import { RelayDomainAdmin } from '@kiroku/infra/admin/relay-domains.js';
import { TlsPolicyAdmin } from '@kiroku/infra/admin/tls-policy.js';
import { TlsReports } from '@kiroku/infra/admin/tls-reports.js';
import type { ReplicaReads } from '@kiroku/infra/postgres/replica.js';
import type { ServerKey } from '@kiroku/infra/auth/seal.js';
import type { Logger } from '@kiroku/infra/telemetry/logger.js';
import type { Metrics } from '@kiroku/infra/telemetry/metrics.js';
import type pg from 'pg';
import { ProblemFilter } from './http/problem.js';
import { TokenGuard } from './http/token-guard.js';
import { AccountRoutes } from './routes/accounts.js';
import { ActionRoutes, QuarantineRoutes } from './routes/administration.js';
import { AdministratorRoutes } from './routes/administrators.js';
import { AliasRoutes } from './routes/aliases.js';
import { DomainRoutes } from './routes/domains.js';
import { CredentialsRoutes, GatewayRoutes } from './routes/gateways.js';
import { GroupRoutes } from './routes/groups.js';
import { LdapRoutes } from './routes/ldap.js';
import { BodyCacheRoutes, MailboxRoutes } from './routes/mailboxes.js';
import { MessageRoutes } from './routes/messages.js';
import { OperationRoutes } from './routes/operations.js';
import { LockoutRoutes, SettingsRoutes } from './routes/policy.js';
import { QueueRoutes } from './routes/queue.js';
import { RelayDomainRoutes } from './routes/relay-domains.js';
import { TlsPolicyRoutes } from './routes/tls-policy.js';
import { TransferRoutes } from './routes/transfer.js';

/** What the API stands on: a part of the platform, and the server key. */
export interface ApiParts {
  readonly pool: pg.Pool;
  /** A replica that answers reports; the primary does if absent. */
  readonly replica?: Pick<ReplicaReads, 'query' | 'changing'> | undefined;
  readonly log: EventLog;
  readonly engine: Engine;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly key: ServerKey;
  /** Roles that must run for the server to be healthy. */
  readonly roles: readonly string[];
  /** This server's name where the setting `hostname` is empty; default the machine's. */
  readonly hostname?: string | undefined;
}

@Module({})
export class ApiModule {
  static of({ pool, replica, log, engine, metrics, logger, key, roles, hostname = machineName() }: ApiParts): DynamicModule {
    const reports = replica ?? pool;
    const administrators = new Administrators(pool, engine);
    const directory = new DirectoryAdmin(pool, engine, new DirectoryCommands(engine), key);
    const queue = new QueueQueries(pool, engine);
    const policy = new PolicyAdmin(pool, engine);
    const ownName = async (): Promise<string> => (await policy.settings()).settings.hostname || hostname;
    return {
      module: ApiModule,
      // Before the accounts' own routes: `import` and `export` are no addresses.
      controllers: [DomainRoutes, TransferRoutes, AccountRoutes, MailboxRoutes, BodyCacheRoutes, AliasRoutes, GroupRoutes, MessageRoutes, QueueRoutes, QuarantineRoutes, ActionRoutes, SettingsRoutes, GatewayRoutes, CredentialsRoutes, RelayDomainRoutes, LdapRoutes, TlsPolicyRoutes, LockoutRoutes, AdministratorRoutes, OperationRoutes],
      providers: [
        { provide: Administrators, useValue: administrators },
        { provide: DirectoryAdmin, useValue: directory },
        { provide: GroupAdmin, useValue: new GroupAdmin(pool, new GroupCommands(engine)) },
        { provide: AccountImport, useValue: new AccountImport(directory) },
        { provide: MailboxAdmin, useValue: new MailboxAdmin(pool, engine) },
        { provide: MessageQueries, useValue: new MessageQueries(pool, log, reports) },
        { provide: QuarantineAdmin, useValue: new QuarantineAdmin(pool, engine) },
        { provide: ActionQueries, useValue: new ActionQueries(reports, engine.store) },
        { provide: QueueQueries, useValue: queue },
        { provide: QueueCommands, useValue: new QueueCommands(pool, engine, queue) },
        { provide: QueueStories, useValue: new QueueStories(queue, engine) },
        { provide: GatewayAdmin, useValue: new GatewayAdmin(pool, engine, key) },
        { provide: RelayDomainAdmin, useValue: new RelayDomainAdmin(pool, engine) },
        { provide: LdapAdmin, useValue: new LdapAdmin(pool, engine, key, async () => (await policy.settings()).settings.tagSeparators) },
        { provide: TlsPolicyAdmin, useValue: new TlsPolicyAdmin(pool, engine) },
        { provide: TlsReports, useValue: new TlsReports(pool, ownName, reports) },
        { provide: PolicyAdmin, useValue: policy },
        { provide: Operations, useValue: new Operations(pool, log, roles) },
        { provide: APP_GUARD, useValue: new TokenGuard(administrators, metrics) },
        { provide: APP_PIPE, useValue: new StandardSchemaValidationPipe() },
        { provide: APP_FILTER, useValue: new ProblemFilter(logger) },
      ],
    };
  }
}
