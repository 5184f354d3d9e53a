import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { ScramKeys } from './authenticator.js';
import { isItself, malformed, type Outcome, type SaslContext, type Talk } from './sasl-talk.js';

interface ClientFirst {
  /** `n,,` or `y,,`, perhaps with an authzid: comes back in the last message, so that nobody can change it on the way. */
  readonly gs2: string;
  readonly bare: string;
  readonly name: string;
  readonly nonce: string;
}

/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding: no -PLUS is advertised, so `y` (the client could, and believes that
 * we cannot) is true and `p` (it insists) is refused.
 * The server's signature travels as one more challenge, answered by an empty response.
 */
export async function* scram({ authenticator, protocol, defaultDomain }: SaslContext, serverNonce: string): Talk {
  const first = parseFirst(yield null, defaultDomain);
  if (!first) return malformed();
  const { keys, result } = await authenticator.scram(protocol, first.name, defaultDomain);
  const nonce = first.nonce + serverNonce;
  const challenge = `r=${nonce},s=${keys.salt},i=${keys.iterations}`;
  const last = parseLast(yield challenge, first.gs2, nonce);
  if (!last) return malformed(first.name);
  const signed = `${first.bare},${challenge},${last.bare}`;
  if (!proves(last.proof, keys, signed)) return outcome(first, result.ok ? { ok: false, reason: 'wrong-password' } : result);
  // A refused login must not learn that its password was right.
  if (!result.ok) return outcome(first, result);
  const signature = createHmac('sha256', Buffer.from(keys.serverKey, 'base64')).update(signed).digest('base64');
  const end = yield `v=${signature}`;
  return end === '' ? outcome(first, result) : malformed(first.name);
}

const outcome = ({ name }: ClientFirst, result: Outcome['result']): Outcome => ({ result, login: name.slice(0, 320) });

/** RFC 5802 §7 client-first-message. */
function parseFirst(text: string, defaultDomain: string | undefined): ClientFirst | undefined {
  const match = /^([ny],(?:a=([^,]+))?,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]{1,512})(?:,[a-zA-Z]=[^,]+)*)$/.exec(text);
  if (!match) return undefined; // also `p=…` and the reserved `m=`, which asks for what nobody has defined
  const [, gs2 = '', authzid, bare = '', saslname = '', nonce = ''] = match;
  const name = decodeName(saslname);
  const other = authzid === undefined ? '' : decodeName(authzid);
  if (name === undefined || other === undefined || !isItself(other, name, defaultDomain)) return undefined;
  return { gs2, bare, name, nonce };
}

/** RFC 5802 §7 client-final-message. */
function parseLast(text: string, gs2: string, nonce: string): { bare: string; proof: Buffer } | undefined {
  const match = /^(c=([A-Za-z0-9+/=]+),r=([^,]+)(?:,[a-zA-Z]=[^,]+)*),p=([A-Za-z0-9+/]{43}=)$/.exec(text);
  if (!match) return undefined;
  const [, bare = '', binding, echoed, proof = ''] = match;
  if (binding !== Buffer.from(gs2).toString('base64') || echoed !== nonce) return undefined;
  return { bare, proof: Buffer.from(proof, 'base64') };
}

/** RFC 5802 §5.1: `=2C` is a comma, `=3D` an equals sign, and no other `=` may appear. */
function decodeName(saslname: string): string | undefined {
  if (/=(?!2C|3D)/.test(saslname)) return undefined;
  return saslname.replace(/=2C/g, ',').replace(/=3D/g, '=');
}

/** RFC 5802 §3: the proof, taken apart by the signature, is the key whose hash we keep. */
function proves(proof: Buffer, keys: ScramKeys, signed: string): boolean {
  const stored = Buffer.from(keys.storedKey, 'base64');
  const signature = createHmac('sha256', stored).update(signed).digest();
  const clientKey = Buffer.from(proof.map((byte, i) => byte ^ (signature[i] ?? 0)));
  return timingSafeEqual(hash('sha256', clientKey, 'buffer'), stored);
}
