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

/** Is it of this version? What is may still be damaged. */
export const isEncodedStructure = (text: string): boolean => text.startsWith(VERSION);

/** @returns undefined for a form of another version, or none at all: read the structure from the body again. */
export function decodeStructure(text: string): Structure | undefined {
  if (!isEncodedStructure(text)) return undefined;
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

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

// Properties are set one by one: spreading optional ones costs several times as much, and a listing loads thousands.
function loadEnvelope([date, subject, inReplyTo, messageId, from, sender, replyTo, to, cc, bcc]: StoredEnvelope): Envelope {
  const envelope: Mutable<Envelope> = {
    from: from.map(loadAddress), sender: sender.map(loadAddress), replyTo: replyTo.map(loadAddress), to: to.map(loadAddress), cc: cc.map(loadAddress), bcc: bcc.map(loadAddress),
  };
  if (date !== null) envelope.date = date;
  if (subject !== null) envelope.subject = subject;
  if (inReplyTo !== null) envelope.inReplyTo = inReplyTo;
  if (messageId !== null) envelope.messageId = messageId;
  return envelope;
}

const storeAddress = ({ mailbox, host, name, route }: Address): StoredAddress => trimmed([mailbox, host, name, route]) as unknown as StoredAddress;

function loadAddress([mailbox, host, name, route]: StoredAddress): Address {
  const address: Mutable<Address> = {};
  if (name != null) address.name = name;
  if (route != null) address.route = route;
  if (mailbox != null) address.mailbox = mailbox;
  if (host != null) address.host = host;
  return address;
}

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
  const loaded: Mutable<Part> = {
    headerStart, bodyStart: headerStart + header, bodyEnd: headerStart + header + body, headerLines, bodyLines, type, subtype,
    parameters: loadParameters(parameters), encoding: encoding ?? '7bit', parts: parts.map(loadPart),
  };
  if (rare.length > 0) loadRare(loaded, rare);
  if (message) loaded.message = loadMessage(message);
  return loaded;
}

function loadRare(part: Mutable<Content>, [id, description, md5, disposition, dispositionParameters, languages, location]: Rare): void {
  if (id != null) part.id = id;
  if (description != null) part.description = description;
  if (md5 != null) part.md5 = md5;
  if (disposition != null) part.disposition = { type: disposition, parameters: loadParameters(dispositionParameters ?? []) };
  if (languages != null) part.languages = languages;
  if (location != null) part.location = location;
}
