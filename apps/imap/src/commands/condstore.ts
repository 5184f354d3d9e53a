import type { Session } from '../session.js';

/** A command that shows that the client knows CONDSTORE. The first one on a selected mailbox is told where it stands (RFC 7162 §3.1). */
export function knowsCondstore(session: Session): void {
  if (session.condstore) return;
  session.enabled.add('CONDSTORE');
  if (session.selected) session.output.untagged(`OK [HIGHESTMODSEQ ${session.selected.live.status.highestModSeq}] Changes are numbered`);
}
