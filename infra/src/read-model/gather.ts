/**
 * Calls that wait at the same time share one round trip: while one is under way, the next ones gather. No timers.
 * @param most items per round trip.
 */
export function gather<Item, Answer>(run: (items: readonly Item[]) => Promise<readonly Answer[]>, most = 500): (item: Item) => Promise<Answer> {
  interface Waiting { readonly item: Item; readonly resolve: (answer: Answer) => void; readonly reject: (error: unknown) => void }
  const waiting: Waiting[] = [];
  let running = 0;
  const pump = (): void => {
    if (running > 0 || waiting.length === 0) return;
    const batch = waiting.splice(0, most);
    running++;
    run(batch.map((w) => w.item))
      .then(
        (answers) => batch.forEach((w, i) => w.resolve(answers[i] as Answer)),
        (error: unknown) => batch.forEach((w) => w.reject(error)),
      )
      .finally(() => {
        running--;
        pump();
      });
  };
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // A microtask later: what one chunk of input asks for goes together.
      if (waiting.length === 1) queueMicrotask(pump);
    });
}
