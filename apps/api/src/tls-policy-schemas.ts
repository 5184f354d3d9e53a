import { TLS_MODES, TLS_VERSIONS } from '@kiroku/domain/tls-policy/row.js';
import { z } from 'zod';

/** Schemas of the TLS table's routes. */

const peer = z.string().min(1).max(300).describe('Domain, host, *.domain, address, CIDR block, or *');
const mode = z.enum(TLS_MODES).describe('The first four decide alone; the others hold where neither DANE nor MTA-STS does');
const version = z.enum(TLS_VERSIONS);
const note = z.string().max(400);
const before = peer.nullable().optional().describe('Peer of the row to stand in front of; null = last');

export type TlsTable = z.infer<typeof TlsTable>;
export const TlsTable = z.object({
  rows: z.array(z.object({ peer: z.string(), mode, min: version.optional(), max: version.optional(), note: z.string().optional() })).describe('The first that fits counts'),
  neverOffered: z.array(z.string()).describe('Clients that are not offered STARTTLS'),
});
export const NewTlsRow = z.strictObject({ peer, mode, min: version.optional(), max: version.optional(), note: note.optional(), before });
export const TlsRowChange = z
  .strictObject({ mode: mode.optional(), min: version.nullable().optional(), max: version.nullable().optional(), note: note.nullable().optional(), before })
  .describe('What is left out stays; null takes it away');
export const PeerParam = z.object({ peer });
const blocks = z.array(z.string().max(100)).max(10_000).optional();
export const NeverOfferedChange = z.strictObject({ add: blocks, remove: blocks }).describe('Addresses and CIDR blocks');
