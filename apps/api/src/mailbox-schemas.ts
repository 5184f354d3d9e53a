import * as z from 'zod';
import { AddressParam, page, PageQuery } from './schemas.js';

const name = z.string().min(1).max(1000).describe('Levels separated by /; INBOX in any case');
const who = z.string().min(1).max(321).describe('An account’s address, anyone, or group: and a group’s name; with - before it, rights that are taken away');
const reason = z.string().max(2_000).optional().describe('For the record');
const count = z.int().min(0);
const use = z.enum(['\\Archive', '\\Drafts', '\\Flagged', '\\Important', '\\Junk', '\\Sent', '\\Trash']);

export const MailboxParam = AddressParam.extend({ name });
export const AccessParam = MailboxParam.extend({ who });
export const MailboxesQuery = PageQuery.extend({ after: name.optional().describe('The `next` of the page before') });
export const ReasonQuery = z.strictObject({ reason });

const access = z.object({ who, rights: z.string().describe('Letters of RFC 4314 §2.1') });
export const Mailbox = z.object({
  id: z.uuid(), name: z.string(), messages: count, unseen: count, bytes: count.describe('Of messages, as quota counts them'),
  uidValidity: count, uidNext: count, highestModSeq: count, specialUse: z.array(z.string()).describe('RFC 6154'), subscribed: z.boolean().describe('By its owner'),
  sharedWith: z.array(access).describe('Without the owner, who has all rights'),
});
export const Mailboxes = page(Mailbox);
export const NewMailbox = z.strictObject({ name, specialUse: z.array(use).max(7).default([]), subscribe: z.boolean().default(true).describe('Its owner to all that is made: mail programs show what is subscribed to'), reason });
export const MailboxRename = z.strictObject({ to: name, reason });

export const AccessList = z.object({ items: z.array(access) });
export const NewRights = z.strictObject({ rights: z.string().max(100).describe('Exactly these from now on; none takes the entry away'), reason });

export const BodyCache = z.object({
  bytes: count.describe('On disk'), bodies: count, missing: count.describe('Of mail in mailboxes: read by whoever asks first, or when the machine has time'),
});
