import type { Settings } from './settings-schema.js';

/** May this address connect now? */
export interface Admission {
  /** The settings of this moment, with defaults filled in. */
  readonly settings: Settings;
  /** Why not, or undefined: `blocked` (block list), `locked-out` (too many failures or connections). Allow list entries are never refused. */
  readonly refused: 'blocked' | 'locked-out' | undefined;
  /** False when no account keeps a reversible secret: CRAM-MD5 could only fail, and clients that prefer it would never try another. Default true. */
  readonly digests?: boolean;
}

/** Connection policy shared by all protocols. Answers reflect every append that has returned; calls at the same time share one query. */
export interface AdmissionPolicy {
  admit(protocol: 'smtp' | 'pop3' | 'imap', ip: string): Promise<Admission>;
  /** Counts a failed login; locks the address out when there were too many (an event of stream `lockout-<protocol>-<ip>`). */
  failed(protocol: 'smtp' | 'pop3' | 'imap', ip: string, session: string): Promise<void>;
  /** Counts a connection where a limit is set; locks out likewise. */
  connected(protocol: 'smtp' | 'pop3' | 'imap', ip: string, session: string): Promise<void>;
}
