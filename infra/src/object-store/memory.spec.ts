import { describeObjectStore } from './contract.js';
import { MemoryObjectStore } from './memory.js';

describeObjectStore('in-memory', async () => {
  const store = new MemoryObjectStore();
  return {
    store,
    async damage({ sha256 }, at) {
      const body = store.bodies.get(sha256)!;
      body[at]! ^= 1;
    },
  };
});
