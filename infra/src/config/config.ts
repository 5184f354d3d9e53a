import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import YAML from 'yaml';
import type { z } from 'zod';
import { nearest } from './nearest.js';
import { missing, unsafe } from './needs.js';
import { secretIn } from './secret.js';
import { NAMES, PORTS, SECRETS, Settings, variableOf, type Name } from './settings.js';

type Read = z.output<typeof Settings>;

/** What processes are told at their start. Ports are absent where a listener is off. */
export interface Config extends Omit<Read, 'postgresUrl' | 'postgresReplicaUrl' | 'kafkaTls'> {
  /** Absolute. */
  readonly data: string;
  /** Whether to speak TLS with Kafka; or the file of the certificates to trust, absolute. */
  readonly kafkaTls: boolean | string;
  /** An outside PostgreSQL, for `new pg.Pool`; absent: the embedded one, whose connection the supervisor tells. Secret. */
  readonly postgres?: { readonly connectionString: string };
  /** Its replica, which answers reports. Secret. */
  readonly postgresReplica?: { readonly connectionString: string };
  /** For the log: variables that look like ours and mean nothing, and what may not have been meant. */
  readonly warnings: readonly string[];
}

/** Wrong settings: all of them, a line each. Holds no values, so no secrets. */
export class ConfigRefused extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`wrong settings:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}

/** Ours, but no settings: where the settings and Kiroku itself are, secrets, what the supervisor tells its roles, which tests run. */
const OTHER_VARIABLES = [
  'KIROKU_CONFIG', 'KIROKU_HOME', 'KIROKU_RUNTIME', 'KIROKU_SUITE', 'KIROKU_CRASH_ROUNDS', 'KIROKU_ACCEPT_SERVER_KEY',
  ...['KIROKU_TOKEN', 'KIROKU_SERVER_KEY', 'KIROKU_ADMIN_TOKEN'].flatMap((name) => [name, `${name}_FILE`]),
];
/** Each secret's variable, and its name in the file, may end so: then it names a file. */
const SECRET_FILES: ReadonlyMap<string, Name> = new Map(SECRETS.flatMap((name) => [[`${variableOf(name)}_FILE`, name], [`${name}File`, name]]));

/** A value and how whoever wrote it calls it. */
type Given = ReadonlyMap<Name, { readonly value: unknown; readonly called: string }>;

/**
 * Settings from the environment, from kiroku.yaml (KIROKU_CONFIG, else in the data folder), from the defaults, in this order.
 * An empty variable is as good as none, but for a port: there it means none, as 0 does.
 * Relative paths in the environment are relative to KIROKU_HOME, Kiroku's own folder, which `./kiroku` and `npm start` tell: from
 * whatever folder a command is run, it means the same data.
 * @param cwd stands in where KIROKU_HOME is not told.
 * @throws ConfigRefused naming everything that is wrong.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, cwd = process.cwd()): Config {
  const home = env['KIROKU_HOME'] || cwd;
  const problems: string[] = [];
  const { given: fromEnv, warnings } = readEnvironment(env, problems);
  const file = fileOf(env, home);
  const given: Given = new Map([...readFile(file, problems), ...fromEnv]);
  const result = Settings.safeParse(Object.fromEntries([...given].map(([name, { value }]) => [name, value])));
  for (const issue of result.error?.issues ?? []) {
    const name = issue.path[0] as Name;
    problems.push(`${given.get(name)?.called ?? variableOf(name)} ${issue.message}`);
  }
  if (!result.data || problems.length) throw new ConfigRefused(problems);
  const called = (name: Name): string => given.get(name)?.called ?? variableOf(name);
  problems.push(...clashes(result.data, called), ...missing(result.data, called));
  if (problems.length) throw new ConfigRefused(problems);
  const { postgresUrl, postgresReplicaUrl, kafkaTls, data, ...rest } = result.data;
  const absolute = (name: Name, path: string): string => resolve(given.has(name) && !fromEnv.has(name) ? dirname(file.path) : home, path);
  return {
    ...rest,
    ...(postgresUrl && { postgres: { connectionString: postgresUrl } }),
    ...(postgresReplicaUrl && { postgresReplica: { connectionString: postgresReplicaUrl } }),
    kafkaTls: kafkaTls === 'on' || (kafkaTls !== 'off' && absolute('kafkaTls', kafkaTls)),
    data: absolute('data', data),
    warnings: [...warnings, ...elsewhere(env, home, cwd), ...unsafe(result.data, called)],
  };
}

function readEnvironment(env: Readonly<Record<string, string | undefined>>, problems: string[]) {
  const given = new Map<Name, { value: unknown; called: string }>();
  const variables = new Map(NAMES.map((name) => [variableOf(name), name]));
  const warnings: string[] = [];
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('KIROKU_') || OTHER_VARIABLES.includes(variable) || value === undefined) continue;
    const secret = SECRET_FILES.get(variable);
    if (secret) {
      if (value === '') continue;
      if (env[variableOf(secret)]) problems.push(`${variableOf(secret)} and ${variable} are both given: one is enough`);
      else takeSecret(given, problems, secret, value, variable);
      continue;
    }
    const name = variables.get(variable);
    if (name) {
      if (value !== '' || name.endsWith('Port')) given.set(name, { value, called: variable });
      continue;
    }
    const meant = nearest(variable, [...variables.keys(), ...SECRET_FILES.keys(), ...OTHER_VARIABLES]);
    if (meant) problems.push(`${variable} is unknown: is ${meant} meant?`);
    else warnings.push(`${variable} is not a setting`);
  }
  return { given, warnings };
}

function takeSecret(given: Map<Name, { value: unknown; called: string }>, problems: string[], name: Name, path: string, called: string): void {
  try {
    given.set(name, { value: secretIn(path), called });
  } catch (error) {
    problems.push(`${called}: ${(error as Error).message}`);
  }
}

/** A relative path that its author may have meant otherwise. */
function elsewhere(env: Readonly<Record<string, string | undefined>>, home: string, cwd: string): string[] {
  const relative = (path: string | undefined): path is string => path !== undefined && path !== '' && !isAbsolute(path);
  return ['KIROKU_DATA', 'KIROKU_CONFIG'].flatMap((name) => {
    const path = env[name];
    return relative(path) && resolve(home, path) !== resolve(cwd, path) ? [`${name} is relative to Kiroku's own folder: it means ${resolve(home, path)}`] : [];
  });
}

