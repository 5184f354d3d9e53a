/** A mail server under test: how to reach it, what runs for it, and how it ends. */
export interface MailServer {
  readonly name: string;
  readonly version: string;
  readonly smtpPort: number;
  /** Every process that works for it now. */
  processes(): number[];
  /** How many messages are in the mailbox of this user of x.test. */
  mailIn(user: string): Promise<number>;
  /** Stops all of it and removes its data. */
  stop(): Promise<void>;
}

export const DOMAIN = 'x.test';
export const USERS = Array.from({ length: 10 }, (_, i) => `user${i}`);
export const PASSWORD = 'correct horse battery';
/** Bytes: above the largest mail that is sent. */
export const SIZE_LIMIT = 64 * 1024 * 1024;

const stops = new Set<() => Promise<void>>();

/** Ends what `stop` ends, however this process ends. */
export function stopAtEnd(stop: () => Promise<void>): () => Promise<void> {
  const once = async (): Promise<void> => {
    if (stops.delete(once)) await stop();
  };
  stops.add(once);
  return once;
}

export async function stopAll(): Promise<void> {
  await Promise.allSettled([...stops].map((stop) => stop()));
}
