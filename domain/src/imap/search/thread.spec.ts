import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Forest, orderedSubject, references, type ThreadHeader, threadText } from './thread.js';

const message = (messageId: string | undefined, refs = '', subject = '', sentAt?: number): ThreadHeader =>
  ({ messageId, references: refs === '' ? [] : refs.split(' '), subject, sentAt, from: '', to: '', cc: '', displayFrom: '', displayTo: '' });
const inputOf = (headers: readonly ThreadHeader[]) => ({ headers, receivedAt: headers.map((_, i) => i + 1) });
const printed = (thread: typeof references, ...headers: readonly ThreadHeader[]): string => threadText(thread(inputOf(headers)), (i) => i + 1);

describe('threading by references', () => {
  it.each<readonly [string, readonly ThreadHeader[], string]>([
    ['nothing', [], ''],
    ['messages that know nothing of each other', [message('a'), message('b')], '(1)(2)'],
    ['a conversation', [message('a'), message('b', 'a'), message('c', 'a b')], '(1 2 3)'],
    ['answers to one message', [message('a'), message('b', 'a'), message('c', 'a'), message('d', 'a c')], '(1 (2)(3 4))'],
    ['answers that came before the question', [message('b', 'a'), message('a')], '(2 1)'],
    ['answers to a message that is not there', [message('b', 'a'), message('c', 'a')], '((1)(2))'],
    ['one answer to a message that is not there', [message('b', 'a'), message('c', 'b')], '(1 2)'],
    ['a missing link', [message('a'), message('c', 'a b')], '(1 2)'],
    ['missing links under a missing head', [message('c', 'a b'), message('d', 'a x'), message('e', 'a b')], '((1)(2)(3))'],
    ['two messages with one id', [message('a'), message('a'), message('b', 'a')], '(1 3)(2)'],
    ['messages without ids', [message(undefined), message(undefined, 'a'), message('a')], '(1)(3 2)'],
    ['a message that answers itself', [message('a', 'a')], '(1)'],
    ['two that answer each other', [message('a', 'b'), message('b', 'a')], '(2 1)'],
    ['references that contradict each other', [message('a'), message('b', 'a'), message('c', 'b a')], '(1 (2)(3))'],
    ['what others say of a message against what it says itself', [message('c', 'x b'), message('b', 'a'), message('a'), message('x')], '(3 2 1)(4)'],
    ['siblings by date, not by place', [message('a', '', '', 1), message('b', 'a', '', 9), message('c', 'a', '', 5)], '(1 (3)(2))'],
    ['threads by the date of their head', [message('a', '', '', 9), message('b', '', '', 5)], '(2)(1)'],
    ['an answer without references, by its subject', [message('a', '', 'hello'), message('b', '', 'Re: hello')], '(1 2)'],
    ['an answer that came first, by its subject', [message('b', '', 'Re: hello'), message('a', '', 'hello')], '(2 1)'],
    ['equal subjects that are no answers', [message('a', '', 'hello'), message('b', '', 'hello'), message('c', '', 'HELLO')], '((1)(2)(3))'],
    ['answers to a subject that is not there', [message('a', '', 're: x'), message('b', '', 're: x')], '((1)(2))'],
    ['a headless thread and a message of its subject', [message('b', 'z', 'Re: q'), message('c', 'z', 'Re: q'), message('a', '', 'q')], '((1)(2)(3))'],
    ['two headless threads of one subject', [message('a', 'y', 's'), message('b', 'y', 's'), message('c', 'z', 's'), message('d', 'z', 's')], '((1)(2)(3)(4))'],
    ['empty subjects stay apart', [message('a', '', 'Re:'), message('b', '', '')], '(1)(2)'],
  ])('%s', (_, messages, expected) => expect(printed(references, ...messages)).toBe(expected));
});

describe('threading by subject', () => {
  it.each<readonly [string, readonly ThreadHeader[], string]>([
    ['nothing', [], ''],
    ['the first is the parent of all others', [message('a', '', 'x'), message('b', '', 'Re: X'), message('c', '', '[l] x'), message('d', '', 'y')], '(1 (2)(3))(4)'],
    ['by date', [message('a', '', 'x', 9), message('b', '', 're: x', 5), message('c', '', 'y', 7)], '(2 1)(3)'],
    ['messages without subject are one thread', [message('a'), message('b')], '(1 2)'],
  ])('%s', (_, messages, expected) => expect(printed(orderedSubject, ...messages)).toBe(expected));
});

/** All places in the order of the answer, with the depth of each. */
function flat({ roots, children }: Forest): readonly number[] {
  const found: number[] = [];
  const todo = roots.flat().reverse();
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    found.push(next);
    todo.push(...[...(children.get(next) ?? [])].reverse());
  }
  return found;
}

describe('threads', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const hostile = fc.array(
    fc.record({ messageId: fc.option(id, { nil: undefined }), refs: fc.array(id, { maxLength: 6 }), subject: fc.constantFrom('', 's', 'Re: s', 't'), sentAt: fc.nat({ max: 3 }) })
      .map(({ messageId, refs, subject, sentAt }) => message(messageId, refs.join(' '), subject, sentAt)),
    { maxLength: 25 },
  );
  it.each([['references', references], ['subject', orderedSubject]] as const)('by %s hold each message once, and so does their text', (_, thread) =>
    fc.assert(
      fc.property(hostile, (messages) => {
        const forest = thread(inputOf(messages));
        const all = messages.map((__, i) => i);
        expect([...flat(forest)].sort((a, b) => a - b)).toEqual(all);
        const text = threadText(forest, (i) => i);
        expect((text.match(/\d+/g) ?? []).map(Number).sort((a, b) => a - b)).toEqual(all);
        expect(text).toMatch(/^[\d ()]*$/);
        expect(text).not.toMatch(/\( | \)|\(\)| {2}|\)\d/);
        let depth = 0;
        for (const c of text) {
          depth += c === '(' ? 1 : c === ')' ? -1 : 0;
          expect(depth).toBeGreaterThanOrEqual(0);
        }
        expect(depth).toBe(0);
      }),
      { numRuns: 300 },
    ));

  const N = 100_000;
  const many = (of: (i: number) => ThreadHeader) => inputOf(Array.from({ length: N }, (_, i) => of(i)));
  it.each([
    ['one chain of 100,000', many((i) => message(`m${i}`, i > 0 ? `m${i - 1}` : '', 's'))],
    ['the same, the last first', many((i) => message(`m${N - i}`, `m${N - i - 1}`, 's'))],
    ['100,000 answers to one', many((i) => message(`m${i}`, i > 0 ? 'm0' : '', 's'))],
    ['100,000 that form a ring', many((i) => message(`m${i}`, `m${(i + 1) % N}`, 's'))],
    ['10,000 conversations', many((i) => message(`m${i}`, i % 10 ? Array.from({ length: i % 10 }, (_, n) => `m${i - (i % 10) + n}`).join(' ') : '', `s${Math.floor(i / 10)}`, i * 7919 % N))],
    ['chains hung from the end of others again and again', many((i) => (i < N / 2 ? message(`m${i}`, i > 0 ? `m${i - 1}` : '') : message(`n${i}`, `m${N / 2 - 1} k${i} m${(i * 31) % (N / 2)} n${i - 1}`)))],
  ])('of %s are found quickly', (_, input) => {
    const started = performance.now();
    const forest = references(input);
    const text = threadText(forest, (i) => i);
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(flat(forest)).toHaveLength(N);
    expect(text.match(/\d+/g)).toHaveLength(N);
  });
});
