import * as crypto from 'node:crypto';
import { promisify } from 'node:util';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { ScramKeys } from './authenticator.js';

/** OWASP's first choice for argon2id: 19 MiB, 2 passes, 1 lane. About 40 ms of one core. */
const ARGON2 = { memory: 19_456, passes: 2, parallelism: 1 } as const;
/** RFC 7914, where Node has no argon2 (before 24.7): OWASP's N = 2^14, r = 8, p = 5. */
const SCRYPT = { cost: 14, blockSize: 8, parallelization: 5 } as const;
/** RFC 7677 §4 asks for at least 4096. The client pays for it; the keys are sealed where they lie. */
const SCRAM_ITERATIONS = 4096;
const SALT = 16;
const KEY = 32;

const pbkdf2 = promisify(crypto.pbkdf2);

/**
 * RFC 4013 (SASLprep) as far as it decides what people type: spaces of all kinds become U+0020, invisible characters go,
 * NFKC, no control characters. So a password is the same from every keyboard and in every mechanism.
 * @returns undefined when it can be nobody's password: empty, over 128 characters or 256 bytes, control characters, broken UTF-16.
 */
export function preparePassword(password: string): string | undefined {
  // Longer than any valid one even if every character should vanish or combine: not worth normalising.
  if (password.length > 1024 || !password.isWellFormed()) return undefined;
  const prepared = password
    .replace(/[\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]/g, ' ')
    .replace(/[\u00AD\u034F\u1806\u180B-\u180D\u200B-\u200D\u2060\uFE00-\uFE0F\uFEFF]/g, '')
    .normalize('NFKC');
  if (prepared === '' || /[\p{Cc}\u2028\u2029]/u.test(prepared)) return undefined;
  return Buffer.byteLength(prepared) <= 256 && [...prepared].length <= 128 ? prepared : undefined;
}

/** @throws Refusal `bad-password` when `preparePassword` refuses it. */
export function checkPassword(password: string): string {
  const prepared = preparePassword(password);
  if (prepared === undefined || Buffer.byteLength(password) > 256)
    throw new Refusal('bad-password', 'a password has 1 to 128 characters, at most 256 bytes, and no control characters');
  return prepared;
}

/**
 * A new hash, naming its method and costs: `$argon2id$v=19$m=…,t=…,p=…$salt$hash` or `$scrypt$ln=…,r=…,p=…$salt$hash`
 * (the PHC string format; unpadded base64). Computed on the thread pool.
 * @param password prepared.
 */
export async function hashPassword(password: string): Promise<string> {
  const salt = crypto.randomBytes(SALT);
  const method = newMethod();
  return format(method, salt, await derive(method, password, salt));
}

/** A well-formed hash that no password has, costing as much to check as a new one. */
export const impossibleHash = (): string => format(newMethod(), crypto.randomBytes(SALT), crypto.randomBytes(KEY));

/**
 * Takes the same time whether it matches or not.
 * @param password prepared.
 * @throws Error when the hash is of an unknown form, or needs an argon2 that this Node does not have.
 */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  const { method, salt, key } = parse(hash);
  return crypto.timingSafeEqual(await derive(method, password, salt), key);
}

/** RFC 5802 §3. @param password prepared. */
export async function scramKeys(password: string, salt = crypto.randomBytes(SALT), iterations = SCRAM_ITERATIONS): Promise<ScramKeys> {
  const salted = await pbkdf2(password, salt, iterations, KEY, 'sha256');
  const keyOf = (name: string) => crypto.createHmac('sha256', salted).update(name).digest();
  return {
    salt: salt.toString('base64'),
    iterations,
    storedKey: crypto.hash('sha256', keyOf('Client Key'), 'base64'),
    serverKey: keyOf('Server Key').toString('base64'),
  };
}

/**
 * Keys for a login that does not exist (RFC 5802 §9): they look like real ones, stay the same from one try to the next and on every
 * node, and fit no password.
 * @param secret known to the servers alone.
 */
export function impossibleScramKeys(secret: Uint8Array, login: string): ScramKeys {
  const bytes = (what: string) => crypto.createHmac('sha256', secret).update(`${what}\0${login}`).digest();
  return {
    salt: bytes('salt').subarray(0, SALT).toString('base64'),
    iterations: SCRAM_ITERATIONS,
    storedKey: bytes('stored').toString('base64'),
    serverKey: bytes('server').toString('base64'),
  };
}

type Method =
  | { readonly name: 'argon2id'; readonly memory: number; readonly passes: number; readonly parallelism: number }
  | { readonly name: 'scrypt'; readonly cost: number; readonly blockSize: number; readonly parallelization: number };

const newMethod = (): Method =>
  typeof crypto.argon2 === 'function' ? { name: 'argon2id', ...ARGON2 } : { name: 'scrypt', ...SCRYPT };

const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');

function format(method: Method, salt: Buffer, key: Buffer): string {
  const costs =
    method.name === 'argon2id'
      ? `argon2id$v=19$m=${method.memory},t=${method.passes},p=${method.parallelism}`
      : `scrypt$ln=${method.cost},r=${method.blockSize},p=${method.parallelization}`;
  return `$${costs}$${base64(salt)}$${base64(key)}`;
}

function parse(hash: string): { method: Method; salt: Buffer; key: Buffer } {
  const match =
    /^\$(argon2id\$v=19\$m|scrypt\$ln)=(\d{1,7}),[tr]=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{16,64})\$([A-Za-z0-9+/]{16,128})$/.exec(hash);
  if (!match) throw new Error('a password hash of an unknown form');
  const [, name = '', first, second, third, salt = '', key = ''] = match;
  const [a, b, c] = [Number(first), Number(second), Number(third)];
  const method: Method = name.startsWith('argon2id')
    ? { name: 'argon2id', memory: a, passes: b, parallelism: c }
    : { name: 'scrypt', cost: a, blockSize: b, parallelization: c };
  return { method, salt: Buffer.from(salt, 'base64'), key: Buffer.from(key, 'base64') };
}

function derive(method: Method, password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, key: Buffer) => (error ? reject(error) : resolve(key));
    if (method.name === 'argon2id') {
      const { memory, passes, parallelism } = method;
      crypto.argon2('argon2id', { message: password, nonce: salt, memory, passes, parallelism, tagLength: KEY }, done);
    } else {
      const { cost, blockSize, parallelization } = method;
      const N = 2 ** cost;
      crypto.scrypt(password, salt, KEY, { N, r: blockSize, p: parallelization, maxmem: 256 * N * blockSize }, done);
    }
  });
}
