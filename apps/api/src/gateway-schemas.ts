import { LONGEST_SECRET, LONGEST_USER, MECHANISMS } from '@kiroku/domain/routing/credentials.js';
import { LONGEST_LINE } from '@kiroku/domain/routing/gateway-table.js';
import { GRANTS, LONGEST_CLIENT_ID, LONGEST_SCOPE, LONGEST_TOKEN_URL } from '@kiroku/domain/routing/oauth-client.js';
import { MOST_RECIPIENTS, VERIFICATIONS } from '@kiroku/domain/routing/verification.js';
import * as z from 'zod';
import { page } from './schemas.js';

/** Schemas of gateways, credentials and relay domains; see schemas.ts. */

const address = z.string().min(1).max(320);
const instant = z.int().min(0).describe('Epoch ms');
const lineNumber = z.string().regex(/^[1-9]\d{0,5}$/).transform(Number).pipe(z.int()).describe('From 1, as in the exported text');
const number = z.int().min(1).max(999_999);

const row = {
  target: z.string(), sender: z.string().optional(), host: z.string(), port: z.int(), implicitTls: z.boolean(), credentials: z.string().optional(),
};
const at = { line: z.int().describe('From 1, as in the exported text') };
export const GatewayTable = z.object({
  revision: z.int().describe('Pass it with a change, so that a table that others have changed since is left alone'),
  forwardAll: z.boolean().describe('Mail for local recipients goes to their gateway too'),
  lines: z.array(z.union([z.object({ ...at, comment: z.string() }), z.object({ ...at, ...row })])),
  changedAt: instant.optional(), changedBy: z.string().optional(),
});
export const TableChanged = z.object({ revision: z.int(), lines: z.int().describe('How many the table has now') });
export const Revision = z.strictObject({ revision: z.string().regex(/^\d{1,9}$/).transform(Number).pipe(z.int()).optional().describe('Refuse when the table is another one by now') });
export const LineParam = z.object({ line: lineNumber });

const target = z.string().min(1).max(400).describe('Domain or address, * for any characters');
const sender = z.string().min(1).max(400).describe('Envelope sender: domain or address, * for any characters, <> for the null sender');
const host = z.string().min(1).max(300).describe('Name or IP address');
const port = z.int().min(1).max(65_535);
const credentialsName = z.string().min(1).max(64);
const place = number.optional().describe('Its number afterwards; at the end when absent');
export const NewLine = z.union([
  z.strictObject({ target, sender: sender.optional(), host, port, implicitTls: z.boolean().optional(), credentials: credentialsName.optional(), at: place }),
  z.strictObject({ comment: z.string().max(LONGEST_LINE).describe("Begins with ', ;, # or a blank, or is empty"), at: place }),
]);
export const LineChange = z.strictObject({
  target: target.optional(), sender: sender.nullable().optional().describe('null = anyone'), host: host.optional(), port: port.optional(), implicitTls: z.boolean().optional(),
  credentials: credentialsName.nullable().optional().describe('null = none'),
});
export const NewPlace = z.strictObject({ to: number.describe('Its number afterwards') });
export const ForwardAll = z.strictObject({ forwardAll: z.boolean() });

export const RouteQuery = z.strictObject({ address, sender: z.string().max(320).default('').describe('Envelope sender; empty = the null sender') });
export const RouteAnswer = z.object({
  address: z.string(), sender: z.string(),
  route: z.union([
    z.object({ kind: z.literal('local') }),
    z.object({ kind: z.literal('mx'), domain: z.string() }),
    z.object({ kind: z.literal('gateway'), host: z.string(), port: z.int(), implicitTls: z.boolean(), credentials: z.string().optional() }),
  ]),
  line: z.int().optional().describe('The line that decides'),
  passedOver: z.array(z.int()).describe('Lines before it that fit the recipient, but not the sender'),
  forwardAll: z.boolean(), localDomain: z.boolean(),
});

const grant = z.enum(GRANTS).describe("How access tokens are asked for: by the client's secret (RFC 6749 §4.4), or by a refresh token (§6)");
const OAuthClient = z.object({ tokenUrl: z.string(), clientId: z.string(), scope: z.string().describe("'' = as the server sees fit"), grant }).describe('Where access tokens come from; absent where the secret is fixed');
export const Credentials = z.object({ name: z.string(), mechanism: z.string(), user: z.string(), oauth: OAuthClient.optional(), createdAt: instant, changedAt: instant });
export const CredentialsPage = page(Credentials);
export const CredentialsParam = z.object({ name: credentialsName });
const mechanism = z.enum(MECHANISMS);
const user = z.string().min(1).max(LONGEST_USER);
const secret = z.string().min(1).max(LONGEST_SECRET).describe('Password, or a fixed access token for XOAUTH2 and OAUTHBEARER; never told again');
const tokenUrl = z.string().min(1).max(LONGEST_TOKEN_URL).describe('Token endpoint: https, or http on loopback');
const clientId = z.string().min(1).max(LONGEST_CLIENT_ID);
const scope = z.string().max(LONGEST_SCOPE).describe('Names parted by blanks');
const clientSecret = z.string().min(1).max(LONGEST_SECRET).describe('Needed by client-credentials; never told again');
const refreshToken = z.string().min(1).max(LONGEST_SECRET).describe('Needed by refresh-token; never told again');
const NewOAuthClient = z.strictObject({ tokenUrl, clientId, scope: scope.optional(), grant, clientSecret: clientSecret.optional(), refreshToken: refreshToken.optional() });
const OAuthChange = z.strictObject({
  tokenUrl: tokenUrl.optional(), clientId: clientId.optional(), scope: scope.optional(), grant: grant.optional(), clientSecret: clientSecret.optional(), refreshToken: refreshToken.optional(),
}).describe('Another token URL, client or grant needs the secrets anew');
const who = { name: credentialsName, mechanism: mechanism.default('any'), user };
export const NewCredentials = z.union([z.strictObject({ ...who, secret }), z.strictObject({ ...who, oauth: NewOAuthClient })]);
export const CredentialsChange = z.strictObject({ mechanism: mechanism.optional(), user: user.optional(), secret: secret.optional(), oauth: OAuthChange.optional() });
export const FetchedToken = z.object({ name: z.string(), user: z.string(), tokenUrl: z.string(), expiresAt: instant.optional().describe('Epoch ms; absent when the server does not say') });

const verify = z.enum(VERIFICATIONS).describe('Which recipients are taken: all, those on the list, those that the inner server takes, or those that an LDAP directory knows');
const ldap = z.string().min(1).max(64).describe('Name of the LDAP directory; needed where `verify` is ldap, and only there');
export const RelayDomain = z.object({ name: z.string(), verify, ldap: ldap.optional(), listed: z.int(), createdAt: instant, changedAt: instant });
export const RelayDomains = page(RelayDomain);
export const RelayDomainDetails = RelayDomain.extend({ recipients: z.array(z.string()) });
const recipients = z.array(z.string().min(1).max(320)).max(MOST_RECIPIENTS + 1).describe('Addresses or local parts, * for any characters of a local part');
export const NewRelayDomain = z.strictObject({ name: z.string().min(1).max(255), verify, ldap: ldap.optional(), recipients: recipients.default([]) });
export const RelayDomainChange = z.strictObject({ verify: verify.optional(), ldap: ldap.optional(), recipients: recipients.optional() });
export const Recipients = z.strictObject({ recipients: recipients.min(1) });
