const MOST_ADDRESSES = 10;
const LONGEST = 4096;

/**
 * Where a domain wants reports about TLS, by the TXT records of `_smtp._tls.<domain>` (RFC 8460 §3).
 * @param texts each record's strings joined.
 * @returns `mailto:` and `https:` URIs as written, ten at most; [] when it wants none, or its record is malformed or not the only
 * one. Never throws.
 */
export function reportAddresses(texts: readonly string[]): readonly string[] {
  const [record, ...more] = texts.filter((text) => /^v=TLSRPTv1[ \t]*;/.test(text));
  if (record === undefined || more.length > 0 || record.length > LONGEST) return [];
  const rua = record.split(';').slice(1).map((field) => field.trim()).find((field) => field.startsWith('rua='));
  return (rua?.slice('rua='.length) ?? '')
    .split(',')
    .map((uri) => uri.trim())
    .filter((uri) => /^(mailto:[\x21-\x7e]+@[\x21-\x7e]+|https:\/\/[\x21-\x7e]+)$/i.test(uri))
    .slice(0, MOST_ADDRESSES);
}
