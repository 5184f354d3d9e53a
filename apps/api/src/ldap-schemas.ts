import { LONGEST_BIND_SECRET, LONGEST_CA, LONGEST_DN, MOST_SERVERS, PLAIN } from '@kiroku/domain/routing/ldap.js';
import { DEFAULT_FILTER, LONGEST_FILTER } from '@kiroku/domain/routing/ldap-filter.js';
import { LDAP_TROUBLES } from '@kiroku/infra/ldap/failure.js';
import * as z from 'zod';
import { page } from './schemas.js';

/** Schemas of LDAP directories; see schemas.ts. */

const instant = z.int().min(0).describe('Epoch ms');
const name = z.string().min(1).max(64);
const servers = z.array(z.string().min(1).max(300)).min(1).max(MOST_SERVERS).describe('ldaps://host[:port], or ldap://host[:port] with STARTTLS; the first that answers is asked');
const plain = z.enum(PLAIN).describe('Where ldap:// goes without STARTTLS');
const bindDn = z.string().max(LONGEST_DN).describe("What to log in as: a DN, or user@domain for Active Directory; '' = anonymous");
const baseDn = z.string().max(LONGEST_DN).describe('The search goes below this');
const filter = z.string().min(1).max(LONGEST_FILTER).describe('RFC 4515, with {address}, {local} and {domain} in its values');
const ca = z.string().max(LONGEST_CA).describe("PEM: who signs the servers' certificates; '' = the usual authorities");
const secret = z.string().min(1).max(LONGEST_BIND_SECRET).describe('Password of the bind DN; never told again');

export const LdapDirectory = z.object({
  name: z.string(), servers: z.array(z.string()), plain, bindDn: z.string(), baseDn: z.string(), filter: z.string(), ca: z.string(),
  relayDomains: z.array(z.string()).describe('Those that ask it; the first 100'), createdAt: instant, changedAt: instant,
});
export const LdapDirectories = page(LdapDirectory);
export const LdapParam = z.object({ name });
export const NewLdapDirectory = z.strictObject({
  name, servers, plain: plain.default('loopback'), bindDn: bindDn.default(''), secret: secret.optional().describe('Needed with a bind DN'), baseDn, filter: filter.default(DEFAULT_FILTER), ca: ca.default(''),
});
export const LdapChange = z.strictObject({
  servers: servers.optional(), plain: plain.optional(), bindDn: bindDn.optional(), secret: secret.optional(), baseDn: baseDn.optional(), filter: filter.optional(), ca: ca.optional(),
});
export const LdapTestQuery = z.strictObject({ address: z.string().min(1).max(320) });
export const LdapTest = z.object({
  address: z.string(), filter: z.string().describe('What was asked'),
  servers: z.array(z.object({
    server: z.string(), outcome: z.enum(['found', 'not-found', 'failed']), as: z.string().optional().describe('The address, or the address without its tag'),
    reason: z.enum(LDAP_TROUBLES).optional(), detail: z.string().optional().describe("The server's or the system's own words"),
  })),
});
