import { contains, type IpBlock, parseBlock, parseIp } from '@kiroku/domain/mail/ip.js';

const blocks = (...texts: readonly string[]): readonly IpBlock[] => texts.flatMap((text) => parseBlock(text) ?? []);

/** IANA's registries of special-purpose addresses: what no server of a stranger can have. */
const SPECIAL = blocks(
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24',
  '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3',
  // Within 2000::/3: Teredo and other protocol assignments, documentation, 6to4 (which leads to any IPv4 address).
  '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20',
);
const GLOBAL_V6 = blocks('2000::/3');

/** Whether an address is one of the public Internet: a stranger's DNS record must not lead us into our own network. */
export function isPublicAddress(text: string): boolean {
  const ip = parseIp(text);
  if (ip === undefined || (ip.length === 16 && !GLOBAL_V6.some((block) => contains(block, ip)))) return false;
  return !SPECIAL.some((block) => contains(block, ip));
}
