import { MOST_TARGETS } from '@kiroku/domain/directory/alias.js';
import { DEFAULTS, type Settings } from '@kiroku/domain/policy/settings-schema.js';
import { MESSAGE_STATES } from '@kiroku/infra/admin/messages.js';
import * as z from 'zod';

/** Schemas of requests and answers: type, check and documentation at once. What values mean to the domain, the domain checks. */

const address = z.string().min(1).max(320);
const domain = z.string().min(1).max(255);
const instant = z.int().min(0).describe('Epoch ms');
const bytes = z.int().min(0);
/** In a query everything is text. */
export const flag = z.enum(['true', 'false']).default('false').transform((value) => value === 'true');
const count = (most: number) => z.string().regex(/^\d{1,15}$/).transform(Number).pipe(z.int().min(0).max(most));
export const time = z
  .union([z.string().regex(/^\d{1,15}$/).transform(Number), z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)), z.iso.date().transform((text) => Date.parse(text))])
  .describe('Epoch ms, or ISO 8601 with offset, or a date (UTC)');

export const PageQuery = z.strictObject({
  after: z.string().max(400).optional().describe('The `next` of the page before'),
  limit: z.string().regex(/^\d{1,4}$/).default('100').transform(Number).pipe(z.int().min(1).max(1000)),
});
export const DomainQuery = PageQuery.extend({ domain: domain.optional() });
export const page = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next: z.string().optional().describe('Pass as `after`; absent at the end') });

export const AddressParam = z.object({ address });
export const DomainParam = z.object({ name: domain });

export const Domain = z.object({ name: z.string(), accountLimit: z.int(), enabled: z.boolean(), accounts: z.int(), aliases: z.int(), createdAt: instant });
export const Domains = page(Domain);
export const NewDomain = z.strictObject({ name: domain, accountLimit: z.int().min(0).max(1e9).default(0) });
export const DomainChange = z.strictObject({ accountLimit: z.int().min(0).max(1e9) });

export const Account = z.object({
  id: z.uuid(), address: z.string(), domain: z.string(), fullName: z.string(), enabled: z.boolean(), smtp: z.boolean(), pop3: z.boolean(), imap: z.boolean(),
  reversible: z.boolean(), quota: z.int(), used: z.int(), messages: z.int(), createdAt: instant,
});
export const Accounts = page(Account);
const accountSettings = {
  fullName: z.string().max(200).optional(),
  smtp: z.boolean().optional(),
  pop3: z.boolean().optional(),
  imap: z.boolean().optional(),
  reversible: z.boolean().optional().describe('Keep the password itself, sealed, for APOP and CRAM-MD5'),
  quota: bytes.optional().describe('Bytes; 0 = no limit'),
};
const password = z.string().min(1).max(1024).describe('1 to 128 characters');
export const NewAccount = z.strictObject({ address, password, ...accountSettings });
export const AccountChange = z.strictObject(accountSettings);
export const NewPassword = z.strictObject({ password, reversible: z.boolean().optional() });
export const NewAddress = z.strictObject({ address });

export const Alias = z.object({
  address: z.string(), domain: z.string(), wildcard: z.boolean(), targets: z.array(z.object({ address: z.string(), rewrite: z.boolean() })),
  enabled: z.boolean(), createdAt: instant,
});
export const Aliases = page(Alias);
const targets = z.array(z.strictObject({ address, rewrite: z.boolean().optional() })).max(MOST_TARGETS + 1);
export const NewAlias = z.strictObject({ address, targets });
export const AliasChange = z.strictObject({ targets });

export const ImportQuery = z.strictObject({
  domain: domain.optional().describe('Overrides the domain column'),
  dryRun: flag.describe('Says what would happen and changes nothing'),
});
/** One line of the answer to an import. The last one is the summary. */
export const ImportLine = z.union([
  z.object({
    line: z.int().describe('Of the list, from 1'), address: z.string().optional(), result: z.enum(['added', 'would-add', 'duplicate', 'refused']),
    first: z.int().optional().describe('Of a duplicate within the list: the line that names it first'),
    reason: z.string().optional(), detail: z.string().optional(),
  }),
  z.object({ done: z.int(), total: z.int() }).describe('Progress'),
  z.object({ summary: z.object({ total: z.int(), added: z.int(), duplicate: z.int(), refused: z.int(), dryRun: z.boolean() }) }),
  z.object({ problem: z.object({ reason: z.string(), instance: z.string() }) }).describe('It broke off here: what came before stands'),
]);
export const ExportQuery = z.strictObject({ domain: domain.optional() });

