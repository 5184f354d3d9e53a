import type { Decider } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';

/**
 * Lockouts (seed-details A2.5): stream `lockout-<protocol>-<ip>`. Too many failed logins, or too many connections, from one
 * address within a window lock it out for a time. Each event carries the whole state, so the last one is enough to decide.
 */
export interface Lockout {
  /** Failures since `since`. */
  readonly failures: number;
  /** Epoch ms: when the window began. */
  readonly since: number;
  /** Epoch ms; 0 = not locked. */
  readonly lockedUntil: number;
}

interface About { readonly protocol: string; readonly ip: string }

export type LockoutEvent =
  | Fact<'LoginFailureCounted', About & { readonly failures: number; readonly since: number }>
  | Fact<'AddressLocked', About & { readonly until: number; readonly because: 'failures' | 'connections' }>
  | Fact<'AddressReleased', About>
  /** Nothing of what was counted means anything any more: as if the address had never been here. */
  | Fact<'LockoutForgotten', About>;

export type LockoutCommand =
  /** A failed login. `limit` failures within `window` ms lock the address for `lockTime` ms. */
  | (About & { readonly type: 'Fail'; readonly now: number; readonly limit: number; readonly window: number; readonly lockTime: number })
  /** Locks at once: the caller has counted. */
  | (About & { readonly type: 'Lock'; readonly now: number; readonly lockTime: number; readonly because: 'connections' })
  /** An administrator lets it in again. */
  | (About & { readonly type: 'Release' })
  /** Housekeeping: drops what is past, failures after `window` ms. */
  | (About & { readonly type: 'Forget'; readonly now: number; readonly window: number });

export const lockoutStream = (protocol: string, ip: string): string => `lockout-${protocol}-${ip}`;

const UNLOCKED: Lockout = { failures: 0, since: 0, lockedUntil: 0 };
const isUnlocked = ({ failures, lockedUntil }: Lockout): boolean => failures === 0 && lockedUntil === 0;

export const lockout: Decider<LockoutCommand, LockoutEvent, Lockout> = {
  initial: UNLOCKED,

  decide(command, state) {
    const { protocol, ip } = command;
    switch (command.type) {
      case 'Fail': {
        const { now, limit, window, lockTime } = command;
        if (state.lockedUntil > now) return []; // tried while locked out: says nothing new
        const fresh = now - state.since >= window || state.lockedUntil > 0;
        const failures = fresh ? 1 : state.failures + 1;
        if (failures >= limit) return [{ type: 'AddressLocked', data: { protocol, ip, until: now + lockTime, because: 'failures' } }];
        return [{ type: 'LoginFailureCounted', data: { protocol, ip, failures, since: fresh ? now : state.since } }];
      }
      case 'Lock':
        if (state.lockedUntil > command.now) return [];
        return [{ type: 'AddressLocked', data: { protocol, ip, until: command.now + command.lockTime, because: command.because } }];
      case 'Release':
        return isUnlocked(state) ? [] : [{ type: 'AddressReleased', data: { protocol, ip } }];
      case 'Forget': {
        const past = state.lockedUntil <= command.now && (state.failures === 0 || command.now - state.since >= command.window);
        return isUnlocked(state) || !past ? [] : [{ type: 'LockoutForgotten', data: { protocol, ip } }];
      }
    }
  },

  evolve(_, { type, data }) {
    switch (type) {
      case 'LoginFailureCounted':
        return { failures: data.failures, since: data.since, lockedUntil: 0 };
      case 'AddressLocked':
        return { failures: 0, since: 0, lockedUntil: data.until };
      case 'AddressReleased':
      case 'LockoutForgotten':
        return UNLOCKED;
    }
  },
};

export const lockoutAggregate = { decider: lockout, upgrades: {} };
