import type { RecordedOf } from '../kernel/event.js';
import type { Projection } from '../kernel/projection.js';
import type { QuarantineEvent } from './quarantine.js';

type Row = {
  message_id: string;
  /** `aside`, or `retrying` once an administrator has asked for it. */
  state: string;
  sha256: string;
  size: number;
  partition: number;
  position: number;
  error: string;
  tries: number;
  /** Epoch ms: the first try; set aside. */
  since: number;
  aside_at: number;
};

/** Messages set aside. Inline: housekeeping must not miss the body of one, and delivery looks here for what is to be tried again. */
export const quarantineView: Projection<Row> = {
  name: 'quarantine_1',
  topics: ['decision'],
  inline: true,
  types: ['MessageQuarantined', 'QuarantineRetried', 'QuarantineDiscarded', 'QuarantineEnded'],
  blind: ['MessageQuarantined', 'QuarantineDiscarded', 'QuarantineEnded'],
  key: ['message_id'],
  columns: {
    message_id: 'text', state: 'text', sha256: 'bytea', size: 'bigint', partition: 'integer', position: 'bigint', error: 'text', tries: 'integer', since: 'bigint',
    aside_at: 'bigint',
  },
  keysOf: ({ event }) => [{ message_id: (event as RecordedOf<QuarantineEvent>).data.messageId }],
  apply(row, { event }) {
    const { type, data, at } = event as RecordedOf<QuarantineEvent>;
    switch (type) {
      case 'MessageQuarantined': {
        const { messageId, sha256, ...rest } = data;
        return { message_id: messageId, state: 'aside', sha256: `\\x${sha256}`, ...rest, aside_at: at };
      }
      case 'QuarantineRetried':
        return row && { ...row, state: 'retrying' };
      case 'QuarantineDiscarded':
      case 'QuarantineEnded':
        return null;
    }
  },
};
