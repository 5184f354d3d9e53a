import type { Language, Text } from '@kiroku/domain/story/texts.js';
import type { AllSettings, LockoutInfo, SettingInfo } from '@kiroku/infra/admin/policy.js';
import { DEFAULTS, type Settings } from '@kiroku/domain/policy/settings-schema.js';
import { Failed } from '../client.js';
import { type Adder, type Columns, leaf, onOff, part, type Run, wholeNumber } from '../command.js';

const COLUMNS: Columns<SettingInfo> = {
  setting: (s) => s.name, value: (s, run) => shown(s.value, s, run), isDefault: (s, run) => shown(s.default, s, run), differs: (s) => s.changed,
  since: (s, run) => run.time(s.setAt ?? null), changedBy: (s) => s.setBy, unit: (s, run) => run.text(UNITS[s.unit]), meaning: (s, run) => run.text(s.means),
};
const UNITS: Readonly<Record<SettingInfo['unit'], Text>> = {
  ms: { en: 'ms', ja: 'ミリ秒' }, bytes: { en: 'bytes', ja: 'バイト' }, count: { en: 'number', ja: '数' }, text: { en: 'text', ja: '文字列' }, list: { en: 'list', ja: '一覧' },
  switch: { en: 'on/off', ja: 'on/off' }, choice: { en: 'choice', ja: '選択' }, schedule: { en: 'JSON', ja: 'JSON' },
};
const LOCKOUTS: Columns<LockoutInfo> = {
  ip: (l) => l.ip, protocol: (l) => l.protocol, lockedUntil: (l, run) => run.time(l.lockedUntil), because: (l) => l.because, failures: (l) => l.failures || undefined,
};

/** As `set` takes it. */
const written = (value: unknown): string => {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return Array.isArray(value) ? value.join(',') : typeof value === 'string' ? value : JSON.stringify(value);
};

/** Times and sizes also in words: 86400000 (1 d). */
function shown(value: unknown, { unit }: SettingInfo, { language }: Run): string {
  const words = typeof value !== 'number' || value === 0 ? undefined : unit === 'ms' ? spanOf(value, language) : unit === 'bytes' ? sizeOf(value) : undefined;
  return words === undefined ? written(value) : `${written(value)} (${words})`;
}

const SPANS = [[86_400_000, 'd', '日'], [3_600_000, 'h', '時間'], [60_000, 'min', '分'], [1_000, 's', '秒']] as const;

/** In the largest unit that leaves no rest; undefined below a second. */
function spanOf(ms: number, language: Language): string | undefined {
  const [unit, en, ja] = SPANS.find(([size]) => ms % size === 0) ?? [];
  return unit === undefined ? undefined : `${ms / unit} ${language === 'ja' ? ja : en}`;
}

function sizeOf(bytes: number): string | undefined {
  const power = [4, 3, 2, 1].find((p) => bytes % 1024 ** p === 0);
  return power === undefined ? undefined : `${bytes / 1024 ** power} ${['KiB', 'MiB', 'GiB', 'TiB'][power - 1]}`;
}

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
  leaf<readonly [string | undefined], { changed?: boolean }>(settings, terminal, 'show [name]', 'show all settings, or one', async (run, [name], { changed }) => {
    const { details } = await run.api.get<AllSettings>('/settings');
    if (name === undefined) return run.list(details.filter((s) => s.changed || changed !== true), COLUMNS);
    const one = details.find((s) => s.name === name);
    if (!one) throw new Failed('noSuchSetting', [name], true);
    run.show(one, COLUMNS);
  }).option('--changed', 'only those that differ from the default');
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
