import type { Clock, Ids } from '@kiroku/domain/kernel/clock.js';
import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { Directory } from '@kiroku/domain/mail/directory-port.js';
import type { AdmissionPolicy } from '@kiroku/domain/policy/admission-port.js';
import type { Outward } from '@kiroku/domain/smtp/recipient.js';
import type { SaslExchange } from '@kiroku/infra/auth/authenticator.js';
import type { Mechanism } from '@kiroku/infra/auth/sasl.js';
import type { SessionLog } from '@kiroku/infra/telemetry/session-log.js';

/** What the SMTP server needs of the outside. */
export interface SmtpDependencies {
  readonly directory: Directory;
  /** Asked about recipients of relay domains, and about no others. */
  readonly relays: Pick<Outward, 'verify'>;
  /** Whether so many recipients wait for other servers; 0 = any number may. */
  readonly backlog: { full(limit: number): boolean | Promise<boolean> };
  /** Bytes free on the disk of the data. */
  readonly disk: { free(): number | Promise<number> };
  readonly admission: AdmissionPolicy;
  readonly sasl: (mechanism: Mechanism, context: { readonly hostname: string; readonly defaultDomain?: string }) => SaslExchange;
  readonly bodies: ObjectStore;
  readonly log: EventLog;
  readonly sessions: SessionLog;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Whether STARTTLS is offered to a client of this address: there is a certificate, and no administrator has said never. Must be quick. */
  readonly offersTls: (ip: string) => boolean;
  /** This machine's name, for when the settings give none. */
  readonly hostname: string;
  /** Product and version, shown where the settings allow it. */
  readonly product: string;
  /** Minutes east of UTC at that instant, for dates in headers. */
  readonly offset: (at: number) => number;
  /** Told of what failed behind the server (directory, store, log): never of what a client may cause at will. */
  readonly trouble: (error: unknown) => void;
}
