import type { QuarantineRefusal } from '@kiroku/domain/delivery/quarantine.js';
import type { QueueRefusal } from '@kiroku/domain/delivery/queue.js';
import type { DirectoryRefusal } from '@kiroku/domain/directory/refusals.js';
import type { AdministratorRefusal } from '@kiroku/domain/policy/administrator.js';
import type { CredentialsRefusal } from '@kiroku/domain/routing/credentials.js';
import type { GatewayRefusal } from '@kiroku/domain/routing/gateway.js';
import type { LdapRefusal } from '@kiroku/domain/routing/ldap.js';
import type { RelayDomainRefusal } from '@kiroku/domain/routing/verification.js';
import type { TlsPolicyRefusal } from '@kiroku/domain/tls-policy/table.js';
import type { MailboxAdminRefusal } from './mailboxes.js';

/** Every "no" that the admin API can say, by decisions and by the API itself. */
export type AdminReason =
  | DirectoryRefusal
  | AdministratorRefusal
  | GatewayRefusal
  | CredentialsRefusal
  | RelayDomainRefusal
  | LdapRefusal
  | TlsPolicyRefusal
  | QueueRefusal
  | QuarantineRefusal
  | MailboxAdminRefusal
  | 'no-tls-report'
  | 'local-address'
  | 'nothing-chosen'
  | 'bad-settings'
  | 'bad-password'
  | 'password-needed'
  | 'not-locked-out'
  | 'no-such-message'
  | 'bad-import'
  | 'import-running'
  | 'bad-request'
  | 'unauthorized'
  | 'no-such-route'
  | 'conflict'
  | 'too-large'
  | 'unsupported-media-type'
  | 'internal'
  | 'unavailable';

/** HTTP status of each reason: the one place. */
export const STATUS = {
  'bad-request': 400,
  'bad-import': 400,
  'nothing-chosen': 400,
  unauthorized: 401,
  'no-such-route': 404,
  'no-such-domain': 404,
  'no-such-account': 404,
  'no-such-alias': 404,
  'no-such-group': 404,
  'no-such-message': 404,
  'unknown-administrator': 404,
  'unknown-token': 404,
  'not-locked-out': 404,
  'no-tls-report': 404,
  'no-such-tls-row': 404,
  'no-such-line': 404,
  'no-such-credentials': 404,
  'no-such-relay-domain': 404,
  'no-such-ldap-directory': 404,
  'unknown-recipient': 404,
  'not-quarantined': 404,
  'no-such-mailbox': 404,
  'domain-exists': 409,
  'address-taken': 409,
  'group-exists': 409,
  'too-many-members': 409,
  'too-many-groups': 409,
  'administrator-exists': 409,
  'not-empty': 409,
  'domain-limit': 409,
  'own-token': 409,
  'too-many-tokens': 409,
  'tls-row-exists': 409,
  'too-many-tls-rows': 409,
  'password-needed': 409,
  'import-running': 409,
  'stale-table': 409,
  'credentials-exist': 409,
  'credentials-in-use': 409,
  'fixed-secret': 409,
  'relay-domain-exists': 409,
  'domain-is-local': 409,
  'ldap-directory-exists': 409,
  'ldap-directory-in-use': 409,
  'not-queued-yet': 409,
  'already-held': 409,
  'not-held': 409,
  'already-discarded': 409,
  held: 409,
  'same-route': 409,
  'same-priority': 409,
  'same-address': 409,
  'already-a-recipient': 409,
  'mailbox-exists': 409,
  'inbox-stays': 409,
  'too-many-mailboxes': 409,
  'owner-has-all-rights': 409,
  conflict: 409,
  'too-large': 413,
  'unsupported-media-type': 415,
  'bad-domain': 422,
  'bad-address': 422,
  'bad-account': 422,
  'bad-target': 422,
  'bad-group': 422,
  'bad-administrator-name': 422,
  'bad-settings': 422,
  'bad-tls-row': 422,
  'bad-password': 422,
  'no-targets': 422,
  'too-many-targets': 422,
  'duplicate-target': 422,
  'bad-table': 422,
  'bad-gateway-line': 422,
  'too-many-lines': 422,
  'bad-credentials': 422,
  'unknown-credentials': 422,
  'bad-recipient': 422,
  'too-many-recipients': 422,
  'bad-ldap-directory': 422,
  'bad-ldap-filter': 422,
  'unknown-ldap-directory': 422,
  'ldap-directory-needed': 422,
  'ldap-directory-unused': 422,
  'bad-route': 422,
  'bad-priority': 422,
  'bad-reason': 422,
  'local-address': 422,
  'bad-mailbox-name': 422,
  'bad-rights': 422,
  'unknown-identifier': 422,
  internal: 500,
  'no-access-token': 502,
  unavailable: 503,
} as const satisfies Record<AdminReason, number>;

export const isAdminReason = (reason: string): reason is AdminReason => Object.hasOwn(STATUS, reason);
