import { Signer } from '@kiroku/domain/imap/search/grams.js';
import { hasField, headerLines, textOf } from '@kiroku/domain/imap/search/header-text.js';
import { indexRow, threadHeader } from '@kiroku/domain/imap/search/index-row.js';
import type { SearchSource, SourceTest } from '@kiroku/domain/imap/search/source.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { MailboxStore, StoredMessage } from '@kiroku/domain/mailbox/store-port.js';
import { parseDate } from '@kiroku/domain/mime/date.js';
import { parseStructure } from '@kiroku/domain/mime/structure-parser.js';
import { bodyContains } from '@kiroku/infra/read-model/search-index-body.js';
import type { SearchIndex } from '../mailboxes/search-index.js';
import { Octets } from '../octets.js';

const DAY = 86_400_000;

/** Answers by reading every message, for tests. */
export class MemoryIndex implements SearchIndex {
  constructor(
    private readonly mailboxes: Pick<MailboxStore, 'messages'>,
    private readonly bodies: ObjectStore,
  ) {}

  search(mailbox: string): SearchSource {
    return {
      matching: async (uids, tests) => {
        const found: number[] = [];
        for (const message of await this.mailboxes.messages(mailbox, Array.from(uids))) if (await this.passes(message, tests)) found.push(message.uid);
        return Uint32Array.from(found);
      },
    };
  }

  async columns(mailbox: string, uids: Uint32Array) {
    const messages = await this.mailboxes.messages(mailbox, Array.from(uids));
    return {
      uids: Uint32Array.from(messages, ({ uid }) => uid),
      receivedAt: Float64Array.from(messages, ({ receivedAt }) => receivedAt),
      sizes: Float64Array.from(messages, ({ size }) => size),
      headers: await Promise.all(messages.map(async (message) => {
        const bytes = await this.bytes(message);
        return threadHeader(indexRow(bytes, parseStructure(bytes), [], new Signer()));
      })),
    };
  }

  private async passes(message: StoredMessage, tests: readonly SourceTest[]): Promise<boolean> {
    for (const test of tests) if (!(await this.pass(message, test))) return false;
    return true;
  }

  private async pass(message: StoredMessage, test: SourceTest): Promise<boolean> {
    switch (test.by) {
      case 'receivedAt':
      case 'savedAt':
      case 'size':
        return message[test.by] >= test.from && message[test.by] < test.before;
      case 'emailId':
        return message.emailId === test.id;
      case 'header':
        return hasField(headerLines(await this.bytes(message)), test.field, test.needle);
      case 'sent': {
        const date = parseDate(headerLines(await this.bytes(message)).find(({ name }) => name === 'date')?.value ?? '');
        return date !== undefined && date.day / DAY >= test.from && date.day / DAY < test.before;
      }
      case 'text': {
        const needles = [test.needle];
        const wanted = { body: test.in === 'body' ? needles : [], all: test.in === 'all' ? needles : [] };
        return bodyContains(this.bodies, message.body, wanted, textOf(headerLines(Buffer.from(message.prefix))));
      }
    }
  }

  private bytes(message: StoredMessage): Promise<Buffer> {
    const octets = new Octets(message, this.bodies);
    return octets.bytes(octets.whole);
  }
}
