import type { Clock } from '@kiroku/domain/kernel/clock.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { MailboxStore } from '@kiroku/domain/mailbox/store-port.js';
import type { AdmissionPolicy } from '@kiroku/domain/policy/admission-port.js';
import type { Authenticator } from '@kiroku/infra/auth/authenticator.js';
import type { SessionLog } from '@kiroku/infra/telemetry/session-log.js';
import type { SearchIndex } from './mailboxes/search-index.js';
import type { LiveMailboxes } from './mailboxes/live-mailboxes.js';
import type { Structures } from './mailboxes/structures.js';
import type { Standing } from './standing.js';

/** What IMAP needs of the rest of the system. */
export interface ImapPorts {
  readonly admission: Pick<AdmissionPolicy, 'admit' | 'failed'>;
  readonly authenticator: Authenticator;
  readonly standing: Pick<Standing, 'watch'>;
  readonly mailboxes: MailboxStore;
  /** Over `mailboxes`, shared by all sessions of the process. */
  readonly live: LiveMailboxes;
  readonly structures: Structures;
  readonly index: SearchIndex;
  readonly bodies: Pick<ObjectStore, 'read' | 'readMany' | 'create'>;
  readonly log: SessionLog;
  readonly clock: Clock;
  /** Told of the cause behind an UNAVAILABLE or SERVERBUG answer. The client hears nothing of it. */
  trouble(error: unknown, session: string): void;
}

export interface ImapOptions {
  /** The machine's host name: the greeting's where the setting `hostname` is ''. */
  readonly host: string;
  /** Product and version, for ID where the setting `showVersion` is on. */
  readonly product: string;
  /** False where no certificate is at hand. Default true. */
  readonly startTls?: boolean;
  /** ms between two responses that a long command goes on (RFC 9585). Default 10 s. */
  readonly progressEvery?: number;
}
