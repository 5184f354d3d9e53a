import { MOST_MEMBERS } from '@kiroku/domain/directory/group.js';
import * as z from 'zod';
import { page, PageQuery } from './schemas.js';

/** Schemas of groups; see schemas.ts. */

const name = z.string().min(1).max(320).describe('Written like an address, staff@example.com; no mail goes there');
const address = z.string().min(1).max(320);
const addresses = z.array(address).max(MOST_MEMBERS).default([]).describe('Of accounts');

export const Group = z.object({
  id: z.uuid(), name: z.string().describe('In access lists with group: before it'), domain: z.string(), members: z.int().min(0).describe('How many'),
  createdAt: z.int().min(0).describe('Epoch ms'),
});
export const Groups = page(Group);
export const GroupParam = z.object({ name });
export const GroupQuery = PageQuery.extend({ domain: z.string().min(1).max(255).optional(), member: address.optional().describe('Groups that this account is in') });
export const NewGroup = z.strictObject({ name, members: addresses });
export const GroupRename = z.strictObject({ to: name });

export const GroupMembers = page(z.object({ address: z.string(), fullName: z.string(), enabled: z.boolean().describe('One that is disabled stays a member and can do nothing') }));
export const MembersChange = z.strictObject({ add: addresses, remove: addresses }).describe('Who is a member already, or is none, is passed over; who is in both lists is a member');
