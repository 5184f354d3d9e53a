import { MemoryEventStore } from '../event-store/memory.js';
import { describeHistory } from './contract.js';
import { MemoryEventLog } from './memory.js';

describeHistory('in-memory', () => {
  const log = new MemoryEventLog();
  return Promise.resolve({ log, store: new MemoryEventStore(log), close: () => Promise.resolve() });
});
