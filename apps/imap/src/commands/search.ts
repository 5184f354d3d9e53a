import type { Of, ReturnOptions } from '@kiroku/domain/imap/grammar/commands.js';
import { esearchLine, numbersLine } from '@kiroku/domain/imap/grammar/responses.js';
import type { SearchKey } from '@kiroku/domain/imap/grammar/search-key.js';
import { compileSearch, runSearch } from '@kiroku/domain/imap/search/program.js';
import { shapeResult } from '@kiroku/domain/imap/search/results.js';
import { sortNeeds, sortOrder } from '@kiroku/domain/imap/search/sort.js';
import { orderedSubject, references, threadText } from '@kiroku/domain/imap/search/thread.js';
import { announce } from '../announce.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';
import { knowsCondstore } from './condstore.js';

const DAY = 86_400_000;
/** What a rev2 client gets that says nothing else (RFC 9051 §6.4.4). */
const ALL: ReturnOptions = { min: false, max: false, all: true, count: false, save: false };

/** SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 9394). */
export async function search(session: Session, command: Of<'SEARCH'>): Promise<Completion> {
  const { uids, asksModSeq } = await saving(session, command.returns, () => find(session, command.search));
  answer(session, command, uids, asksModSeq);
  return ok('Searched');
}

/** SORT (RFC 5256, RFC 5957, RFC 5267). */
export async function sort(session: Session, command: Of<'SORT'>): Promise<Completion> {
  const { order, returns } = command;
  const { sorted, asksModSeq } = await saving(session, returns, async () => {
    const { uids, asksModSeq } = await find(session, command.search);
    const columns = await session.ports.index.columns(session.box.live.id, uids, sortNeeds(order).headers);
    const places = sortOrder(columns.uids.length, columns, order);
    return { sorted: places.map((place) => columns.uids[place] as number), asksModSeq };
  });
  answer(session, command, sorted, asksModSeq);
  return ok('Sorted');
}

/** THREAD (RFC 5256). */
export async function thread(session: Session, command: Of<'THREAD'>): Promise<Completion> {
  const { uids } = await find(session, command.search);
  const columns = await session.ports.index.columns(session.box.live.id, uids, true);
  const forest = (command.algorithm === 'REFERENCES' ? references : orderedSubject)(columns);
  const numberOf = numbering(session, command.uid);
  const text = threadText(forest, (place) => numberOf(columns.uids[place] as number));
  session.output.untagged(text === '' ? 'THREAD' : `THREAD ${text}`);
  return ok('Threaded');
}

/** A search that fails leaves nothing saved (RFC 5182 §2.1). */
async function saving<T>(session: Session, returns: ReturnOptions | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (returns?.save) session.saved = new Uint32Array();
    throw error;
  }
}

async function find(session: Session, key: SearchKey): Promise<{ readonly uids: Uint32Array; readonly asksModSeq: boolean }> {
  const { live, tracker } = session.box;
  // RFC 9586 §3: message numbers are of no use to such a client, nor in a key.
  if (session.uidOnly && namesNumbers(key)) throw new No('Only UIDs are in use', 'UIDREQUIRED', 'BAD');
  await live.refresh();
  announce(session, false);
  const program = compileSearch(key);
  if (program.asksModSeq) knowsCondstore(session);
  const { uids, modSeqs, flags, flagSets, count } = live;
  const progress = (session.progress = { done: 0 });
  const found = await runSearch(program, {
    snapshot: { uids, modSeqs, flags, flagSets }, count,
    numbers: tracker,
    saved: session.saved,
    now: session.ports.clock.now(),
    // INTERNALDATE is told in UTC; so its days are UTC's.
    startOfDay: (day) => day * DAY,
    source: session.ports.index.search(live.id, (messages) => { progress.done += messages; }),
  });
  return { uids: found, asksModSeq: program.asksModSeq };
}

function namesNumbers(key: SearchKey): boolean {
  if (key.key === 'and' || key.key === 'or') return key.of.some(namesNumbers);
  return key.key === 'not' ? namesNumbers(key.of) : key.key === 'SEQUENCE' && key.set !== '$';
}

const numbering = (session: Session, uid: boolean): ((one: number) => number) => (uid ? (one) => one : (one) => session.box.tracker.seq(one));

/** @param found UIDs, in the order of the answer. */
function answer(session: Session, { verb, tag, uid, returns }: Of<'SEARCH'> | Of<'SORT'>, found: Uint32Array, asksModSeq: boolean): void {
  const numbers = uid ? found : found.map(numbering(session, false));
  const options = returns ?? (session.rev2 && verb === 'SEARCH' ? ALL : undefined);
  if (!options) {
    const modSeq = asksModSeq && found.length > 0 ? highest(session, found) : undefined;
    return session.output.untagged(numbersLine(verb, numbers, modSeq));
  }
  const { answer: shaped, named } = shapeResult(numbers, options);
  const chosen = named === 'everything' ? found : Uint32Array.from(named, (place) => found[place] as number);
  if (options.save) session.saved = chosen.slice().sort();
  const { min, max, all, count, partial } = options;
  // RFC 5182 §2.1: who only saves hears nothing.
  if (options.save && !min && !max && !all && !count && !partial) return;
  session.output.untagged(esearchLine(tag, uid, { ...shaped, ...(asksModSeq && chosen.length > 0 && { modSeq: highest(session, chosen) }) }));
}

function highest({ box: { live } }: Session, uids: Uint32Array): number {
  let most = 0;
  for (const uid of uids) most = Math.max(most, live.modSeqs[live.indexOf(uid)] ?? 0);
  return most;
}
