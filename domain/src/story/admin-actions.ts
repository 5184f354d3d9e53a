import type { Positioned } from '../kernel/event-log.js';
import type { Recorded } from '../kernel/event.js';
import type { Projection } from '../kernel/projection.js';
import type { Text } from './texts.js';

/** What administrators do, in words. What follows from it by itself (claims, tallies, mailboxes, notices) is not in the list. */
export const ADMIN_ACTIONS = {
  DomainAdded: { en: 'added a domain', ja: 'ドメインを追加' },
  DomainChanged: { en: 'changed a domain', ja: 'ドメインを変更' },
  DomainDisabled: { en: 'disabled a domain', ja: 'ドメインを無効化' },
  DomainEnabled: { en: 'enabled a domain', ja: 'ドメインを有効化' },
  DomainDeleted: { en: 'deleted a domain', ja: 'ドメインを削除' },
  AccountAdded: { en: 'added an account', ja: 'アカウントを追加' },
  AccountChanged: { en: 'changed an account', ja: 'アカウントを変更' },
  PasswordChanged: { en: 'set a password', ja: 'パスワードを設定' },
  AccountDisabled: { en: 'disabled an account', ja: 'アカウントを無効化' },
  AccountEnabled: { en: 'enabled an account', ja: 'アカウントを有効化' },
  AccountRenamed: { en: 'renamed an account', ja: 'アカウントを改名' },
  AccountDeleted: { en: 'deleted an account', ja: 'アカウントを削除' },
  AliasAdded: { en: 'added an alias', ja: '別名を追加' },
  AliasChanged: { en: 'changed an alias', ja: '別名を変更' },
  AliasDisabled: { en: 'disabled an alias', ja: '別名を無効化' },
  AliasEnabled: { en: 'enabled an alias', ja: '別名を有効化' },
  AliasDeleted: { en: 'deleted an alias', ja: '別名を削除' },
  GroupAdded: { en: 'added a group', ja: 'グループを追加' },
  GroupRenamed: { en: 'renamed a group', ja: 'グループを改名' },
  GroupMembersChanged: { en: 'changed the members of a group', ja: 'グループのメンバーを変更' },
  GroupDeleted: { en: 'deleted a group', ja: 'グループを削除' },
  FolderCreated: { en: 'created a mailbox', ja: 'メールボックスを作成' },
  FolderRenamed: { en: 'renamed a mailbox', ja: 'メールボックスを改名' },
  FolderDeleted: { en: 'deleted a mailbox', ja: 'メールボックスを削除' },
  FolderAccessChanged: { en: 'changed who may use a mailbox', ja: 'メールボックスの権限を変更' },
  GatewayTableChanged: { en: 'changed the gateway table', ja: 'ゲートウェイ表を変更' },
  CredentialsAdded: { en: 'added gateway credentials', ja: 'ゲートウェイの認証情報を追加' },
  CredentialsChanged: { en: 'changed gateway credentials', ja: 'ゲートウェイの認証情報を変更' },
  CredentialsRemoved: { en: 'removed gateway credentials', ja: 'ゲートウェイの認証情報を削除' },
  RelayDomainAdded: { en: 'added a relay domain', ja: '中継ドメインを追加' },
  RelayDomainChanged: { en: 'changed a relay domain', ja: '中継ドメインを変更' },
  RelayDomainRemoved: { en: 'removed a relay domain', ja: '中継ドメインを削除' },
  LdapDirectoryAdded: { en: 'added an LDAP directory', ja: 'LDAP ディレクトリを追加' },
  LdapDirectoryChanged: { en: 'changed an LDAP directory', ja: 'LDAP ディレクトリを変更' },
  LdapDirectoryRemoved: { en: 'removed an LDAP directory', ja: 'LDAP ディレクトリを削除' },
  TlsPolicyChanged: { en: 'changed the TLS table', ja: 'TLS 表を変更' },
  SettingsChanged: { en: 'changed settings', ja: '設定を変更' },
  AddressReleased: { en: 'let an address in again', ja: '遮断を解除' },
  AdministratorAdded: { en: 'added an administrator', ja: '管理者を追加' },
  AdministratorRemoved: { en: 'removed an administrator', ja: '管理者を解任' },
  TokenIssued: { en: 'issued a token', ja: 'トークンを発行' },
  TokenRevoked: { en: 'revoked a token', ja: 'トークンを失効' },
  RecipientHeld: { en: 'held a recipient', ja: '宛先を保留' },
  RecipientReleased: { en: 'released a recipient', ja: '宛先の保留を解除' },
  RetryRequested: { en: 'asked for a retry', ja: '再試行を要求' },
  RecipientRerouted: { en: 'rerouted a recipient', ja: '宛先の経路を変更' },
  RecipientPrioritized: { en: 'changed a recipient’s priority', ja: '宛先の優先度を変更' },
  RecipientChanged: { en: 'changed a recipient', ja: '宛先を変更' },
  RecipientRemoved: { en: 'removed a recipient', ja: '宛先を削除' },
  RecipientBounced: { en: 'bounced a recipient', ja: '宛先を配送不能として返送' },
  QuarantineRetried: { en: 'had a quarantined message tried again', ja: '隔離メッセージの再配送を要求' },
  QuarantineDiscarded: { en: 'discarded a quarantined message', ja: '隔離メッセージを破棄' },
} as const satisfies Record<string, Text>;

