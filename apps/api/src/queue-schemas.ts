import { QUEUE_VERBS } from '@kiroku/infra/admin/queue-commands.js';
import { QUEUE_OUTCOMES, QUEUE_STATES } from '@kiroku/infra/admin/queue-filter.js';
import { QUEUE_ORDERS } from '@kiroku/infra/admin/queue.js';
import * as z from 'zod';
import { Event, flag, page, PageQuery, time } from './schemas.js';

/** Schemas of the outbound queue; see schemas.ts. */

const address = z.string().min(1).max(320);
const pattern = z.string().max(320);
const instant = z.int().min(0).describe('Epoch ms');
const reason = z.string().max(2_000).describe('In your own words, for the story; needed');
const route = z.string().max(300).describe('host:port, [IPv6]:port, with * at the end for implicit TLS; empty = as usual again');
const priority = z.int().describe('Of priority: -100 to 100, lower first; 0 is usual');
const verb = z.enum(QUEUE_VERBS);

const filter = {
  messageId: z.string().min(1).max(1_000).optional().describe('Queue id or Message-ID'),
  sender: pattern.optional().describe('Envelope sender, * for any characters; empty or <> = the null sender'),
  recipient: pattern.optional().describe('Address as it waits or as it was accepted, * for any characters'),
  destination: pattern.optional().describe('Domain of the address, or its literal; * for any characters'),
  state: z.enum(QUEUE_STATES).optional(),
  outcome: z.enum(QUEUE_OUTCOMES).optional().describe('Of the last attempt'),
  reply: z.string().min(1).max(500).optional().describe('Part of the last reply'),
  host: pattern.optional().describe('Server of the last attempt, * for any characters'),
  route: z.string().max(300).optional().describe('Where an administrator sent it; empty = nowhere else'),
  attempts: z.string().regex(/^\d{1,6}$/).transform(Number).pipe(z.int()).optional().describe('Tried so often, at least'),
  since: time.optional().describe('Accepted then or later'),
  until: time.optional().describe('Accepted before'),
  nextBefore: time.optional().describe('Due before'),
};
export const QueueQuery = PageQuery.extend({
  ...filter, after: z.string().max(1_000).optional().describe('The `next` of the page before'),
  sort: z.enum(QUEUE_ORDERS).default('age').describe('age: oldest first; next: by the next try, without held ones'),
});
export const QueueFilterQuery = z.strictObject(filter);
export const QueueCountQuery = z.strictObject({ ...filter, for: verb.optional().describe('Only those for which this order means something'), to: route.optional().describe('With for=reroute'),
  priority: z.string().regex(/^-?\d{1,3}$/).transform(Number).pipe(z.int()).optional().describe('With for=priority'),
});
export const QueueSummaryQuery = z.strictObject({ ...filter, limit: PageQuery.shape.limit.describe('Destinations') });
export const QueueBulkQuery = z.strictObject({ ...filter, all: flag.describe('Needed where no filter is named'), dryRun: flag.describe('Says what would be done and does nothing') });

export const QueueItem = z.object({
  messageId: z.string(), address: z.string(), recipient: z.string().describe('As accepted'), via: z.array(z.string()).describe('Aliases on the way'), destination: z.string(),
  sender: z.string().describe('Empty = the null sender'), envelopeSender: z.string().nullable().describe('What the other server is told instead, where it is another (SRS)'), headerMessageId: z.string().nullable(), size: z.int(), state: z.enum(QUEUE_STATES),
  sendingTo: z.string().nullable().describe('The server that it is being sent to at this moment'), acceptedAt: instant, nextAt: instant.nullable().describe('Epoch ms; null unless it waits'),
  why: z.string().nullable(), attempts: z.int(), lastAt: instant.nullable(), lastHost: z.string().nullable(), lastReply: z.string().nullable(), lastOutcome: z.string().nullable(),
  route: z.string().describe('host:port by an administrator, else empty'), delayed: z.boolean().describe('The sender has been told of the delay'), priority: z.int().describe('Lower first'),
});
export const QueueItems = page(QueueItem);

const counts = { recipients: z.int(), waiting: z.int(), held: z.int(), oldestAt: instant.nullable(), nextAt: instant.nullable() };
export const QueueTotal = z.object({ ...counts, messages: z.int(), bytes: z.int().describe('Each message counted once') });
export const QueueSummary = z.object({
  total: QueueTotal,
  destinations: z.array(z.object({
    destination: z.string(), ...counts, bytes: z.int().describe('Per recipient'), sending: z.int().describe('At this moment'),
    lastAt: instant.nullable(), lastHost: z.string().nullable(), lastReply: z.string().nullable(),
    ages: z.array(z.int()).describe('How many are younger than 5, 10, 20, 40, 80, 160, 320, 640, 1280 minutes, each counted once; the last number counts the rest'),
  })).describe('The fullest first'),
  destinationCount: z.int().describe('How many there are'),
});
export const QueueStory = z.object({
  messageId: z.string(), items: z.array(QueueItem).describe('Recipients that are in the queue'), events: z.array(Event).describe('Oldest first'),
});

export const QueuedMessageParam = z.object({ id: z.string().min(1).max(100).describe('Queue id') });
export const QueuedMessageVerb = QueuedMessageParam.extend({ verb });
export const QueueVerbParam = z.object({ verb });
export const QueueStoryQuery = z.strictObject({ address: address.optional().describe('This recipient only') });
export const QueueOrder = z.strictObject({ reason, route: route.optional().describe('Of reroute: host:port; empty = as usual again'), priority: priority.optional() });
export const QueueMessageOrder = QueueOrder.extend({ addresses: z.array(address).min(1).max(10_000).optional().describe('All recipients for which it means something, when absent') });
export const QueueChange = z.strictObject({ address, to: address.describe('The new address'), reason });
export const QueueChanged = z.object({ messageId: z.string(), addresses: z.array(z.string()) });
/** One line of the answer to an order about many. The last one is the summary. */
export const QueueLine = z.union([
  z.object({ messageId: z.string(), address: z.string(), result: z.enum(['done', 'would', 'refused']), reason: z.string().optional() }),
  z.object({ done: z.int(), total: z.int() }).describe('Progress'),
  z.object({ summary: z.object({ total: z.int(), done: z.int(), refused: z.int(), dryRun: z.boolean() }) }),
  z.object({ problem: z.object({ reason: z.string(), instance: z.string() }) }).describe('It broke off here: what came before stands'),
]);
