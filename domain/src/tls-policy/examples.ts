import { example, type Examples } from '../kernel/examples.js';
import type { TlsPolicyEvent } from './table.js';
import type { TlsReportEvent } from './views.js';

export const tlsPolicyExamples: Examples<TlsPolicyEvent | TlsReportEvent> = {
  TlsPolicyChanged: [
    example('TlsPolicyChanged', { put: { row: { peer: '*.old.test', mode: 'plain-next-handshake', min: 'TLSv1', max: 'TLSv1.2', note: 'until May' }, at: 0 } }),
  ],
  TlsReportsForgotten: [
    example('TlsReportsForgotten', { rows: [{ day: '2026-01-05', domain: 'y.test', policy: 'sts', host: 'mx.y.test', ip: '192.0.2.25', source: '', failure: 'certificate-expired' }] }),
  ],
};
