import { contains, type IpBytes, parseBlock, parseIp } from '../mail/ip.js';
import { type Answer, type Dns, DnsTrouble } from './dns.js';

/** Which addresses are used, and which first. `both`: sometimes these, sometimes those. */
export type Family = 'both' | 'ipv4' | 'ipv6' | 'prefer-ipv4' | 'prefer-ipv6';

export interface Addresses {
  readonly v4: readonly string[];
  readonly v6: readonly string[];
  /** Validated by the resolver; each family was asked for on its own. */
  readonly secure4: boolean;
  readonly secure6: boolean;
  /** What went wrong, when nothing was found but there may be something: in the words of DnsTrouble. */
  readonly trouble?: string;
}

/** Asks for the addresses of a host, as far as they are of use. Never rejects for trouble with the DNS. */
export async function addressesOf(dns: Dns, host: string, family: Family): Promise<Addresses> {
  const [a, aaaa] = await Promise.all([
    family === 'ipv6' ? NOTHING : orTrouble(dns.a(host)),
    family === 'ipv4' ? NOTHING : orTrouble(dns.aaaa(host)),
  ]);
  const v4 = a.kind === 'found' ? a.records : [];
  const v6 = aaaa.kind === 'found' ? aaaa.records : [];
  const troubles = [a, aaaa].flatMap((answer) => (answer.kind === 'trouble' ? [answer.why] : []));
  const found = { v4, v6, secure4: a.kind === 'found' && a.secure, secure6: aaaa.kind === 'found' && aaaa.secure };
  return v4.length + v6.length > 0 || troubles[0] === undefined ? found : { ...found, trouble: troubles[0] };
}

type Asked<T> = Answer<T> | { readonly kind: 'trouble'; readonly why: string };
const NOTHING: Asked<never> = { kind: 'none', nxdomain: false, secure: false };

/** The answer, or why there is none. Other errors are bugs. */
export async function orTrouble<T>(answer: Promise<Answer<T>>): Promise<Asked<T>> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof DnsTrouble) return { kind: 'trouble', why: error.message };
    throw error;
  }
}

const blocks = (...list: readonly string[]) => list.map(parseBlock).filter((block) => block !== undefined);
/** This host on this network, multicast, reserved and broadcast; link-local IPv6 needs a zone that the DNS cannot name. */
const NOWHERE = blocks('0.0.0.0/8', '224.0.0.0/3', '::/128', 'ff00::/8', 'fe80::/10');
const LOOPBACK = blocks('127.0.0.0/8', '::1/128');

/**
 * Whether mail may be sent to an address at all. A stranger's MX record must not make this server talk to itself;
 * a gateway on the same machine is the administrator's word.
 */
export function isUsable(ip: string, allowLoopback: boolean): boolean {
  const bytes: IpBytes | undefined = parseIp(ip);
  if (!bytes) return false;
  const isIn = (list: typeof NOWHERE): boolean => list.some((block) => contains(block, bytes));
  return !isIn(NOWHERE) && (allowLoopback || !isIn(LOOPBACK));
}
