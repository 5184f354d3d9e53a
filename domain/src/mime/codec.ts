import type { Binary } from './binary.js';
import { IDENTITY } from './draft.js';
import type { Address, Content, Envelope, Message, Parameters, Part, Structure } from './structure.js';

/** First character of the stored form. A change of the form is a new one; structures of others are read again from the body. */
const VERSION = '1';

type Text = string | null;
type StoredAddress = readonly [mailbox?: Text, host?: Text, name?: Text, route?: Text];
type StoredEnvelope = readonly [
  date: Text,
  subject: Text,
  inReplyTo: Text,
  messageId: Text,
  from: readonly StoredAddress[],
  sender: readonly StoredAddress[],
  replyTo: readonly StoredAddress[],
  to: readonly StoredAddress[],
  cc: readonly StoredAddress[],
  bcc: readonly StoredAddress[],
];
/** Name, value, name, value … */
type StoredParameters = readonly string[];
type Rare = readonly [id?: Text, description?: Text, md5?: Text, disposition?: Text, dispositionParameters?: StoredParameters | null, languages?: readonly string[] | null, location?: Text];
/** Sizes instead of ends: shorter to write. */
type StoredPart = readonly [
  headerStart: number,
  header: number,
  body: number,
  headerLines: number,
  bodyLines: number,
  type: string,
  subtype: string,
  encoding: string | null,
  parameters: StoredParameters,
  parts: readonly StoredPart[],
  rare: Rare,
  message?: StoredMessage,
];
type StoredMessage = readonly [envelope: StoredEnvelope, root: StoredPart];
type Stored = readonly [size: number, message: StoredMessage, references: readonly string[], preview: string];

/** Text to be stored with the body: it holds all of the structure, in UTF-8 roughly 500 bytes for a plain message. It has no NUL. */
export function encodeStructure(structure: Structure): string {
  const stored: Stored = [structure.size, storeMessage(structure), structure.references, structure.preview];
  return VERSION + JSON.stringify(stored);
}

/** @returns undefined for a form of another version, or none at all: read the structure from the body again. */
export function decodeStructure(text: string): Structure | undefined {
  if (!text.startsWith(VERSION)) return undefined;
  try {
    const [size, message, references, preview] = JSON.parse(text.slice(VERSION.length)) as Stored;
    return { ...loadMessage(message), size, references, preview };
  } catch {
    return undefined;
  }
}

const storeMessage = ({ envelope, root }: Message): StoredMessage => [storeEnvelope(envelope), storePart(root)];
const loadMessage = ([envelope, root]: StoredMessage): Message => ({ envelope: loadEnvelope(envelope), root: loadPart(root) });

const storeEnvelope = (e: Envelope): StoredEnvelope => [
  e.date ?? null,
  e.subject ?? null,
  e.inReplyTo ?? null,
  e.messageId ?? null,
  e.from.map(storeAddress),
  e.sender.map(storeAddress),
  e.replyTo.map(storeAddress),
  e.to.map(storeAddress),
  e.cc.map(storeAddress),
  e.bcc.map(storeAddress),
];

const loadEnvelope = ([date, subject, inReplyTo, messageId, from, sender, replyTo, to, cc, bcc]: StoredEnvelope): Envelope => ({
  ...(date !== null && { date }),
  ...(subject !== null && { subject }),
  from: from.map(loadAddress),
  sender: sender.map(loadAddress),
  replyTo: replyTo.map(loadAddress),
  to: to.map(loadAddress),
  cc: cc.map(loadAddress),
  bcc: bcc.map(loadAddress),
  ...(inReplyTo !== null && { inReplyTo }),
  ...(messageId !== null && { messageId }),
});

const storeAddress = ({ mailbox, host, name, route }: Address): StoredAddress => trimmed([mailbox, host, name, route]) as unknown as StoredAddress;

const loadAddress = ([mailbox, host, name, route]: StoredAddress): Address => ({
  ...(name != null && { name }),
  ...(route != null && { route }),
  ...(mailbox != null && { mailbox }),
  ...(host != null && { host }),
});

/** Without what is absent at the end; JSON turns what is absent in between into null. */
function trimmed<T>(values: (T | undefined)[]): (T | undefined)[] {
  while (values.length > 0 && values.at(-1) === undefined) values.pop();
  return values;
}

const storeParameters = (parameters: Parameters): StoredParameters => parameters.flat();

function loadParameters(stored: StoredParameters): Parameters {
  const out: [string, Binary][] = [];
  for (let i = 0; i + 1 < stored.length; i += 2) out.push([stored[i] as string, stored[i + 1] as string]);
  return out;
}

function storePart(part: Part): StoredPart {
  const { headerStart, bodyStart, bodyEnd, headerLines, bodyLines, type, subtype, encoding, parameters, parts, message } = part;
  const sizes = [headerStart, bodyStart - headerStart, bodyEnd - bodyStart, headerLines, bodyLines] as const;
  const stored = [...sizes, type, subtype, encoding === IDENTITY[0] ? null : encoding, storeParameters(parameters), parts.map(storePart), storeRare(part)] as const;
  return message ? [...stored, storeMessage(message)] : stored;
}

const storeRare = ({ id, description, md5, disposition, languages, location }: Content): Rare =>
  trimmed([id, description, md5, disposition?.type, disposition && storeParameters(disposition.parameters), languages, location]) as unknown as Rare;

function loadPart([headerStart, header, body, headerLines, bodyLines, type, subtype, encoding, parameters, parts, rare, message]: StoredPart): Part {
  const [id, description, md5, disposition, dispositionParameters, languages, location] = rare;
  return {
    headerStart,
    bodyStart: headerStart + header,
    bodyEnd: headerStart + header + body,
    headerLines,
    bodyLines,
    type,
    subtype,
    parameters: loadParameters(parameters),
    encoding: encoding ?? '7bit',
    ...(id != null && { id }),
    ...(description != null && { description }),
    ...(md5 != null && { md5 }),
    ...(disposition != null && { disposition: { type: disposition, parameters: loadParameters(dispositionParameters ?? []) } }),
    ...(languages != null && { languages }),
    ...(location != null && { location }),
    parts: parts.map(loadPart),
    ...(message && { message: loadMessage(message) }),
  };
}
