import { ADMIN_ACTIONS, type AdminAction } from '@kiroku/domain/story/admin-actions.js';
import * as z from 'zod';
import { page, PageQuery, time } from './schemas.js';

const instant = z.int().min(0).describe('Epoch ms');
const action = z.enum(Object.keys(ADMIN_ACTIONS) as [AdminAction, ...AdminAction[]]);

export const ActionQuery = PageQuery.extend({
  after: z.uuid().optional().describe('The `next` of the page before'),
  actor: z.string().max(80).optional().describe('An administrator’s name'),
  subject: z.string().max(400).optional().describe('An address, a domain, a queue id, a setting … as in the list'),
  type: action.optional(), since: time.optional(), until: time.optional(),
});
export const Actions = page(
  z.object({
    id: z.uuid(), at: instant, actor: z.string(), type: action, subject: z.string(), reason: z.string().optional(),
    request: z.string().describe('What was done in one request has the same; it is in the log, too'), data: z.record(z.string(), z.unknown()).describe('Of the event, without what is sealed or hashed'),
  }),
);

export const Quarantined = page(
  z.object({
    messageId: z.string(), state: z.enum(['aside', 'retrying']), error: z.string(), tries: z.int(), since: instant.describe('The first try'), asideAt: instant, size: z.int(),
  }),
);
export const QuarantineParam = z.object({ id: z.string().min(1).max(100).describe('Queue id') });
export const QuarantineOrder = z.strictObject({ reason: z.string().max(2_000).describe('For the story of the message') });
export const QuarantineRetried = z.object({ retried: z.int() });
export const QuarantineDiscarded = z.object({ discarded: z.int() });