export const Message = z.object({
  id: z.string(), headerMessageId: z.string().nullable(), sender: z.string().nullable(), recipients: z.array(z.string()), size: z.int().nullable(),
  sha256: z.string().nullable(), session: z.string().nullable(), acceptedAt: instant.nullable(), refusedAt: instant.nullable(), refusedBy: z.string().nullable(),
  delivered: z.int(), remote: z.int(), sent: z.int(), bounced: z.int(), state: z.enum(MESSAGE_STATES),
});
export const Messages = page(Message);
export const MessageQuery = PageQuery.extend({
  sender: z.string().max(320).optional(), recipient: z.string().max(320).optional(), state: z.enum(MESSAGE_STATES).optional(),
  since: time.optional(), until: time.optional(),
});
export const MessageParam = z.object({ id: z.string().min(1).max(1_000) });
export const StoryQuery = z.strictObject({ wait: count(30_000).default(0).describe('ms to wait for the views to catch up, at most 30,000') });
export const Event = z.object({
  id: z.string(), type: z.string(), version: z.int(), at: instant, actor: z.string(), correlation: z.string(), causation: z.string().optional(), data: z.unknown(),
});
const end = { address: z.string(), via: z.array(z.string()) };
const lastTry = z.object({ attempts: z.int(), host: z.string().optional(), reply: z.string() });
export const Story = z.object({
  messages: z.array(z.string()).describe('Queue ids'),
  events: z.array(Event).describe('Oldest first'),
  outcomes: z.array(
    z.object({
      recipient: z.string(),
      ends: z.array(
        z.union([
          z.object({ ...end, kind: z.literal('mailbox'), mailbox: z.string(), uid: z.int(), removed: z.boolean() }),
          z.object({ ...end, kind: z.literal('waiting'), last: lastTry.optional(), nextAt: instant.optional(), why: z.string().optional() }),
          z.object({ ...end, kind: z.literal('held'), reason: z.string(), last: lastTry.optional() }),
          z.object({ ...end, kind: z.literal('sent'), host: z.string().optional(), at: instant, reply: z.string() }),
          z.object({ ...end, kind: z.literal('failed'), rule: z.string(), reply: z.string() }),
          z.object({ ...end, kind: z.literal('expired'), rule: z.string(), reply: z.string() }),
          z.object({ ...end, kind: z.literal('removed'), reason: z.string() }),
          z.object({ ...end, kind: z.literal('discarded'), reason: z.string() }),
        ]),
      ),
    }),
  ),
  complete: z.boolean().describe('No accepted recipient is without an outcome'),
});

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  senderTrust: ['login', 'envelope', 'header'], outboundFamily: ['both', 'ipv4', 'ipv6', 'prefer-ipv4', 'prefer-ipv6'], noticeLanguage: ['both', 'ja', 'en'],
  outboundEightBit: ['downgrade', 'bounce', 'send'],
};
/** By the shape of the defaults, so that a new setting is here at once. */
const settingShape = Object.fromEntries(
  Object.entries(DEFAULTS).map(([name, value]: [string, unknown]) => {
    const choice = CHOICES[name];
    if (choice) return [name, z.enum(choice)];
    if (typeof value === 'object' && !Array.isArray(value)) return [name, z.record(z.string(), z.unknown()).describe('See docs/outbound.md')];
    if (typeof value === 'number') return [name, z.int().min(0)];
    if (typeof value === 'boolean') return [name, z.boolean()];
    return [name, Array.isArray(value) ? z.array(z.string().max(100)).max(10_000) : z.string().max(2_000)];
  }),
) as unknown as { [K in keyof Settings]: z.ZodType<Settings[K]> };
const SettingDetail = z.object({
  name: z.string(), value: z.unknown(), default: z.unknown(), changed: z.boolean().describe('Differs from the default'),
  setAt: instant.optional().describe('When it was last set; absent = never'), setBy: z.string().optional(),
  unit: z.enum(['ms', 'bytes', 'count', 'text', 'list', 'switch', 'choice', 'schedule']), means: z.object({ en: z.string(), ja: z.string() }),
});
export const AllSettings = z.object({
  settings: z.object(settingShape), changed: z.array(z.string()).describe('Names that differ from the default'), details: z.array(SettingDetail),
});
export const SettingsChange = z
  .strictObject(Object.fromEntries(Object.entries(settingShape).map(([name, schema]) => [name, schema.nullable().optional()])) as {
    [K in keyof Settings]: z.ZodOptional<z.ZodNullable<z.ZodType<Settings[K]>>>;
  })
  .describe('null = back to the default');

