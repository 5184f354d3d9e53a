import type { QueuedMessage } from '@kiroku/domain/delivery/queue-events.js';
import type { QueueRow } from '@kiroku/domain/delivery/queue-view.js';
import type { RetrySettings } from '@kiroku/domain/delivery/retry-settings.js';
import type { Sealer } from '@kiroku/domain/delivery/sealer.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { Host, Hosts, Route } from '@kiroku/domain/routing/hosts.js';
import type { ClientCredentials, OpenConversation } from '@kiroku/domain/smtp-client/types.js';
import type { TlsPlan } from '@kiroku/domain/tls-policy/demands.js';
import type { Claim, Head, Lane, Place, RowName } from '@kiroku/infra/read-model/queue.js';

/** What an administrator sets about the pace of delivery. Read again for each decision, so changes work at once. */
export interface OutboundSettings {
  /** Connections to one route at the same time. */
  readonly concurrency: number;
  /** Connections in all. */
  readonly sessions: number;
  readonly retry: RetrySettings;
  /** Messages per minute to a route; 0 = no limit. */
  perMinute(route: Route): number;
}

/** The rows that wait, and who is sending which: `PostgresQueue` of infra. */
export interface QueueAccess {
  /** Says that this process lives; asked again every second or so. */
  live(): Promise<void>;
  heads(partitions: readonly number[], after: Place, until: number, limit: number): Promise<readonly Head[]>;
  lanes(lanes: readonly Lane[], until: number, limit: number): Promise<readonly Head[]>;
  rows(names: readonly RowName[]): Promise<readonly QueueRow[]>;
  nextDue(partitions: readonly number[], after: number): Promise<number | undefined>;
  claim(claims: readonly { readonly row: QueueRow; readonly host: string }[], now: number): Promise<readonly RowName[]>;
  unclaim(names: readonly RowName[], owner?: string): Promise<void>;
  name(names: readonly RowName[], host: string): Promise<void>;
  foreignClaims(partitions: readonly number[]): Promise<readonly Claim[]>;
}

/** Says when the queue may have changed. Hints only: the scheduler also looks by itself. */
export interface Changes {
  seen(): number;
  /** Resolves when that number is not, or no longer, `since`; when `signal` aborts; and now and then for nothing. */
  wait(since: number, signal: AbortSignal): Promise<void>;
}

/** All that the scheduler stands on. */
export interface OutboundPorts {
  readonly engine: Engine;
  readonly queue: QueueAccess;
  readonly changes: Changes;
  /** Does this process own that partition of the queue at this moment? */
  owns(partition: number): boolean;
  readonly bodies: Pick<ObjectStore, 'read'>;
  readonly open: OpenConversation;
  /** Asked for each row when it comes in and again when its turn comes: must be quick. An administrator's `row.route` stands above all. */
  route(row: QueueRow, message: QueuedMessage): Route;
  hosts(route: Route): Promise<Hosts>;
  /** How to encrypt, host by host; and told where TLS failed. `OutboundTls` of infra. */
  readonly tls: {
    demandsFor(question: { readonly host: Host; readonly route: Route; readonly requireTls: boolean; readonly tlsOptional: boolean }): Promise<TlsPlan>;
    failed(host: Host, failure: 'handshake' | 'other'): void;
  };
  /** Undefined when there are none of that name: then the gateway cannot be used, and the mail waits. @throws LoginUnavailable likewise, and with its reply. */
  credentials(name: string): Promise<ClientCredentials | undefined>;
  /** Argument of EHLO. */
  helo(): string;
  /**
   * Local addresses that a recipient's connections come from, one of them by chance; hosts of a family without any are not called.
   * Undefined where nothing special is set: then `sources` hold, the first of the host's family that can be used, [] = the system's choice.
   */
  pool(row: QueueRow): readonly string[] | undefined;
  sources(): readonly string[];
  /** Policy and delivery hours. A row that may not go is left alone and asked about again every minute, or after `wake()`. */
  mayDeliver(row: QueueRow, now: number): boolean;
  settings(): OutboundSettings;
  /** Vouches for what is forwarded (ARC); absent = nobody does. */
  readonly sealer?: Sealer;
  /** 0 to 1. */
  chance(): number;
  /** Recipients whose attempt was recorded, by outcome. */
  counted?(outcome: string, recipients: number): void;
  /** Errors that nobody could be told. */
  trouble(error: unknown): void;
}
