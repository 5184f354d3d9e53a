import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { canonical } from '@kiroku/domain/mail/address.js';
import type { Directory, Resolved } from '@kiroku/domain/mail/directory-port.js';
import { looksRewritten, reverse, type SrsKeys } from '@kiroku/domain/srs/srs.js';

/**
 * A directory that also knows the addresses that this server made itself (SRS): in our domains each is an alias, marked `reversed`, of
 * the sender it was made for. An account or alias of exactly that name goes before; a catch-all does not. One that was not made here,
 * or too long ago, is unknown. Costs nothing where no address looks rewritten.
 */
export function srsDirectory(directory: Directory, keys: SrsKeys, clock: Clock): Directory {
  return {
    lookup(addresses) {
      const answers = directory.lookup(addresses);
      if (!addresses.some(looksRewritten)) return answers;
      return answers.then((all) => all.map((found, i) => reversed(addresses[i] ?? '', found, clock.now(), keys)));
    },
  };
}

function reversed(address: string, found: Resolved, now: number, keys: SrsKeys): Resolved {
  if (found.kind === 'remote' || found.kind === 'domain-disabled') return found;
  const behind = reverse(address, now, keys);
  if (behind === undefined || (behind.kind === 'refused' && behind.reason === 'malformed')) return found;
  const own = canonical(address);
  if (own === undefined || own === nameOf(found)) return found;
  if (behind.kind === 'address') return { kind: 'alias', alias: own, targets: [{ address: behind.address, rewrite: true }], reversed: true };
  // Somebody's own address with a tag stays his; a catch-all would let guessers see what arrives, and answer strangers' reports.
  return found.kind === 'account' ? found : { kind: 'unknown' };
}

const nameOf = (found: Resolved): string | undefined =>
  found.kind === 'account' ? found.account.address : found.kind === 'alias' ? found.alias : undefined;
