import { parseArgs } from 'node:util';

export const BENCHMARKS = ['accept', 'e2e', 'imap', 'imap-large', 'outbound', 'replay', 'memory', 'engines', 'kafka-clients'] as const;
export type Benchmark = (typeof BENCHMARKS)[number];

/** Only on request: some need engines that `npm run test:engines` provides, one takes minutes and has no peer. */
const ON_REQUEST: readonly Benchmark[] = ['imap-large', 'engines', 'kafka-clients'];

export interface Options {
  /** Short runs and few rounds: the order of magnitude in a minute or two. */
  readonly quick: boolean;
  readonly only: readonly Benchmark[];
  /** File for the results as JSON. */
  readonly json?: string;
  /** Measure the peers alone, without Kiroku. */
  readonly peersOnly: boolean;
}

export const USAGE = `usage: npm run bench -- [--quick] [--only ${BENCHMARKS.join('|')}] [--json FILE] [--peers-only]`;

/** @throws TypeError on wrong usage. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'quick': { type: 'boolean', default: false },
      'only': { type: 'string', multiple: true },
      'json': { type: 'string' },
      'peers-only': { type: 'boolean', default: false },
    },
  });
  const only = (values.only ?? BENCHMARKS.filter((name) => !ON_REQUEST.includes(name))).flatMap((names) => names.split(','));
  const unknown = only.find((name) => !BENCHMARKS.some((known) => known === name));
  if (unknown !== undefined) throw new TypeError(`no benchmark is called ${unknown}`);
  return {
    quick: values.quick,
    only: BENCHMARKS.filter((name) => only.includes(name)),
    ...(values.json !== undefined && { json: values.json }),
    peersOnly: values['peers-only'],
  };
}
