import { createRequire } from 'node:module';

interface Queue { readonly pending: readonly unknown[]; scheduleCheckPendingRequests: (this: Queue) => void }

let mended = false;

/**
 * As it is, kafkajs 2.2.4 sets a timer after every answer to look for requests that wait, though none does: for the time until a throttling
 * ends that never began (-1), less the time of day. Node takes that for 1 ms, says TimeoutNegativeWarning, and each connection has a timer
 * of 1 ms again and again for as long as it lives. To be called before a client of its is used.
 */
export function mendTimers(): void {
  if (mended) return;
  mended = true;
  const { prototype: queue } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue/index.js') as { readonly prototype: Queue };
  const check = queue.scheduleCheckPendingRequests;
  queue.scheduleCheckPendingRequests = function () { if (this.pending.length > 0) check.call(this); };
}
