/** One member per verb, so that a table keyed by verb can name each one's type. */
type Each<V extends string, Args = unknown> = V extends V ? { readonly verb: V } & Args : never;

/** POP3 commands: RFC 1939, CAPA (2449), STLS (2595), AUTH (5034), UTF8 and LANG (6856). */
export type Command =
  | Each<Alone>
  | { readonly verb: 'USER'; readonly user: string }
  | { readonly verb: 'PASS'; readonly password: string }
  | { readonly verb: 'APOP'; readonly user: string; readonly digest: string }
  /** Without a mechanism: the client asks which there are. `initial` is still base64; `=` stands for an empty one (RFC 5034 §4). */
  | { readonly verb: 'AUTH'; readonly mechanism?: string; readonly initial?: string }
  | { readonly verb: 'LANG'; readonly range?: string }
  | Each<'LIST' | 'UIDL', { readonly message?: number }>
  | Each<'RETR' | 'DELE', { readonly message: number }>
  | { readonly verb: 'TOP'; readonly message: number; readonly lines: number };

type Alone = 'CAPA' | 'STLS' | 'UTF8' | 'STAT' | 'NOOP' | 'RSET' | 'QUIT';
export type Verb = Command['verb'];

/** A line that is no command. `verb` is set where the command is known and its arguments are wrong. */
export interface Garbage {
  readonly verb: Verb | '';
  readonly problem: 'unknown-command' | 'syntax' | 'not-pop3';
}

/**
 * Bytes of a command line without CRLF. RFC 2449 §4 promises clients 255 with CRLF; there is room for those that put a long
 * initial response into AUTH.
 */
export const COMMAND_LIMIT = 1024;

/** Bytes of a line inside an AUTH exchange (the limit that RFC 4954 §4 gives the same exchange in SMTP). */
export const SASL_LIMIT = 12_288;

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Browsers and TLS clients can be led to this port; what they say must not be taken for commands. */
const FOREIGN = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|TRACE|PATCH|PRI) \S|^HTTP\/|^SSH-|^(EHLO|HELO|LHLO)( |$)/i;

type Arguments = (rest: string | undefined) => Command | undefined;

/** Rest of the line (undefined: there was no space) to a command, or undefined for wrong arguments. */
const COMMANDS: Readonly<Record<Verb, Arguments>> = {
  CAPA: alone('CAPA'),
  STLS: alone('STLS'),
  UTF8: alone('UTF8'),
  STAT: alone('STAT'),
  NOOP: alone('NOOP'),
  RSET: alone('RSET'),
  QUIT: alone('QUIT'),
  USER: (rest) => (rest ? { verb: 'USER', user: rest } : undefined),
  // A password may hold spaces, also at its ends (RFC 1939 §7, PASS).
  PASS: (rest) => (rest ? { verb: 'PASS', password: rest } : undefined),
  APOP: (rest = '') => {
    const [, user, digest] = /^(.+) ([0-9a-f]{32})$/i.exec(rest) ?? [];
    return user && digest ? { verb: 'APOP', user, digest: digest.toLowerCase() } : undefined;
  },
  AUTH: (rest = '') => {
    const [, mechanism, initial] = /^([A-Za-z0-9_-]{1,20})(?: (=|[A-Za-z0-9+/]+={0,2}))?$/.exec(rest) ?? [];
    if (!mechanism) return rest === '' ? { verb: 'AUTH' } : undefined;
    return { verb: 'AUTH', mechanism: mechanism.toUpperCase(), ...(initial !== undefined && { initial }) };
  },
  LANG: (rest = '') => {
    if (rest === '') return { verb: 'LANG' };
    return /^(\*|[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,8})$/.test(rest) ? { verb: 'LANG', range: rest } : undefined;
  },
  LIST: perhapsNumbered('LIST'),
  UIDL: perhapsNumbered('UIDL'),
  RETR: numbered('RETR'),
  DELE: numbered('DELE'),
  TOP: (rest = '') => {
    const [, message, lines] = /^(\d{1,10}) (\d{1,10})$/.exec(rest) ?? [];
    return message && lines ? { verb: 'TOP', message: Number(message), lines: Number(lines) } : undefined;
  },
};

function alone(verb: Alone): Arguments {
  return (rest) => (rest ? undefined : { verb });
}

function perhapsNumbered(verb: 'LIST' | 'UIDL'): Arguments {
  return (rest = '') => {
    if (rest === '') return { verb };
    return /^\d{1,10}$/.test(rest) ? { verb, message: Number(rest) } : undefined;
  };
}

function numbered(verb: 'RETR' | 'DELE'): Arguments {
  return (rest = '') => (/^\d{1,10}$/.test(rest) ? { verb, message: Number(rest) } : undefined);
}

/**
 * One line, without its CRLF, to a command. Verbs in any case; spaces at the end are forgiven, except in PASS.
 * Names and passwords may be UTF-8 (RFC 6856 §2.2); control characters, NUL, bare CR and bare LF are refused everywhere.
 */
export function parse(line: Uint8Array): Command | Garbage {
  const text = decode(line);
  if (text === undefined) return { verb: '', problem: isTlsHello(line) ? 'not-pop3' : 'syntax' };
  const space = text.indexOf(' ');
  const verb = (space < 0 ? text : text.slice(0, space)).toUpperCase();
  if (!isVerb(verb)) return { verb: '', problem: FOREIGN.test(text) ? 'not-pop3' : 'unknown-command' };
  const rest = space < 0 ? undefined : text.slice(space + 1);
  return COMMANDS[verb](verb === 'PASS' ? rest : trimEnd(rest)) ?? { verb, problem: 'syntax' };
}

/** Whether the first bytes of a connection are a TLS record (a handshake: 22, version 3.x), which may hold no line end at all. */
export const isTlsHello = (bytes: Uint8Array): boolean => bytes[0] === 0x16 && (bytes.length < 2 || bytes[1] === 3);

const isVerb = (word: string): word is Verb => Object.hasOwn(COMMANDS, word);

/** Not a regular expression: `/ +$/` takes quadratic time on a line of spaces. */
function trimEnd(rest: string | undefined): string | undefined {
  if (!rest?.endsWith(' ')) return rest;
  let end = rest.length;
  while (end > 0 && rest.charCodeAt(end - 1) === 0x20) end--;
  return rest.slice(0, end);
}

function decode(line: Uint8Array): string | undefined {
  for (const byte of line) if (byte < 0x20 || byte === 0x7f) return undefined;
  try {
    return UTF_8.decode(line);
  } catch {
    return undefined;
  }
}
