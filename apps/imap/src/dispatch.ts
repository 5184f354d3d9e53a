import type { Command, Of, Verb } from '@kiroku/domain/imap/grammar/commands.js';
import type { CommandSource } from './command-source.js';
import { deleteAcl, getAcl, listRights, myRights, setAcl } from './commands/acl.js';
import { capability, compress, compressionStarts, enable, id, logout, noop, startTls, tlsStarts, unauthenticate } from './commands/any.js';
import { append, replace } from './commands/append.js';
import { copy, move } from './commands/copy.js';
import { expunge } from './commands/expunge.js';
import { fetch } from './commands/fetch.js';
import { idle } from './commands/idle.js';
import { list, lsub } from './commands/list.js';
import { getMetadata, setMetadata } from './commands/metadata.js';
import { create, namespace, remove, rename, subscribe } from './commands/names.js';
import { notify } from './commands/notify.js';
import { getQuota, getQuotaRoot, setQuota } from './commands/quota.js';
import { search, sort, thread } from './commands/search.js';
import { check, close, select, unselect } from './commands/select.js';
import { status } from './commands/status.js';
import { store } from './commands/store.js';
import { authenticate, login } from './login.js';
import type { Completion } from './refusal.js';
import type { Session } from './session.js';

type Handler<V extends Verb> = (session: Session, command: Of<V>, source: CommandSource) => Completion | Promise<Completion>;

const TABLE: { readonly [V in Verb]: Handler<V> } = {
  CAPABILITY: capability, NOOP: noop, LOGOUT: logout, ID: id, STARTTLS: startTls, ENABLE: enable, COMPRESS: compress, UNAUTHENTICATE: unauthenticate,
  LOGIN: login, AUTHENTICATE: authenticate,
  SELECT: select, EXAMINE: select, CLOSE: close, UNSELECT: unselect, CHECK: check,
  CREATE: create, DELETE: remove, RENAME: rename, SUBSCRIBE: subscribe, UNSUBSCRIBE: subscribe, NAMESPACE: namespace,
  LIST: list, LSUB: lsub, STATUS: status,
  APPEND: append, REPLACE: replace, COPY: copy, MOVE: move, EXPUNGE: expunge, STORE: store, FETCH: fetch,
  SEARCH: search, SORT: sort, THREAD: thread,
  IDLE: idle, NOTIFY: notify,
  GETQUOTA: getQuota, GETQUOTAROOT: getQuotaRoot, SETQUOTA: setQuota,
  GETACL: getAcl, SETACL: setAcl, DELETEACL: deleteAcl, LISTRIGHTS: listRights, MYRIGHTS: myRights,
  GETMETADATA: getMetadata, SETMETADATA: setMetadata,
};

/** What each verb does. */
export const HANDLERS = {
  run(session: Session, command: Command, source: CommandSource): Completion | Promise<Completion> {
    // The table pairs verb and handler; the compiler cannot carry that pairing across a lookup.
    return (TABLE[command.verb] as (s: Session, c: Command, o: CommandSource) => Completion | Promise<Completion>)(session, command, source);
  },

  /** What begins behind the tagged response: its last octet is the last one sent the old way. */
  async after(session: Session, { verb }: Command, { status }: Completion): Promise<void> {
    if (status !== 'OK') return;
    if (verb === 'STARTTLS') await tlsStarts(session);
    if (verb === 'COMPRESS') await compressionStarts(session);
  },
};
