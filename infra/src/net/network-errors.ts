/** What Node calls it when nobody is there, or not any more. All of it may pass: also a name that is known only while its bearer runs, as containers' are. */
const NETWORK: ReadonlySet<string> = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL',
]);

export const isNetworkError = (error: unknown): boolean => NETWORK.has(String((error as { readonly code?: unknown } | undefined)?.code));

/** Its own words; those of its parts where it has none, as after trying all addresses of a name. */
export function wordsOf(error: unknown): string {
  const { message, errors, code } = error as { readonly message?: string; readonly errors?: readonly unknown[]; readonly code?: unknown };
  if (message) return message;
  return errors?.length ? errors.map(wordsOf).join('; ') : String(code ?? error);
}
