import type { Draft } from './draft.js';
import { Gather } from './gather.js';
import type { Content } from './structure.js';
import { partText } from './text-parts.js';

/** RFC 8970 §3.1 recommends 200 characters and forbids more than 256. */
const PREVIEW_CHARACTERS = 200;
/** Bytes of a body that are read for it: HTML begins with long style sheets. */
const PLAIN_BYTES = 8_192;
const HTML_BYTES = 65_536;

/** Keeps the beginning of a message's text while it passes: of its first plain text and of its first HTML. */
export class PreviewTaker {
  private readonly taken: Partial<Record<'plain' | 'html', { readonly draft: Draft; readonly gather: Gather; bytes?: Uint8Array }>> = {};

  /** A part's body begins. */
  offer(draft: Draft): void {
    const { subtype, disposition } = draft.content;
    if (!draft.is('text') || (subtype !== 'plain' && subtype !== 'html') || disposition?.type === 'attachment' || this.taken[subtype]) return;
    this.taken[subtype] = { draft, gather: new Gather(draft.bodyStart, subtype === 'html' ? HTML_BYTES : PLAIN_BYTES) };
  }

  /** `consumed` bytes of the chunk have passed. */
  add(chunk: Uint8Array, offset: number, consumed: number): void {
    for (const one of [this.taken.plain, this.taken.html]) if (one && !one.bytes) one.gather.add(chunk, offset, consumed);
  }

  /** A part's body ended, at its `bodyEnd`. */
  close(draft: Draft, chunk: Uint8Array, offset: number): void {
    for (const one of [this.taken.plain, this.taken.html])
      if (one?.draft === draft) one.bytes = one.gather.close(chunk, offset, draft.bodyEnd - offset).slice(0, draft.bodyEnd - draft.bodyStart);
  }

  text(): string {
    const { plain, html } = this.taken;
    return (plain?.bytes && preview(plain.draft.content, plain.bytes)) || (html?.bytes && preview(html.draft.content, html.bytes)) || '';
  }
}

function preview(content: Content, bytes: Uint8Array): string {
  const text = partText(content, bytes);
  // What the message answers to tells nothing new, unless there is nothing else.
  return (text.includes('>') && shorten(text.replace(/^[ \t]*>.*$/gm, ''))) || shorten(text);
}

/** One line, cut between characters. */
function shorten(text: string): string {
  const flat = flatten(text, 16 * PREVIEW_CHARACTERS, 2 * PREVIEW_CHARACTERS);
  if (flat.length <= PREVIEW_CHARACTERS) return flat;
  let end = 0;
  for (let n = 0; n < PREVIEW_CHARACTERS && end < flat.length; n++) end += (flat.codePointAt(end) as number) > 0xffff ? 2 : 1;
  return flat.slice(0, end).trim();
}

/** Blanks and controls between words become one blank. @param most characters looked at. @param enough of the answer. */
function flatten(text: string, most: number, enough: number): string {
  const end = Math.min(text.length, most);
  let flat = '';
  for (let at = 0; at < end && flat.length < enough; ) {
    while (at < end && isBlank(text.charCodeAt(at))) at++;
    const from = at;
    while (at < end && !isBlank(text.charCodeAt(at))) at++;
    if (at > from) flat += flat === '' ? text.slice(from, at) : ` ${text.slice(from, at)}`;
  }
  return flat.slice(0, enough);
}

/** What `\s` takes, controls, and what could not be decoded. */
const isBlank = (code: number): boolean =>
  code <= 32 || code === 0x7f || (code >= 0xa0 && (code === 0xa0 || code === 0x1680 || (code >= 0x2000 && code <= 0x200a) || code === 0x2028 || code === 0x2029 || code === 0x202f || code === 0x205f || code === 0x3000 || code === 0xfeff || code === 0xfffd));
