import type { Binary } from './binary.js';
import type { Fields } from './fields.js';
import { readContentType, readDisposition, readToken } from './parameters.js';
import type { Content } from './structure.js';

export const CONTENT_FIELDS = [
  'content-type',
  'content-transfer-encoding',
  'content-id',
  'content-description',
  'content-md5',
  'content-disposition',
  'content-language',
  'content-location',
] as const;

const MOST_LANGUAGES = 50;

/** @param within 'digest': parts of multipart/digest are messages unless they say otherwise (RFC 2046 §5.1.5). */
export function readContent(fields: Fields, within: 'digest' | 'other'): Content {
  const first = (name: (typeof CONTENT_FIELDS)[number]): Binary | undefined => fields.get(name)?.[0] || undefined;
  const typeField = first('content-type');
  const type = typeField === undefined ? undefined : readContentType(typeField);
  const disposition = readDisposition(first('content-disposition') ?? '');
  const languages = readLanguages(first('content-language') ?? '');
  const id = first('content-id');
  const description = first('content-description');
  const md5 = first('content-md5');
  const location = first('content-location');
  return {
    ...(type ?? (within === 'digest' ? { type: 'message', subtype: 'rfc822', parameters: [] } : { type: 'text', subtype: 'plain', parameters: [] })),
    encoding: readToken(first('content-transfer-encoding') ?? '') ?? '7bit',
    ...(id !== undefined && { id }),
    ...(description !== undefined && { description }),
    ...(md5 !== undefined && { md5 }),
    ...(disposition && { disposition }),
    ...(languages.length > 0 && { languages }),
    ...(location !== undefined && { location: location.replace(/[ \t]/g, '') }),
  };
}

const readLanguages = (value: Binary): readonly Binary[] => (value.match(/[A-Za-z0-9-]+/g) ?? []).slice(0, MOST_LANGUAGES);
