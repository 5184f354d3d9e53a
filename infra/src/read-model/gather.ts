import { whenGathered } from '../platform/gathering.js';

/**
 * Calls that wait at the same time share one round trip: while one is under way, the next ones gather.
 * @param most items per round trip.
 */
export function gather<Item, Answer>(run: (items: readonly Item[]) => Promise<readonly Answer[]>, most = 500): (item: Item) => Promise<Answer> {
  interface Waiting { readonly item: Item; readonly resolve: (answer: Answer) => void; readonly reject: (error: unknown) => void }
  const waiting: Waiting[] = [];
  let running = false;
  let served = 0;
  const pump = (): void => {
    const batch = waiting.splice(0, most);
    served = batch.length;
    run(batch.map((w) => w.item))
      .then(
        (answers) => batch.forEach((w, i) => w.resolve(answers[i] as Answer)),
        (error: unknown) => batch.forEach((w) => w.reject(error)),
      )
      .finally(() => {
        if (waiting.length > 0) whenGathered(served, pump);
        else running = false;
      });
  };
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (running) return;
      running = true;
      whenGathered(served, pump);
    });
}
