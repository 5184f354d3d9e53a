import { example, type Examples } from '../kernel/examples.js';
import type { TlsPolicyEvent } from './table.js';

export const tlsPolicyExamples: Examples<TlsPolicyEvent> = {
  TlsPolicyChanged: [
    example('TlsPolicyChanged', { put: { row: { peer: '*.old.test', mode: 'plain-next-handshake', min: 'TLSv1', max: 'TLSv1.2', note: 'until May' }, at: 0 } }),
  ],
};
