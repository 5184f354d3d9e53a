import type { LockoutInfo } from '@kiroku/infra/admin/policy.js';
import { DEFAULTS, type Settings } from '@kiroku/domain/policy/settings-schema.js';
import { Failed } from '../client.js';
import { type Adder, type Columns, leaf, onOff, part, wholeNumber } from '../command.js';

interface AllSettings { readonly settings: Settings; readonly changed: readonly string[] }
type Entry = readonly [string, unknown];

const COLUMNS: Columns<Entry> = {
  setting: ([name]) => name, value: ([, value]) => written(value),
  isDefault: ([name, value]) => (JSON.stringify(value) === JSON.stringify(DEFAULTS[name as keyof Settings]) ? undefined : written(DEFAULTS[name as keyof Settings])),
};
const LOCKOUTS: Columns<LockoutInfo> = {
  ip: (l) => l.ip, protocol: (l) => l.protocol, lockedUntil: (l, run) => run.time(l.lockedUntil), because: (l) => l.because, failures: (l) => l.failures || undefined,
};

const written = (value: unknown): string => (Array.isArray(value) ? value.join(',') : typeof value === 'string' ? value : JSON.stringify(value));

/** `name=value` by the type of the setting's default. Lists are separated by commas. @throws Failed */
export function settingOf(text: string): readonly [string, unknown] {
  const at = text.indexOf('=');
  const [name, value] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1) throw new Failed('badSetting', [text], true);
  if (!Object.hasOwn(DEFAULTS, name)) throw new Failed('noSuchSetting', [name], true);
  const model: unknown = DEFAULTS[name as keyof Settings];
  if (typeof model === 'number') return [name, wholeNumber(value)];
  if (typeof model === 'boolean') return [name, onOff(value)];
  if (typeof model === 'object' && !Array.isArray(model)) return [name, objectOf(text, value)];
  return [name, Array.isArray(model) ? value.split(',').map((item) => item.trim()).filter((item) => item !== '') : value];
}

function objectOf(text: string, value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    throw new Failed('badSetting', [text], true);
  }
}

export const addPolicyCommands: Adder = (program, terminal) => {
  const settings = program.command('settings').description('what holds for the whole server; changes need no restart');
  leaf<readonly [string | undefined], object>(settings, terminal, 'show [name]', 'show all settings, or one', async (run, [name]) => {
    const all = await run.api.get<AllSettings>('/settings');
    if (name !== undefined && !Object.hasOwn(all.settings, name)) throw new Failed('noSuchSetting', [name], true);
    if (run.json) return run.value(name === undefined ? all.settings : { [name]: all.settings[name as keyof Settings] });
    await run.list(Object.entries(all.settings).filter(([known]) => name === undefined || known === name), COLUMNS);
  });
  leaf<readonly [readonly string[]], object>(settings, terminal, 'set <name=value...>', 'change settings; times in ms, sizes in bytes, lists with commas', async (run, [wanted]) => {
    const changes = Object.fromEntries(wanted.map(settingOf));
    const { settings: now } = await run.api.patch<AllSettings>('/settings', changes);
    run.done('changed', Object.keys(changes).join(', '), now);
  });
  leaf<readonly [readonly string[]], object>(settings, terminal, 'reset <name...>', 'go back to the default', async (run, [names]) => {
    for (const name of names) if (!Object.hasOwn(DEFAULTS, name)) throw new Failed('noSuchSetting', [name], true);
    const { settings: now } = await run.api.patch<AllSettings>('/settings', Object.fromEntries(names.map((name) => [name, null])));
    run.done('changed', names.join(', '), now);
  });

  const lockout = program.command('lockout').description('addresses that are locked out after too many failures or connections');
  leaf<readonly [], { all?: boolean }>(lockout, terminal, 'list', 'list addresses that are locked out now', (run, _, { all }) =>
    run.list(run.api.all<LockoutInfo>('/lockouts', { all: all === true }), LOCKOUTS)).option('--all', 'also those that only have failures');
  leaf<readonly [string], { protocol?: string }>(lockout, terminal, 'release <ip>', 'let an address in again', async (run, [ip], { protocol }) =>
    run.done('released', ip, await run.api.delete(`/lockouts/${part(ip)}`, { protocol }))).option('--protocol <protocol>', 'smtp, pop3 or imap; all by default');
};
