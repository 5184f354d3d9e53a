import { describe, it } from '@jest/globals';
import { given } from '../kernel/given.js';
import { lockout, type LockoutCommand, type LockoutEvent } from './lockout.js';

const NOON = 1_763_780_400_000;
const MINUTE = 60_000;
const who = { protocol: 'pop3', ip: '192.0.2.1' };
const fail = (now: number): LockoutCommand => ({ type: 'Fail', ...who, now, limit: 3, window: 10 * MINUTE, lockTime: 60 * MINUTE });
const counted = (failures: number, since = NOON): LockoutEvent => ({ type: 'LoginFailureCounted', data: { ...who, failures, since } });
const locked = (until: number): LockoutEvent => ({ type: 'AddressLocked', data: { ...who, until, because: 'failures' } });
const released: LockoutEvent = { type: 'AddressReleased', data: who };

describe('an address with failed logins', () => {
  const history = given(lockout);

  it('is counted from its first failure', () => void history().when(fail(NOON)).then(counted(1)));
  it('is locked out at the failure that reaches the limit', () => void history(counted(1), counted(2)).when(fail(NOON + MINUTE)).then(locked(NOON + 61 * MINUTE)));
  it('starts a new window when the old one is over to the millisecond', () => {
    history(counted(2)).when(fail(NOON + 10 * MINUTE)).then(counted(1, NOON + 10 * MINUTE));
    history(counted(1)).when(fail(NOON + 10 * MINUTE - 1)).then(counted(2));
  });
  it('is not counted while it is locked out', () => void history(locked(NOON + MINUTE)).when(fail(NOON)).thenNothing());
  it('starts at one again after the lock has expired', () => void history(locked(NOON)).when(fail(NOON)).then(counted(1)));
  it('can be let in by an administrator, once', () => {
    history(locked(NOON)).when({ type: 'Release', ...who }).then(released);
    history(locked(NOON), released).when({ type: 'Release', ...who }).thenNothing();
    history().when({ type: 'Release', ...who }).thenNothing();
  });
  it('starts at one again after it was let in', () => void history(counted(2), released).when(fail(NOON)).then(counted(1)));
});

describe('what is past', () => {
  const forget = (now: number): LockoutCommand => ({ type: 'Forget', ...who, now, window: 10 * MINUTE });
  const forgotten: LockoutEvent = { type: 'LockoutForgotten', data: who };

  it('is forgotten once the lock has expired', () => {
    given(lockout)(locked(NOON)).when(forget(NOON)).then(forgotten);
    given(lockout)(locked(NOON)).when(forget(NOON - 1)).thenNothing();
  });
  it('is forgotten once the window of its failures is over', () => {
    given(lockout)(counted(2)).when(forget(NOON + 10 * MINUTE)).then(forgotten);
    given(lockout)(counted(2)).when(forget(NOON + 10 * MINUTE - 1)).thenNothing();
  });
  it('is forgotten once', () => {
    given(lockout)().when(forget(NOON)).thenNothing();
    given(lockout)(locked(NOON), forgotten).when(forget(NOON)).thenNothing();
    given(lockout)(locked(NOON), forgotten).when(fail(NOON)).then(counted(1));
  });
});

describe('an address with too many connections', () => {
  it('is locked out once, however often that is found', () => {
    const lock: LockoutCommand = { type: 'Lock', ...who, now: NOON, lockTime: MINUTE, because: 'connections' };
    const event: LockoutEvent = { type: 'AddressLocked', data: { ...who, until: NOON + MINUTE, because: 'connections' } };
    given(lockout)().when(lock).then(event);
    given(lockout)(event).when(lock).thenNothing();
  });
});
