import { describe, expect, it } from '@jest/globals';
import { fold } from '../kernel/fold.js';
import { given } from '../kernel/given.js';
import type { Recorded } from '../kernel/event.js';
import { errorText, LONGEST_ERROR, quarantineDecider, type QuarantineEvent, quarantineStream, type SetAside } from './quarantine.js';
import { quarantineView } from './quarantine-view.js';
import { MESSAGE_ID as messageId } from './testing.js';

const facts: SetAside = { messageId, sha256: 'ab'.repeat(32), size: 10, partition: 2, position: 7, error: 'TypeError: no', tries: 5, since: 1_000 };
const aside: QuarantineEvent = { type: 'MessageQuarantined', data: facts };
const retried: QuarantineEvent = { type: 'QuarantineRetried', data: { messageId, reason: 'a new release' } };
const discarded: QuarantineEvent = { type: 'QuarantineDiscarded', data: { messageId, reason: 'spam' } };
const ended: QuarantineEvent = { type: 'QuarantineEnded', data: { messageId } };
const retry = { type: 'Retry', messageId, reason: 'a new release' } as const;
const discard = { type: 'Discard', messageId, reason: 'spam' } as const;

describe('a message that cannot be delivered', () => {
  const message = given(quarantineDecider);
  it('is set aside once', () => {
    message().when({ type: 'SetAside', ...facts }).then(aside);
    message(aside).when({ type: 'SetAside', ...facts, tries: 9 }).thenNothing();
  });
  it('is tried again when an administrator says why', () => {
    message(aside).when(retry).then(retried);
    message(aside, retried).when(retry).thenNothing();
    message(aside).when({ ...retry, reason: ' ' }).refuses('bad-reason');
  });
  it('is set aside again when that fails', () => message(aside, retried).when({ type: 'SetAside', ...facts }).then(aside));
  it('is out of it once delivered', () => {
    message(aside, retried).when({ type: 'End', messageId }).then(ended);
    message(aside, retried, ended).when(retry).refuses('not-quarantined');
  });
  it('must have been set aside to be tried again', () => message().when(retry).refuses('not-quarantined'));
  it('is given up when an administrator says why, also while it is being tried again', () => {
    message(aside).when(discard).then(discarded);
    message(aside, retried).when(discard).then(discarded);
    message(aside).when({ ...discard, reason: ' ' }).refuses('bad-reason');
  });
  it('is given up for good', () => {
    const given = message(aside, retried, discarded);
    given.when(discard).refuses('already-discarded');
    given.when(retry).refuses('already-discarded');
    given.when({ type: 'SetAside', ...facts }).thenNothing();
    given.when({ type: 'End', messageId }).thenNothing();
  });
  it('is not given up when it is not, or no longer, set aside', () => {
    message().when(discard).refuses('not-quarantined');
    message(aside, retried, ended).when(discard).refuses('not-quarantined');
  });
});

describe('the view of what is set aside', () => {
  const rows = (...events: QuarantineEvent[]) =>
    fold(quarantineView, events.map((event) => ({ stream: quarantineStream(messageId), event: { ...event, at: 9 } as unknown as Recorded })));
  it('has a row for as long as it is', () => {
    expect(rows(aside)).toEqual([{ message_id: messageId, state: 'aside', sha256: `\\x${facts.sha256}`, size: 10, partition: 2, position: 7, error: 'TypeError: no', tries: 5, since: 1_000, aside_at: 9 }]);
    expect(rows(aside, retried)).toMatchObject([{ state: 'retrying' }]);
    expect(rows(aside, retried, ended)).toEqual([]);
    expect(rows(aside, discarded)).toEqual([]);
  });
});

describe('the words of an error', () => {
  it('are short, on one line, and can be stored', () => {
    expect(errorText(new TypeError('a\n\0b'))).toBe('TypeError: a b');
    expect(errorText('x'.repeat(1_000))).toHaveLength(LONGEST_ERROR);
    expect(errorText(`${'x'.repeat(LONGEST_ERROR - 1)}😀`).isWellFormed()).toBe(true);
  });
});
