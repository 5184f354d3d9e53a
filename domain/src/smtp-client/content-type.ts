/** What a Content-Type says that matters to how a body may be encoded. */
export interface ContentType {
  /** `type/subtype` in lower case; '' when there is none to be read. */
  readonly name: string;
  readonly boundary: string | undefined;
}

const TYPE = /^([!#$%&'*+.^_`{|}~0-9a-z-]{1,127}\/[!#$%&'*+.^_`{|}~0-9a-z-]{1,127})(?=[\s;(]|$)/;

/** Reads the value of a Content-Type field (RFC 2045 §5.1), folded or not. Never throws. */
export function contentType(value: string): ContentType {
  const text = withoutComments(value);
  const name = TYPE.exec(text.trim().toLowerCase())?.[1] ?? '';
  return { name, boundary: boundaryIn(text) };
}

/** Comments (RFC 5322 §3.2.2) become blanks; quoted strings stay. */
function withoutComments(value: string): string {
  let text = '';
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < value.length; i++) {
    const char = value.charAt(i);
    if (char === '\\' && (quoted || depth > 0)) {
      i++;
      if (depth === 0) text += char + value.charAt(i);
    } else if (depth === 0 && char === '"') {
      quoted = !quoted;
      text += char;
    } else if (!quoted && char === '(') depth++;
    else if (!quoted && char === ')' && depth > 0) {
      if (--depth === 0) text += ' ';
    } else if (depth === 0 && char !== '\r' && char !== '\n') text += char;
  }
  return text;
}

/** @returns undefined where there is none, or none that is one (RFC 2046 §5.1.1: up to 70 characters; more are bearable). */
function boundaryIn(text: string): string | undefined {
  // Parameters one after the other, so that what looks like one within a quoted string is none.
  const parameter = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\[^])*)"|([^\s;"]*))/y;
  parameter.lastIndex = Math.max(0, text.indexOf(';'));
  for (let found = parameter.exec(text); found; found = parameter.exec(text)) {
    const [, name = '', inQuotes, plain = ''] = found;
    if (name.toLowerCase() === 'boundary') {
      const boundary = inQuotes === undefined ? plain : inQuotes.replace(/\\([^])/g, '$1').trimEnd();
      return boundary !== '' && boundary.length <= 200 ? boundary : undefined;
    }
    while (/\s/.test(text.charAt(parameter.lastIndex))) parameter.lastIndex++;
  }
  return undefined;
}
