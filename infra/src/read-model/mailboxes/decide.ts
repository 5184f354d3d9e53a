import type { Engine } from '@kiroku/domain/kernel/execute.js';
import { type MailboxEvent, type MailboxHead, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';

export type Places = ReadonlyMap<string, { readonly version: number; readonly head: MailboxHead }>;

/** @throws MailboxRefusal `nonexistent` */
export async function placesOf(engine: Engine, mailboxes: readonly string[]): Promise<Places> {
  const last = await engine.store.readLast([...new Set(mailboxes)].map(mailboxStream));
  return new Map(
    mailboxes.map((id) => {
      const found = last.get(mailboxStream(id));
      if (!found || found.event.type === 'MailboxDeleted') throw new MailboxRefusal('nonexistent', id);
      return [id, { version: found.version, head: (found.event as unknown as MailboxEvent).data.head }];
    }),
  );
}
