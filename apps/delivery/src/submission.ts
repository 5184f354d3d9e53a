import { expand } from '@kiroku/domain/delivery/expand.js';
import type { QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import { type Append, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import type { Directory } from '@kiroku/domain/mail/directory-port.js';
import type { Prepare } from './local-delivery.js';
import type { Placement } from './placement.js';

/** Nobody reports to this server on what it wrote itself. */
const NEVER = ['NEVER'] as const;
/** Other processes write the same mailboxes. */
const ATTEMPTS = 25;

/** Places messages that this server writes itself, in one transaction with the decision to write them. See `SubmitMessage`. */
export class Submission {
  constructor(
    private readonly engine: Engine,
    private readonly directory: Directory,
    private readonly placement: Placement,
    private readonly prepare: Prepare,
  ) {}

  submit = async (data: QueueFact<'MessageSubmitted'>, also: readonly Append[]): Promise<void> => {
    const { messageId, message, recipients } = data;
    const mail = { messageId, message, recipients: recipients.map((address) => ({ address, notify: NEVER })), first: { type: 'MessageSubmitted', data } };
    const expansions = await this.prepare([mail], await expand([recipients], (addresses) => this.directory.lookup(addresses)));
    for (let attempt = 1; ; attempt++) {
      const placed = await this.placement.appends([mail], expansions);
      try {
        await this.engine.store.append([...also, ...placed.map((p) => p.append)]);
        this.placement.appended(placed);
        return;
      } catch (error) {
        if (!(error instanceof VersionConflict)) {
          this.placement.forgetAll();
          throw error;
        }
        const stale = also.map((a) => a.stream).filter((stream) => error.streams.includes(stream));
        if (stale.length > 0) throw new VersionConflict(stale);
        if (attempt >= ATTEMPTS) throw error;
        this.placement.forget(error.streams);
      }
    }
  };
}
