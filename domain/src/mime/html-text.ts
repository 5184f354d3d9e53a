import { decodeEntities, LONGEST_ENTITY } from './entities.js';

/** Elements whose content nobody reads. */
const UNREAD: ReadonlySet<string> = new Set(['script', 'style', 'title', 'template']);
/** Elements that stand in a line of text. All others end the line, so that words of two cells do not become one. */
const INLINE: ReadonlySet<string> = new Set(
  'a abbr acronym b bdi bdo big cite code del dfn em font i img ins kbd label mark q rb rp rt ruby s samp small span strike strong sub sup tt u var wbr'.split(' '),
);
/** Characters of a tag; a longer one is passed over up to its next `>`. */
const LONGEST_TAG = 8_192;
/** Characters of no width, with which newsletters fill up the preview. */
const INVISIBLE = /[\u00ad\u034f\u200b\u200c\ufeff]/g;
/** Blanks that are not single spaces, or characters of no width. */
const UNEVEN = /\s\s|[^\S ]|[\u00ad\u034f\u200b\u200c\ufeff]/;
/** Characters of an element's name. */
const LONGEST_NAME = 30;

/**
 * Text of HTML that arrives in chunks: tags, comments, scripts and styles left out, references undone, runs of blanks made one, blocks
 * on lines of their own. Linear in time; at most LONGEST_TAG characters are held. It reads what mail programs write; it is no parser for
 * showing anything.
 */
export class HtmlText {
  private rest = '';
  /** Set while everything up to this text is left out. */
  private until: string | undefined;
  /** What stands between the last character given out and the next: a blank, or a line end. */
  private gap = '';
  private started = false;

  push(html: string): string {
    const text = this.rest + html;
    this.rest = '';
    return this.read(text, false);
  }

  end(): string {
    const text = this.rest;
    this.rest = '';
    return this.read(text, true);
  }

  private read(text: string, final: boolean): string {
    const out: string[] = [];
    let at = 0;
    while (at < text.length) {
      const next = this.until === undefined ? this.one(text, at, final, out) : this.skip(text, at, this.until);
      if (next === undefined) {
        this.rest = text.slice(at);
        break;
      }
      at = next;
    }
    return out.join('');
  }

  /** @returns where it goes on; undefined when more must be read first. */
  private one(text: string, at: number, final: boolean, out: string[]): number | undefined {
    if (text[at] !== '<') {
      const tag = text.indexOf('<', at);
      let end = tag < 0 ? text.length : tag;
      if (tag < 0 && !final) {
        // A reference may be cut in two.
        const amp = text.lastIndexOf('&');
        if (amp >= at && text.length - amp < LONGEST_ENTITY && !text.includes(';', amp)) end = amp;
        if (end === at) return undefined;
      }
      this.emit(decodeEntities(text.slice(at, end)), out);
      return end;
    }
    return text.length - at < 4 && !final ? undefined : this.markup(text, at, final, out);
  }

  private markup(text: string, at: number, final: boolean, out: string[]): number | undefined {
    if (text.startsWith('<!--', at)) {
      this.until = '-->';
      return at + 4;
    }
    if (!/[A-Za-z/!?]/.test(text[at + 1] ?? '')) {
      this.emit('<', out);
      return at + 1;
    }
    const end = tagEnd(text, at);
    if (end < 0) {
      if (text.length - at > LONGEST_TAG || final) {
        this.until = '>';
        return at + 1;
      }
      return undefined;
    }
    const closes = text[at + 1] === '/';
    const element = nameAt(text, closes ? at + 2 : at + 1).toLowerCase();
    if (!closes && UNREAD.has(element) && text[end - 2] !== '/') this.until = `</${element}`;
    if (!INLINE.has(element)) this.gap = '\n';
    return end;
  }

  private skip(text: string, at: number, until: string): number | undefined {
    const found = until.startsWith('</') ? indexOfName(text, until, at) : text.indexOf(until, at);
    if (found >= 0) {
      this.until = undefined;
      // The end tag itself is read like any other.
      return until.startsWith('</') ? found : found + until.length;
    }
    const kept = Math.max(at, text.length - until.length + 1);
    return kept === at ? undefined : kept;
  }

  private emit(text: string, out: string[]): void {
    const flat = UNEVEN.test(text) ? text.replace(INVISIBLE, '').replace(/\s+/g, ' ') : text;
    if (flat === '') return;
    if (flat.startsWith(' ') && this.gap === '') this.gap = ' ';
    const words = flat.trim();
    if (words === '') return;
    out.push(this.started ? this.gap : '', words);
    this.started = true;
    this.gap = flat.endsWith(' ') ? ' ' : '';
  }
}

/** A tag's name, as far as it matters. */
function nameAt(text: string, at: number): string {
  let end = at;
  for (const limit = at + LONGEST_NAME; end < limit; end++) {
    const code = text.charCodeAt(end) | 32;
    if (!(code >= 97 && code <= 122) && !(code >= 48 && code <= 57)) break;
  }
  return text.slice(at, end);
}

/** Past the `>`, one in a quoted attribute not counted; -1 if it is not there. */
function tagEnd(text: string, at: number): number {
  const limit = at + LONGEST_TAG;
  const first = text.indexOf('>', at);
  if (first >= 0 && first < at + LONGEST_NAME && !/["']/.test(text.slice(at, first))) return first + 1;
  const mark = /["'>]/g;
  mark.lastIndex = at + 1;
  for (let found = mark.exec(text); found && found.index < limit; found = mark.exec(text)) {
    if (found[0] === '>') return found.index + 1;
    // A quote counts only behind an equals sign: a stray one must not swallow the text.
    if (!/=\s{0,3}$/.test(text.slice(Math.max(at, found.index - 4), found.index))) continue;
    const close = text.indexOf(found[0], found.index + 1);
    if (close < 0 || close >= limit) return -1;
    mark.lastIndex = close + 1;
  }
  return -1;
}

/** `</style` in any case. */
function indexOfName(text: string, wanted: string, from: number): number {
  for (let at = text.indexOf('</', from); at >= 0; at = text.indexOf('</', at + 2))
    if (text.slice(at, at + wanted.length).toLowerCase() === wanted) return at;
  return -1;
}

/** Text of HTML that lies in memory. @param limit characters of HTML that are read. */
export function htmlToText(html: string, limit = Infinity): string {
  const reader = new HtmlText();
  return reader.push(html.length > limit ? html.slice(0, limit) : html) + reader.end();
}
