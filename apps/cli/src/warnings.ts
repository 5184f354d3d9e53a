import type { Language } from '@kiroku/domain/story/texts.js';
import type { Attention } from '@kiroku/infra/admin/operations.js';
import { say } from './texts.js';

/** A warning in words, with where it comes from. @param time an instant in local time. */
export function warningWords(warning: Attention, language: Language, now: number, time: (at: number) => string): string {
  return `${warning.role}${warning.host === undefined ? '' : ` (${warning.host})`}: ${wordsOf(warning, language, now, time)}`;
}

function wordsOf(warning: Attention, language: Language, now: number, time: (at: number) => string): string {
  switch (warning.kind) {
    case 'restarts':
      return say(language, 'warnRestarts', warning.times);
    case 'disk':
      return say(language, 'warnDisk', (warning.freeBytes / 1024 ** 3).toFixed(1));
    case 'certificate':
      return say(language, warning.expiresAt <= now ? 'warnExpired' : 'warnExpires', `tls/${warning.name}.crt`, time(warning.expiresAt));
    case 'quarantine':
      return say(language, 'warnQuarantine', warning.messages);
    case 'access-token':
      return say(language, 'warnAccessToken', warning.name, warning.detail);
    case 'replica':
      return replicaWords(warning, language);
  }
}

function replicaWords(warning: Extract<Attention, { readonly kind: 'replica' }>, language: Language): string {
  switch (warning.state) {
    case 'away':
      return say(language, 'warnReplicaAway', warning.detail);
    case 'behind':
      return warning.behind < 0 ? say(language, 'warnReplicaUnknown') : say(language, 'warnReplicaBehind', warning.behind);
    case 'not-following':
      return say(language, 'warnReplicaNotFollowing');
    case 'another-server':
      return say(language, 'warnReplicaAnotherServer');
    case 'another-database':
      return say(language, 'warnReplicaAnotherDatabase');
    case 'no-rights':
      return say(language, 'warnReplicaNoRights');
  }
}
