import { type Decider, Refusal } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { parseRetrySettings } from '../delivery/retry-settings.js';
import { DEFAULTS, problemsOf, type Settings } from './settings-schema.js';

/** Stream `settings`: what an administrator decides for the whole server. Changed without restart; every change is an event. */
export const SETTINGS_STREAM = 'settings';

export type SettingsEvent = Fact<'SettingsChanged', { readonly changes: Partial<Settings> }>;
export interface ChangeSettings {
  readonly type: 'ChangeSettings';
  readonly changes: Partial<Settings>;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

export const settings: Decider<ChangeSettings, SettingsEvent, Settings> = {
  initial: DEFAULTS,
  decide({ changes }, state) {
    const problems = problemsOf(changes);
    if (problems.length > 0) throw new Refusal('bad-settings', problems.join('; '));
    const retry = changes.retry && parseRetrySettings(changes.retry); // parts that are not given are the defaults
    const whole = retry ? { ...changes, retry } : changes;
    const changed = Object.fromEntries(Object.entries(whole).filter(([name, value]) => !same(value, state[name as keyof Settings])));
    return Object.keys(changed).length === 0 ? [] : [{ type: 'SettingsChanged', data: { changes: changed } }];
  },
  evolve: (state, { data }) => ({ ...state, ...data.changes }),
};
