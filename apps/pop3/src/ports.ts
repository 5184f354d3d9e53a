import type { Clock } from '@kiroku/domain/kernel/clock.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { AdmissionPolicy } from '@kiroku/domain/policy/admission-port.js';
import type { Maildrops } from '@kiroku/domain/pop3/maildrop.js';
import type { Authenticator } from '@kiroku/infra/auth/authenticator.js';
import type { SessionLog } from '@kiroku/infra/telemetry/session-log.js';

/** What POP3 needs of the rest of the system. */
export interface Pop3Ports {
  readonly admission: Pick<AdmissionPolicy, 'admit' | 'failed'>;
  readonly authenticator: Authenticator;
  readonly maildrops: Maildrops;
  readonly bodies: Pick<ObjectStore, 'read'>;
  readonly log: SessionLog;
  readonly clock: Clock;
  /** Told of the cause behind a [SYS/TEMP] or [SYS/PERM] answer. The client hears nothing of it. */
  trouble(error: unknown, session: string): void;
}

export interface Pop3Options {
  /** The machine's host name: the banner's where the setting `hostname` is ''. */
  readonly host: string;
  /** Product and version, for CAPA's IMPLEMENTATION where the setting `showVersion` is on. */
  readonly product: string;
  /** By the name of the listener. */
  readonly listeners?: Readonly<Record<string, Pop3Listener>>;
  /** The left part of the banner's timestamp, never the same twice (RFC 1939 §7, APOP). Default: 128 random bits and the time. */
  readonly unique?: () => string;
}

export interface Pop3Listener {
  /** For bare login names; default: the setting `defaultDomain`. */
  readonly defaultDomain?: string;
  /** False where no certificate is at hand. Default true. */
  readonly stls?: boolean;
  /** A port for APOP alone (PMailServer2's port 112): no USER, no AUTH. */
  readonly apopOnly?: boolean;
}
