import type { ClientConversation, SendResult } from '@kiroku/domain/smtp-client/types.js';

/** Words of servers that want fewer connections or less mail at a time. */
const OVERTAXED = /^4\d\d[ -](?:4\.3\.2|4\.7\.(?:0|28)|4\.4\.5)\b|^421\b|too (?:many|much|fast)|rate limit|slow down|throttl/i;

/** What a transaction says about the connection and the route, beside what it says about the recipients. */
export interface Verdict {
  /** The connection had been closed by the other side before this message: it proves nothing. */
  readonly stale: boolean;
  /** This host takes nothing from this sender now, another may (RFC 5321 §5.1). */
  readonly elsewhere: boolean;
  readonly overtaxed: boolean;
  /** This machine's own trouble: the body could not be read. */
  readonly local: boolean;
}

/** @param sentBefore messages on this connection before this one. */
export function verdictOf(results: readonly SendResult[], { usable }: Pick<ClientConversation, 'usable'>, sentBefore: number): Verdict {
  const local = results.some((r) => r.cause === 'local');
  const atMail = !local && results.length > 0 && results.every((r) => r.outcome === 'deferred' && r.phase === 'MAIL');
  return {
    stale: atMail && !usable && sentBefore > 0,
    elsewhere: atMail,
    overtaxed: !local && (!usable && results.some((r) => r.outcome !== 'delivered') || results.some((r) => r.outcome === 'deferred' && (r.phase === 'MAIL' || OVERTAXED.test(r.reply)))),
    local,
  };
}
