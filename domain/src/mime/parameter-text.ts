import { type Binary, bytesOf } from './binary.js';
import { decodeGuessed, decodeText } from './charsets.js';
import { decodeHeader } from './encoded-words.js';
import type { Content, Parameters } from './structure.js';

/** A parameter's value as written; the first one counts. */
export const rawParameter = (parameters: Parameters, name: string): Binary | undefined => parameters.find(([key]) => key === name)?.[1];

/**
 * A parameter's readable value: RFC 2231 where given, otherwise RFC 2047, which does not belong here but is what most programs write,
 * or raw bytes in the charset that fits them.
 */
export function parameterText(parameters: Parameters, name: string): string | undefined {
  const extended = rawParameter(parameters, `${name}*`);
  if (extended !== undefined) return decodeExtended(extended);
  const plain = rawParameter(parameters, name);
  return plain === undefined ? undefined : decodeHeader(plain);
}

/** RFC 2231 §4: `charset'language'percent-encoded`. Never throws. */
export function decodeExtended(value: Binary): string {
  const [, charset, rest] = /^([^']{0,60})'[^']{0,60}'([^]*)$/.exec(value) ?? [];
  const bytes = bytesOf((rest ?? value).replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16))));
  const text = charset ? decodeText(bytes, charset) : decodeGuessed(bytes);
  // Some programs put encoded words even here.
  return text.startsWith('=?') ? decodeHeader(text) : text.replace(/[\x00-\x1f\x7f]+/g, ' ');
}

/** The file name that the sender gave a part. */
export const fileName = ({ disposition, parameters }: Content): string | undefined =>
  (disposition && parameterText(disposition.parameters, 'filename')) ?? parameterText(parameters, 'name');
