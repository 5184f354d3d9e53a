/**
 * The canonical form of a login name: `user@domain` in lower case.
 * @returns undefined when it can be no account: no domain, control characters, over 320 bytes.
 */
export function loginAddress(login: string, defaultDomain?: string): string | undefined {
  if (login.length > 320 || /[\p{Cc}\s]/u.test(login)) return undefined;
  const split = login.includes('@') ? login.lastIndexOf('@') : login.lastIndexOf('%');
  const user = split < 0 ? login : login.slice(0, split);
  const domain = split < 0 ? defaultDomain : login.slice(split + 1);
  return user && domain ? `${user}@${domain}`.toLowerCase() : undefined;
}
