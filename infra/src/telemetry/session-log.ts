import type { SessionFact } from '@kiroku/domain/mail/events.js';

/**
 * Where protocol servers report what happens in sessions; becomes facts of topic `session`, in batches, off the client's path.
 * Never throws and never waits; while the event log is away up to 10,000 facts are kept, then the oldest are dropped and counted
 * (metric `kiroku_session_facts_dropped_total`).
 */
export interface SessionLog {
  note(session: string, fact: SessionFact): void;
}
