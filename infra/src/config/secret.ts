import { readFileSync, statSync } from 'node:fs';

/** Bytes: a secret is a line, a chain of certificates is no secret. */
const LARGEST = 64 * 1024;

/**
 * A secret from a file, as containers hand them over; without the line's end.
 * @throws Error that names the file and never what is in it.
 */
export function secretIn(path: string): string {
  let content: string;
  try {
    if (statSync(path).size > LARGEST) throw new Error('too large for a secret');
    content = readFileSync(path, 'utf8').replace(/[\r\n]+$/, '');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`${path} cannot be read: ${code ?? message}`);
  }
  if (content === '') throw new Error(`${path} holds nothing`);
  return content;
}

/**
 * The secret that a variable holds, or the file that `<variable>_FILE` names. For secrets that are no settings, such as KIROKU_SERVER_KEY.
 * @throws Error when both are given, or the file cannot be read.
 */
export function secretOf(env: Readonly<Record<string, string | undefined>>, variable: string): string | undefined {
  const [direct, file] = [env[variable] || undefined, env[`${variable}_FILE`] || undefined];
  if (direct !== undefined && file !== undefined) throw new Error(`${variable} and ${variable}_FILE are both given: one is enough`);
  if (file === undefined) return direct;
  try {
    return secretIn(file);
  } catch (error) {
    throw new Error(`${variable}_FILE: ${(error as Error).message}`);
  }
}