/** `named`: somebody said that it is there. */
function fileOf(env: Readonly<Record<string, string | undefined>>, home: string): { path: string; named: boolean } {
  const path = env['KIROKU_CONFIG'];
  if (path) return { path: resolve(home, path), named: true };
  return { path: join(resolve(home, env['KIROKU_DATA'] || './data'), 'kiroku.yaml'), named: false };
}

function readFile({ path, named }: { path: string; named: boolean }, problems: string[]): Given {
  const given = new Map<Name, { value: unknown; called: string }>();
  let content: unknown;
  try {
    content = YAML.parse(readFileSync(path, 'utf8')) ?? {};
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // A syntax error's message goes on with the line, which may hold a secret: its first line says where.
    if (code !== 'ENOENT' || named) problems.push(`${path}: ${message.split('\n')[0]}`);
    return given;
  }
  if (typeof content !== 'object' || Array.isArray(content)) problems.push(`${path} must hold lines of the form smtpPort: 2525`);
  else for (const [key, value] of Object.entries(content as object)) take(key, value);
  return given;

  function take(key: string, value: unknown): void {
    const secret = SECRET_FILES.get(key);
    if (secret) {
      if (typeof value !== 'string') problems.push(`${path}: ${key} must be text`);
      else if (secret in (content as object)) problems.push(`${path}: ${secret} and ${key} are both given: one is enough`);
      else takeSecret(given, problems, secret, resolve(dirname(path), value), `${path}: ${key}`);
      return;
    }
    const name = NAMES.find((known) => known === key);
    if (!name) {
      const meant = nearest(key, [...NAMES, ...[...SECRET_FILES.keys()].filter((known) => !known.startsWith('KIROKU_'))]);
      problems.push(`${path}: ${key} is unknown${meant ? `: is ${meant} meant?` : ''}`);
    } else if (name === 'data' && !named) problems.push(`${path}: data cannot be set in the folder that it names: use KIROKU_DATA`);
    else if (value !== null || name.endsWith('Port')) given.set(name, { value: value ?? '', called: `${path}: ${key}` });
  }
}

/** Two listeners cannot share a port. */
function clashes(settings: Read, called: (name: Name) => string): string[] {
  return PORTS.flatMap((name, i) => {
    const same = PORTS.slice(0, i).find((other) => settings[name] !== undefined && settings[other] === settings[name]);
    return same ? [`${called(name)} is the same port as ${called(same)}`] : [];
  });
}
