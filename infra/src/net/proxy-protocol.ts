import { canonicalIp, formatIp } from '@kiroku/domain/mail/ip.js';

/**
 * What a load balancer says about the connection it passes on (PROXY protocol 1 and 2, haproxy's proxy-protocol.txt).
 * `length`: bytes of the header, the client's own follow. No `source`: a connection of the proxy itself, or of a kind that is
 * not TCP over IP; the real addresses count.
 */
export type ProxyHeader =
  | { readonly kind: 'more' }
  | { readonly kind: 'bad'; readonly why: string }
  | { readonly kind: 'header'; readonly length: number; readonly source?: Endpoint; readonly target?: Endpoint };

export interface Endpoint {
  readonly ip: string;
  readonly port: number;
}

/** §2.1: the longest version 1 header with its CRLF. */
const V1_LIMIT = 107;
/** The protocol allows 65,535 bytes of addresses and TLVs; a certificate's name is the longest that is ever sent. */
const V2_LIMIT = 4096;
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

const bad = (why: string): ProxyHeader => ({ kind: 'bad', why });
const MORE: ProxyHeader = { kind: 'more' };

/** Reads a header from the first bytes of a connection. Never keeps a reference to them. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (bytes.length === 0) return MORE;
  const known = Math.min(bytes.length, V2_SIGNATURE.length);
  if (bytes[0] === V2_SIGNATURE[0])
    return bytes.compare(V2_SIGNATURE, 0, known, 0, known) === 0 ? parseV2(bytes) : bad('no PROXY header');
  return parseV1(bytes);
}

function parseV1(bytes: Buffer): ProxyHeader {
  const start = bytes.toString('latin1', 0, Math.min(bytes.length, V1_LIMIT));
  if (!start.startsWith('PROXY '.slice(0, start.length))) return bad('no PROXY header');
  const end = start.indexOf('\r\n');
  if (end < 0) return start.length < V1_LIMIT ? MORE : bad('a version 1 header of more than 107 bytes');
  const [, family, from = '', to = '', fromPort = '', toPort = '', ...more] = start.slice(0, end).split(' ');
  const length = end + 2;
  if (family === 'UNKNOWN') return { kind: 'header', length };
  const source = endpoint(family, from, fromPort);
  const target = endpoint(family, to, toPort);
  return source && target && more.length === 0 ? { kind: 'header', length, source, target } : bad('a version 1 header that makes no sense');
}

function endpoint(family: string | undefined, text: string, port: string): Endpoint | undefined {
  const right = family === 'TCP4' ? !text.includes(':') : family === 'TCP6' && text.includes(':') && !text.includes('%');
  const ip = right ? canonicalIp(text) : undefined;
  return ip !== undefined && /^(0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 65_535 ? { ip, port: Number(port) } : undefined;
}

/** §2.2: signature, version and command, family and transport, length, addresses, TLVs. */
function parseV2(bytes: Buffer): ProxyHeader {
  if (bytes.length < 16) return MORE;
  const [versionAndCommand, family] = [bytes.readUInt8(12), bytes.readUInt8(13)];
  const length = 16 + bytes.readUInt16BE(14);
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== 2 || command > 1) return bad('a version or command that is not known');
  if (length > V2_LIMIT) return bad(`a version 2 header of ${length} bytes`);
  if (bytes.length < length) return MORE;
  const width = family === 0x11 ? 4 : family === 0x21 ? 16 : undefined;
  // LOCAL is the proxy's own health check; other families and transports are taken as UNSPEC, as §2.2 asks.
  if (command === 0 || width === undefined) return { kind: 'header', length };
  const body = bytes.subarray(16, length);
  const ports = 2 * width;
  if (body.length < ports + 4) return bad('a version 2 header without its addresses');
  if (!areTlvs(body.subarray(ports + 4))) return bad('TLVs that do not fill the header');
  return {
    kind: 'header',
    length,
    source: { ip: formatIp(body.subarray(0, width)), port: body.readUInt16BE(ports) },
    target: { ip: formatIp(body.subarray(width, ports)), port: body.readUInt16BE(ports + 2) },
  };
}

/** §2.2.1: type, length, value, up to the very end. */
function areTlvs(bytes: Buffer): boolean {
  let at = 0;
  while (at + 3 <= bytes.length) at += 3 + bytes.readUInt16BE(at + 1);
  return at === bytes.length;
}
