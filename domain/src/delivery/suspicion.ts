/**
 * Messages that a delivery process had in hand when it ended abnormally (out of memory, a crash in native code, an endless loop): one
 * of them may be why. The next process takes them by halves until one is left, and that one alone, again and again; see `judge`.
 * Names no message: one that ends the process may not be looked at before the time.
 */
export interface Suspicion {
  /** Of topic `mail`; they are the next ones behind position `from`, the checkpoint at that time. */
  readonly partition: number;
  readonly from: number;
  readonly messages: number;
  /** Abnormal ends with this one message in hand and nothing else under way, the first of them at `since` (epoch ms; 0: none yet). */
  readonly ends: number;
  readonly since: number;
  /** Some other message was delivered since the trouble began: so it is not everybody's. */
  readonly others: boolean;
}

/** What a process leaves to the next one in its place, said before each step. */
export interface Left {
  readonly suspicion?: Suspicion;
  /** It was being handled, by a process that did nothing else meanwhile (`alone`). */
  readonly inHand: 'no' | 'yes' | 'alone';
  /** Queue id of a message set aside that was being tried again. */
  readonly retrial?: string;
}

/** Ends, and ms from the first to the last of them, before a message is set aside: trouble that passes takes less. */
export const ENDS = 3;
export const ENDS_WITHIN = 30_000;
/** ms while nothing shows that other messages fare better. */
export const EVERYBODY = 10 * 60_000;

/** What is known after an abnormal end. @param now epoch ms. */
export function afterEnd({ suspicion, inHand }: Left, now: number): Suspicion | undefined {
  if (!suspicion || inHand !== 'alone' || suspicion.messages !== 1) return suspicion;
  return { ...suspicion, ends: suspicion.ends + 1, since: suspicion.since || now };
}

/** A step begins: the suspicion as it stands should the process end within it. */
export function taking(before: Suspicion | undefined, taken: Pick<Suspicion, 'partition' | 'from' | 'messages'>): Suspicion {
  const same = before !== undefined && before.messages === 1 && taken.messages === 1 && isAt(before, taken.partition, taken.from);
  return { ...taken, ends: same ? before.ends : 0, since: same ? before.since : 0, others: before?.others ?? false };
}

/** Messages of a partition went through, up to position `to`: what is left of the suspicion. */
export function passed(suspicion: Suspicion, partition: number, messages: number, to: number): Suspicion | undefined {
  if (messages === 0) return partition === suspicion.partition ? { ...suspicion, from: to } : suspicion;
  if (partition !== suspicion.partition) return { ...suspicion, others: true };
  const left = suspicion.messages - messages;
  return left <= 0 ? undefined : { ...suspicion, from: to, messages: left, ends: 0, since: 0, others: true };
}

export const isAt = (suspicion: Suspicion, partition: number, from: number): boolean => suspicion.partition === partition && suspicion.from === from;

/** Of those suspected, as many as are taken now. */
export const half = ({ messages }: Suspicion): number => Math.ceil(messages / 2);

/**
 * What is done about the messages suspected: `try` them; `wait`, because it may be everybody's trouble and dying on and on helps nobody;
 * or `set-aside` the one that is left.
 * @param now epoch ms.
 */
export function judge({ messages, ends, since, others }: Suspicion, now: number): 'try' | 'wait' | 'set-aside' {
  if (messages !== 1 || ends < ENDS || now - since < ENDS_WITHIN) return 'try';
  return others || now - since >= EVERYBODY ? 'set-aside' : 'wait';
}
