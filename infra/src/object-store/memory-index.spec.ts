import { describeBodyIndex } from './body-index-contract.js';
import { MemoryBodyIndex } from './memory-index.js';

describeBodyIndex('in-memory', async () => ({
  index: new MemoryBodyIndex(),
  another: async () => new MemoryBodyIndex(),
  close: async () => undefined,
}));
