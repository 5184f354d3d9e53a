import { example, type Examples } from '../kernel/examples.js';
import type { TlsReportSendingEvent } from './report-sending.js';
import type { TlsPolicyEvent } from './table.js';
import type { TlsReportEvent } from './views.js';

export const tlsPolicyExamples: Examples<TlsPolicyEvent | TlsReportEvent | TlsReportSendingEvent> = {
  TlsPolicyChanged: [
    example('TlsPolicyChanged', { put: { row: { peer: '*.old.test', mode: 'plain-next-handshake', min: 'TLSv1', max: 'TLSv1.2', note: 'until May' }, at: 0 } }),
  ],
  TlsReportsForgotten: [
    example('TlsReportsForgotten', { rows: [{ day: '2026-01-05', domain: 'y.test', policy: 'sts', host: 'mx.y.test', ip: '192.0.2.25', source: '', failure: 'certificate-expired' }] }),
  ],
  TlsReportSent: [
    example('TlsReportSent', { day: '2026-01-05', domain: 'y.test', reportId: '2026-01-05T00:00:00Z_y.test@mx.x.test', to: 'mailto:tls@y.test', attempt: 1, messageId: '01KE5V1W0000003' }),
  ],
  TlsReportFailed: [
    example('TlsReportFailed', { day: '2026-01-05', domain: 'y.test', reportId: '2026-01-05T00:00:00Z_y.test@mx.x.test', to: 'https://y.test/tls', attempt: 1, reason: 'y.test answers 503', nextAt: 1_767_662_400_000 }),
  ],
};
