import { TLS_MODES, TLS_VERSIONS } from '@kiroku/domain/tls-policy/row.js';
import * as z from 'zod';
import { page, PageQuery } from './schemas.js';

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

const day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/).describe('UTC day, 2026-01-05');
const domain = z.string().min(1).max(255);
const sessions = z.number().int().min(0);
export const TlsDaysQuery = PageQuery.extend({
  after: z.string().min(11).max(300).optional().describe('The `next` of the page before'), domain: domain.optional(), since: day.optional(), until: day.optional(),
});
export const TlsDays = page(z.object({
  day: z.string(), domain: z.string(), successful: sessions, failed: sessions, failures: z.array(z.string()).describe('Kinds (RFC 8460 §4.3), the most frequent first'),
}));
export const TlsReportParam = z.object({ day, domain });
/** RFC 8460 §4.4. */
export const TlsReport = z.object({
  'organization-name': z.string(), 'date-range': z.object({ 'start-datetime': z.string(), 'end-datetime': z.string() }), 'contact-info': z.string(), 'report-id': z.string(),
  policies: z.array(z.object({
    policy: z.object({ 'policy-type': z.string(), 'policy-string': z.array(z.string()).optional(), 'policy-domain': z.string(), 'mx-host': z.array(z.string()).optional() }),
    summary: z.object({ 'total-successful-session-count': sessions, 'total-failure-session-count': sessions }),
    'failure-details': z.array(z.object({
      'result-type': z.string(), 'sending-mta-ip': z.string().optional(), 'receiving-mx-hostname': z.string(), 'receiving-ip': z.string().optional(), 'failed-session-count': sessions,
    })).optional(),
  })),
});
