import type { Envelope, Of } from '@kiroku/domain/smtp/session.js';
import type { Dialogue } from './dialogue.js';
import type { IncomingBody } from './incoming-body.js';
import { conclude, refuse } from './reception.js';

/** Bytes taken from the connection at once. */
const CHUNK = 65_536;

/** How a transfer left the conversation: `ended` with the transaction, `open` for more chunks, or the client is `gone` before the end. */
export type Transfer = 'ended' | 'open' | 'gone';

/**
 * DATA: 354, the text to its true end, and the final reply. The client that leaves before the end has sent nothing (RFC 5321 §4.1.1.4).
 * @throws ConnectionEnded; the caller then owns the body's end.
 */
export async function receiveData(dialogue: Dialogue, envelope: Envelope, body: IncomingBody): Promise<Transfer> {
  const { connection } = dialogue;
  dialogue.say('start-mail', { id: envelope.mail.id });
  for (;;) {
    let chunk = connection.readSome(CHUNK);
    if (chunk instanceof Promise) chunk = await chunk;
    if (chunk === undefined) return 'gone';
    const end = body.take(chunk);
    if (body.pressure) await body.pressure;
    if (end >= 0) {
      if (end < chunk.length) connection.unread(chunk.subarray(end));
      await conclude(dialogue, envelope, body, 'DATA');
      return 'ended';
    }
    if (body.hopeless) {
      refuse(dialogue, envelope, body, 'DATA', 'message-far-too-big');
      return 'ended';
    }
  }
}

/** One BDAT chunk (RFC 3030 §2): its bytes are read to the last whatever becomes of the message. @throws ConnectionEnded */
export async function receiveChunk(dialogue: Dialogue, envelope: Envelope, body: IncomingBody, { size, last }: Of<'BDAT'>): Promise<Transfer> {
  for (let left = size; left > 0; ) {
    let chunk = dialogue.connection.readSome(Math.min(left, CHUNK));
    if (chunk instanceof Promise) chunk = await chunk;
    if (chunk === undefined) return 'gone';
    left -= chunk.length;
    body.take(chunk);
    if (body.pressure) await body.pressure;
    if (body.hopeless) {
      refuse(dialogue, envelope, body, 'BDAT', 'message-far-too-big');
      return 'ended';
    }
  }
  if (last) {
    await conclude(dialogue, envelope, body, 'BDAT');
    return 'ended';
  }
  if (body.problem) {
    refuse(dialogue, envelope, body, 'BDAT', body.problem);
    return 'ended';
  }
  dialogue.say('chunk-received', { size });
  return 'open';
}

/** The bytes of a BDAT that has no place here: pipelined after a refusal, they are data and no commands. @returns false when the client is gone. */
export async function swallow(dialogue: Dialogue, size: number): Promise<boolean> {
  const { messageSize } = dialogue.settings;
  if (messageSize > 0 && size > 2 * messageSize) {
    dialogue.close('message-far-too-big');
    return true;
  }
  for (let left = size; left > 0; ) {
    const chunk = await dialogue.connection.readSome(Math.min(left, CHUNK));
    if (chunk === undefined) return false;
    left -= chunk.length;
  }
  return true;
}
