/** Per event type: step n turns data of version n + 1 into version n + 2. No entry = still version 1. Append a step; never edit one. */
export type Upgrades = Readonly<Record<string, readonly ((data: never) => unknown)[]>>;

/** The version that this program writes for a type. */
export const versionOf = (type: string, upgrades: Upgrades): number => (upgrades[type]?.length ?? 0) + 1;

/**
 * Brings a stored event to the newest shape. Runs on every read, so all readers know only the newest one.
 * @throws RangeError when the event is newer than this program: a rollback, or two releases running at once.
 */
export function upcast<E extends { readonly type: string; readonly version: number; readonly data: unknown }>(
  event: E,
  upgrades: Upgrades,
): E {
  const newest = versionOf(event.type, upgrades);
  if (event.version === newest) return event;
  if (event.version > newest) throw new RangeError(`${event.type} v${event.version} is newer than this program (v${newest})`);
  const steps = (upgrades[event.type] ?? []).slice(event.version - 1);
  return { ...event, version: newest, data: steps.reduce<unknown>((old, step) => step(old as never), event.data) };
}
