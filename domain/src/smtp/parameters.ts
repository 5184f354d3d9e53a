import type { Notify } from '../mail/events.js';

/** What MAIL may carry besides the sender. */
export interface MailParameters {
  /** RFC 1870: the size in bytes that the client announces; 0 = not said. */
  readonly size: number;
  /** RFC 6152, RFC 3030. */
  readonly body: '7BIT' | '8BITMIME' | 'BINARYMIME';
  /** RFC 6531. */
  readonly smtputf8: boolean;
  /** RFC 8689. */
  readonly requireTls: boolean;
  /** RFC 3461 §4.3, §4.4; ENVID stays xtext. */
  readonly ret?: 'FULL' | 'HDRS';
  readonly envid?: string;
}

/** What RCPT may carry besides the recipient (RFC 3461 §4.1, §4.2); ORCPT stays xtext. */
export interface RcptParameters {
  readonly notify?: readonly Notify[];
  readonly orcpt?: string;
}

export type ParameterFault = 'syntax' | 'bad-parameter' | 'duplicate-parameter' | 'unknown-parameter';

const PARAMETER = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^=]+))?$/;
/** RFC 3461 §4: xtext. */
const XTEXT = /^(?:[!-*,-<>-~]|\+[0-9A-F]{2})+$/;
const ORCPT = /^([A-Za-z0-9-]+);(.+)$/u;
const UTF8_XTEXT = /^(?:[!-*,-<>-~\u{a0}-\u{10ffff}]|\+[0-9A-F]{2}|\\x\{[0-9A-F]+\})+$/u;
const NOTIFY: readonly string[] = ['SUCCESS', 'FAILURE', 'DELAY'] satisfies readonly Notify[];

/** Splits `KEY=value KEY …`; keys in upper case. An absent value is ''. */
function pairs(text: string): Map<string, string> | ParameterFault {
  const found = new Map<string, string>();
  for (const word of text.split(' ')) {
    if (word === '') continue;
    const parts = PARAMETER.exec(word);
    if (!parts) return 'syntax';
    const key = (parts[1] ?? '').toUpperCase();
    if (found.has(key)) return 'duplicate-parameter';
    found.set(key, parts[2] ?? '');
  }
  return found;
}

const NO_MAIL_PARAMETERS: MailParameters = { size: 0, body: '7BIT', smtputf8: false, requireTls: false };

/** @param text what follows the path, '' or starting with a blank. */
export function mailParameters(text: string): MailParameters | ParameterFault {
  if (text === '') return NO_MAIL_PARAMETERS;
  const given = pairs(text);
  if (typeof given === 'string') return given;
  const result: { -readonly [K in keyof MailParameters]: MailParameters[K] } = { ...NO_MAIL_PARAMETERS };
  for (const [key, value] of given) {
    const upper = value.toUpperCase();
    switch (key) {
      case 'SIZE': // RFC 1870 §4: up to 20 digits
        if (!/^\d{1,20}$/.test(value)) return 'bad-parameter';
        result.size = Number(value);
        break;
      case 'BODY':
        if (upper !== '7BIT' && upper !== '8BITMIME' && upper !== 'BINARYMIME') return 'bad-parameter';
        result.body = upper;
        break;
      case 'SMTPUTF8':
      case 'REQUIRETLS':
        if (value !== '') return 'bad-parameter';
        result[key === 'SMTPUTF8' ? 'smtputf8' : 'requireTls'] = true;
        break;
      case 'RET':
        if (upper !== 'FULL' && upper !== 'HDRS') return 'bad-parameter';
        result.ret = upper;
        break;
      case 'ENVID': // RFC 3461 §4.4: at most 100 characters
        if (value.length > 100 || !XTEXT.test(value)) return 'bad-parameter';
        result.envid = value;
        break;
      case 'AUTH': // RFC 4954 §5: taken and not used, nobody is trusted to vouch for another identity
        if (value !== '<>' && !XTEXT.test(value)) return 'bad-parameter';
        break;
      default:
        return 'unknown-parameter';
    }
  }
  return result;
}

function notifyOf(value: string): readonly Notify[] | undefined {
  const upper = value.toUpperCase();
  if (upper === 'NEVER') return ['NEVER'];
  const words = upper.split(',');
  if (words.length > 3 || new Set(words).size !== words.length || !words.every((word) => NOTIFY.includes(word))) return undefined;
  return words as Notify[];
}

/** @param text what follows the path, '' or starting with a blank. */
export function rcptParameters(text: string): RcptParameters | ParameterFault {
  if (text === '') return {};
  const given = pairs(text);
  if (typeof given === 'string') return given;
  const result: { -readonly [K in keyof RcptParameters]: RcptParameters[K] } = {};
  for (const [key, value] of given) {
    if (key === 'NOTIFY') {
      const notify = notifyOf(value);
      if (!notify) return 'bad-parameter';
      result.notify = notify;
    } else if (key === 'ORCPT') {
      const parts = ORCPT.exec(value);
      if (!parts || value.length > 500) return 'bad-parameter';
      // RFC 6533 §3: the address type utf-8 has its own, wider encoding
      if (!(parts[1]?.toLowerCase() === 'utf-8' ? UTF8_XTEXT : XTEXT).test(parts[2] ?? '')) return 'bad-parameter';
      result.orcpt = value;
    } else return 'unknown-parameter';
  }
  return result;
}
