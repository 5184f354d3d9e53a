import type { BodyRef, ObjectStore } from '@kiroku/domain/kernel/object-store.js';

/** Messages of the mailbox on paper, and how many of them have a body worth looking at. */
export const MESSAGES = 2_000;
export const BODIES = 80;

const text = (number: number): string => `--b${number}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nLine ${number} of nobody's mail.\r\n\r\n`;
const attachment = (number: number): string =>
  `--b${number}\r\nContent-Type: application/octet-stream; name="f${number}.bin"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="f${number}.bin"\r\n\r\nQUJDRA==\r\n\r\n`;

/** A small message as it comes every day: addresses with and without names, encoded words, one to three parts. */
function message(number: number): Buffer {
  const parts = [text(number), ...(number % 2 ? [attachment(number)] : []), ...(number % 5 ? [] : [text(number)])];
  return Buffer.from(
    `Received: from a.test (a.test [192.0.2.1]) by b.test; Mon, 5 Jan 2026 09:00:00 +0900\r\nMessage-ID: <${number}@a.test>\r\nDate: Mon, 5 Jan 2026 09:00:00 +0900\r\n` +
      `From: Somebody ${number} <s${number}@a.test>\r\nTo: x@b.test, "Y. Z." <y@b.test>\r\nSubject: ${number % 3 ? `Number ${number}` : '=?utf-8?Q?N=C3=BCmber?='}\r\n` +
      `In-Reply-To: <${number - 1}@a.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b${number}"\r\n\r\n${parts.join('')}--b${number}--\r\n`,
  );
}

const bodies = (): readonly Buffer[] => Array.from({ length: BODIES }, (_, i) => message(i));

/** The name of a body says which it is. */
export const nameOf = (uid: number): string => ((uid - 1) % BODIES).toString(16).padStart(64, '0');

/** The bodies of the mailbox on paper. */
export class PaperBodies implements Pick<ObjectStore, 'read' | 'readMany'> {
  readonly #bodies = bodies();

  of({ sha256 }: Pick<BodyRef, 'sha256'>): Buffer {
    return this.#bodies[Number.parseInt(sha256, 16)] ?? Buffer.alloc(0);
  }

  async *read(ref: BodyRef): AsyncGenerator<Uint8Array> {
    yield this.of(ref);
  }

  readMany(refs: readonly BodyRef[]): Promise<readonly Uint8Array[]> {
    return Promise.resolve(refs.map((ref) => this.of(ref)));
  }
}