export type AdminAction = keyof typeof ADMIN_ACTIONS;

/** Administrators, and what the first start does for them. */
export const isAdministrator = (actor: string): boolean => actor.startsWith('admin:');

/** What an action was about, as people name it: an address, a domain, a queue id, the names of settings … Lower case, but for queue ids. */
export function subjectOf({ type, data }: Pick<Recorded, 'type' | 'data'>): string {
  const { messageId, address, name, ip, changes } = data as { readonly [K in 'messageId' | 'address' | 'name' | 'ip']?: string } & { readonly changes?: object };
  if (type === 'SettingsChanged') return Object.keys(changes ?? {}).join(' ');
  if (type === 'TlsPolicyChanged') return peerOf(data);
  return messageId ?? address ?? name ?? ip ?? '';
}

/** A row put, or taken away. */
function peerOf(data: unknown): string {
  const { put, removed } = data as { readonly put?: { readonly row?: { readonly peer?: string } }; readonly removed?: string };
  return put?.row?.peer ?? removed ?? '';
}

/** In the administrator's own words, where the action asks for them. */
export const reasonOf = ({ data }: Pick<Recorded, 'data'>): string | undefined => {
  const { reason } = data as { readonly reason?: unknown };
  return typeof reason === 'string' ? reason : undefined;
};

/** Sealed or hashed: no list needs them, and a list is copied to more places than the history. */
const SECRET = ['credentials', 'sealed', 'hash'];

/** An event's data for a list. */
export const withoutSecrets = (data: unknown): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(data as object).filter(([name, value]) => !SECRET.includes(name) || typeof value !== 'string'));

type Row = { id: string; at: number; actor: string; type: string; subject: string; stream: string; version: number };

/** Where the actions of administrators lie, in which stream and with which version: one row each. Inline, so that nobody misses what was just done. */
export const adminActions: Projection<Row> = {
  name: 'admin_action_1',
  topics: ['decision'],
  inline: true,
  types: Object.keys(ADMIN_ACTIONS),
  blind: Object.keys(ADMIN_ACTIONS),
  key: ['id'],
  columns: { id: 'uuid', at: 'bigint', actor: 'text', type: 'text', subject: 'text', stream: 'text', version: 'integer' },
  keysOf: ({ event }) => (isAdministrator(event.actor) ? [{ id: event.id }] : []),
  apply: (_, { event, key, version = 0 }: Positioned) =>
    ({ id: event.id, at: event.at, actor: event.actor, type: event.type, subject: subjectOf(event), stream: key, version }),
};