export const Lockouts = page(
  z.object({ protocol: z.string(), ip: z.string(), failures: z.int(), since: instant, lockedUntil: instant, because: z.string().nullable() }),
);
export const LockoutQuery = PageQuery.extend({ all: flag.describe('Also addresses that only have failures') });
export const LockoutParam = z.object({ ip: z.union([z.ipv4(), z.ipv6()]) });
export const ReleaseQuery = z.strictObject({ protocol: z.enum(['smtp', 'pop3', 'imap']).optional().describe('All when absent') });
export const Released = z.object({ released: z.int() });

export const AdministratorName = z.object({ name: z.string().min(1).max(64) });
export const NewAdministrator = z.strictObject({ name: z.string().min(1).max(64) });
export const TokenParam = z.object({ name: z.string().min(1).max(64), tokenId: z.uuid() });
export const NewToken = z.object({ name: z.string(), tokenId: z.string(), token: z.string().describe('Shown once') });
export const Administrators = z.object({
  items: z.array(z.object({ name: z.string(), addedAt: instant, tokens: z.array(z.object({ id: z.string(), issuedAt: instant, issuedBy: z.string() })) })),
});

export const Views = z.object({
  items: z.array(z.object({ name: z.string(), inline: z.boolean(), topics: z.array(z.string()), lag: z.int().describe('Events not in it yet') })),
});
const warnings = {
  restarts: { kind: z.literal('restarts'), times: z.int().describe('Within ten minutes') },
  disk: { kind: z.literal('disk'), freeBytes: z.number() },
  certificate: { kind: z.literal('certificate'), name: z.string(), expiresAt: z.int().describe('Epoch ms; may be past') },
  quarantine: { kind: z.literal('quarantine'), messages: z.int() },
  token: { kind: z.literal('access-token'), name: z.string().describe('Of gateway credentials'), detail: z.string() },
  replica: {
    kind: z.literal('replica'), state: z.enum(['away', 'behind', 'not-following', 'another-server', 'another-database', 'no-rights']),
    detail: z.string().optional(), behind: z.int().optional().describe('Seconds; -1: nobody knows how far'),
  },
};
const from = { role: z.string(), host: z.string().optional() };
const Warning = z.union([z.object(warnings.restarts), z.object(warnings.disk), z.object(warnings.certificate), z.object(warnings.quarantine), z.object(warnings.token), z.object(warnings.replica)]);
const Attention = z.union([
  z.object({ ...warnings.restarts, ...from }), z.object({ ...warnings.disk, ...from }), z.object({ ...warnings.certificate, ...from }), z.object({ ...warnings.quarantine, ...from }),
  z.object({ ...warnings.token, ...from }), z.object({ ...warnings.replica, ...from }),
]);
const Process = z.object({ role: z.string(), host: z.string(), pid: z.int(), startedAt: instant, seenAt: instant, trouble: z.string().nullable(), warnings: z.array(Warning) });
export const Health = z.object({
  status: z.enum(['ok', 'warning', 'trouble']).describe('warning: ready, but something wants attention'), database: z.boolean(),
  roles: z.array(z.object({ role: z.string(), ok: z.boolean(), processes: z.array(Process) })),
  warnings: z.array(Attention),
});
export const Live = z.object({ status: z.enum(['ok', 'trouble']) });
