import { noticeView } from '@kiroku/domain/delivery/notice-view.js';
import { quarantineView } from '@kiroku/domain/delivery/quarantine-view.js';
import { queueView } from '@kiroku/domain/delivery/queue-view.js';
import { accounts, aliases, domains, groupMembers, groups } from '@kiroku/domain/directory/views.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import type { Upgrades } from '@kiroku/domain/kernel/upcast.js';
import { folderAccess, folderMetadata, folders, subscriptions } from '@kiroku/domain/mailbox/folder-views.js';
import { mailboxStates } from '@kiroku/domain/mailbox/state-view.js';
import { mailboxes, mailboxKeywords, mailboxMessages, mailboxVanished } from '@kiroku/domain/mailbox/views.js';
import { administrators } from '@kiroku/domain/policy/administrator-view.js';
import { lockouts, settingsView } from '@kiroku/domain/policy/views.js';
import { credentialsView, gatewayView, ldapDirectories, relayDomains } from '@kiroku/domain/routing/views.js';
import { adminActions } from '@kiroku/domain/story/admin-actions.js';
import { messages, sessions } from '@kiroku/domain/story/views.js';
import { tlsPolicyView, tlsReportView } from '@kiroku/domain/tls-policy/views.js';

/** Written in the transaction of the event store's append (promise 3). */
export const INLINE_VIEWS = [
  domains, accounts, aliases, mailboxes, mailboxMessages, settingsView, lockouts, administrators, queueView, noticeView, quarantineView,
  mailboxStates, mailboxVanished, mailboxKeywords, folders, folderAccess, subscriptions, folderMetadata, gatewayView, credentialsView, relayDomains, ldapDirectories, tlsPolicyView, tlsReportView, groups, groupMembers, adminActions,
] as unknown as readonly Projection[];
/** Kept up to date by the worker. */
export const FOLLOWING_VIEWS = [messages, sessions] as unknown as readonly Projection[];
export const ALL_VIEWS = [...INLINE_VIEWS, ...FOLLOWING_VIEWS];

/** Shapes of the past, of all contexts. No event of 0.1 has changed its shape yet. */
export const UPGRADES: Upgrades = {};
