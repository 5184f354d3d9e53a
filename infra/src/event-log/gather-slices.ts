import type { Slice } from '@kiroku/domain/kernel/event-log.js';

interface Waiting { readonly slice: Slice; readonly resolve: () => void; readonly reject: (error: unknown) => void }

/**
 * A `handle` for consumers that does the slices of all partitions that wait together, one batch at a time. When a batch fails, each
 * of its slices is tried alone, so that one partition's trouble holds up no other.
 * @param linger ms to wait for the slices of other partitions when nothing was going on.
 */
export function gatherSlices(run: (slices: readonly Slice[]) => Promise<void>, linger: number): (slice: Slice) => Promise<void> {
  let waiting: Waiting[] = [];
  let running = false;
  const work = async (): Promise<void> => {
    running = true;
    // Slices that other partitions are about to bring go along; from then on the partitions keep step.
    await new Promise((resolve) => setTimeout(resolve, linger));
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      await run(batch.map((w) => w.slice)).then(
        () => batch.forEach((w) => w.resolve()),
        async (error: unknown) => {
          if (batch.length === 1) batch[0]?.reject(error);
          else for (const { slice, resolve, reject } of batch) await run([slice]).then(resolve, reject);
        },
      );
    }
    running = false;
  };
  return (slice) =>
    new Promise((resolve, reject) => {
      waiting.push({ slice, resolve, reject });
      if (!running) void work();
    });
}
