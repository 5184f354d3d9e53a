import { canonicalDomain } from '../mail/address.js';

/** An MTA-STS policy (RFC 8461 §3.2). */
export interface StsPolicy {
  readonly mode: 'none' | 'testing' | 'enforce';
  /** Host names, or `*.` and a domain: lower case, A-labels. Empty only with mode `none`. */
  readonly mx: readonly string[];
  /** Seconds that it holds from when it was fetched. */
  readonly maxAge: number;
}

/** RFC 8461 §3.3 suggests this bound; in bytes of UTF-8, so at most so many characters. */
export const POLICY_BYTES = 64 * 1024;
/** RFC 8461 §3.2: about a year. Longer ones are cut. */
const LONGEST_AGE = 31_557_600;
const RECORD_LENGTH = 4096;
const MODES: readonly string[] = ['none', 'testing', 'enforce'];

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/;
const FIELD_VALUE = /^[\x21-\x3a\x3c\x3e-\x7e]+$/;
/** Everything but tab, line ends and what can be printed. */
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/**
 * The policy id in the TXT records of `_mta-sts.<domain>` (RFC 8461 §3.1): whoever sees a new one fetches the policy anew.
 * @param texts each record's strings joined.
 * @returns undefined when the domain does not implement MTA-STS: no such record, several, or a malformed one. Never throws.
 */
export function stsIdOf(texts: readonly string[]): string | undefined {
  const [record, ...more] = texts.filter((text) => /^v=STSv1[ \t]*;/.test(text));
  if (record === undefined || more.length > 0 || record.length > RECORD_LENGTH) return undefined;
  const fields = record.split(';').slice(1).map((field) => field.trim());
  if (fields.at(-1) === '') fields.pop();
  let id: string | undefined;
  for (const field of fields) {
    const at = field.indexOf('=');
    const [name, value] = [field.slice(0, at), field.slice(at + 1)];
    if (at < 1 || !NAME.test(name) || !FIELD_VALUE.test(value)) return undefined;
    if (name === 'id') id ??= value;
  }
  return id !== undefined && /^[A-Za-z0-9]{1,32}$/.test(id) ? id : undefined;
}

/**
 * Reads the text of a policy (RFC 8461 §3.2). Lines may end in LF or CRLF; unknown keys are ignored; of a repeated key other than
 * `mx` the first counts.
 * @returns the policy, or in words what is wrong with it. Never throws.
 */
export function parseStsPolicy(text: string): { readonly policy: StsPolicy } | { readonly problem: string } {
  if (text.length > POLICY_BYTES) return { problem: `longer than ${POLICY_BYTES} bytes` };
  if (CONTROL.test(text)) return { problem: 'holds control characters' };
  const single = new Map<string, string>();
  const mx: string[] = [];
  for (const [n, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const at = line.indexOf(':');
    const [key, value] = [line.slice(0, Math.max(at, 0)), line.slice(at + 1).trim()];
    if (!NAME.test(key)) return { problem: `line ${n + 1} is not "key: value"` };
    if (key !== 'mx') {
      if (!single.has(key)) single.set(key, value);
      continue;
    }
    const pattern = mxPattern(value);
    if (pattern === undefined) return { problem: `line ${n + 1}: mx is neither a host name nor "*." and a domain` };
    mx.push(pattern);
  }
  return policyOf(single, mx);
}

function policyOf(single: ReadonlyMap<string, string>, mx: readonly string[]): ReturnType<typeof parseStsPolicy> {
  const mode = single.get('mode') ?? '';
  const age = single.get('max_age') ?? '';
  if (single.get('version') !== 'STSv1') return { problem: 'version is not STSv1' };
  if (!MODES.includes(mode)) return { problem: 'mode is none of none, testing and enforce' };
  if (!/^\d{1,10}$/.test(age)) return { problem: 'max_age is no number of seconds' };
  if (mode !== 'none' && mx.length === 0) return { problem: `mode ${mode} without any mx` };
  return { policy: { mode: mode as StsPolicy['mode'], mx, maxAge: Math.min(Number(age), LONGEST_AGE) } };
}

function mxPattern(text: string): string | undefined {
  const wild = text.startsWith('*.');
  const domain = canonicalDomain(wild ? text.slice(2) : text);
  return domain === undefined ? undefined : wild ? `*.${domain}` : domain;
}

/**
 * Whether a policy names this MX (RFC 8461 §4.1): the name itself, or a `*` in place of its first label and of that alone.
 * @param host lower-case A-labels.
 */
export function stsNames({ mx }: Pick<StsPolicy, 'mx'>, host: string): boolean {
  const dot = host.indexOf('.');
  const wild = dot > 0 ? `*${host.slice(dot)}` : undefined;
  return mx.some((pattern) => pattern === host || pattern === wild);
}
