import { printDateTime } from '@kiroku/domain/imap/grammar/dates.js';
import { nstring } from '@kiroku/domain/imap/grammar/strings.js';
import { printEnvelope, printStructure } from '@kiroku/domain/imap/structure-print.js';
import type { StoredMessage } from '@kiroku/domain/mailbox/store-port.js';
import type { Structure } from '@kiroku/domain/mime/structure.js';
import type { PlainItem } from './plan.js';

/** What an item says of a message, each character an octet. @param structure for items that are made from it. */
export function printed(item: PlainItem['item'], message: StoredMessage, structure: Structure | undefined, utf8: boolean): string {
  switch (item) {
    case 'RFC822.SIZE':
      return `RFC822.SIZE ${message.size}`;
    case 'INTERNALDATE':
      return `INTERNALDATE ${printDateTime(message.receivedAt)}`;
    case 'SAVEDATE':
      return `SAVEDATE ${printDateTime(message.savedAt)}`;
    case 'EMAILID':
      return `EMAILID (${message.emailId})`;
    case 'PREVIEW':
      return `PREVIEW ${octetsOf(nstring(structure?.preview, utf8))}`;
    case 'ENVELOPE':
      return `ENVELOPE ${structure ? printEnvelope(structure.envelope, utf8) : 'NIL'}`;
    case 'BODY':
      return `BODY ${structure ? printStructure(structure.root, false, utf8) : 'NIL'}`;
    case 'BODYSTRUCTURE':
      return `BODYSTRUCTURE ${structure ? printStructure(structure.root, true, utf8) : 'NIL'}`;
    case 'UID':
    case 'FLAGS':
    case 'MODSEQ':
    case 'THREADID':
      throw new TypeError(`${item} is a column of the mailbox`);
  }
}

/** Text as the octets of its UTF-8. */
const octetsOf = (text: string): string => Buffer.from(text).toString('latin1');
