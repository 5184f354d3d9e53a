import { randomInt } from 'node:crypto';
import { DnsTrouble } from '@kiroku/domain/routing/dns.js';
import { NoAnswer, overTcp, overUdp } from './exchange.js';
import type { Server } from './servers.js';
import { encodeQuery, FORMAT_ERROR, NAME_ERROR, NO_ERROR, rcodeName, type Question, type Reply } from './wire.js';

/** All in ms. */
export interface DnsTimes {
  /** For one try with one server, and again for TCP after it. */
  readonly perTry: number;
  /** For one name, all servers, tries and CNAMEs together. */
  readonly total: number;
}
export const DNS_TIMES: DnsTimes = { perTry: 3_000, total: 10_000 };

/** How often all servers are asked in turn, as long as they are silent. */
const ROUNDS = 3;
/** ms without which a question is not worth asking; timers may end a wait a moment early. */
const LEAST = 10;
/** ms that a silent server is asked last. */
const DISTRUST = 30_000;

/** The servers to ask, in turn. */
export class Upstream {
  /** Until when a server is asked last, on the clock of `performance.now()`. */
  readonly #silentUntil = new Map<Server, number>();

  constructor(
    private readonly servers: readonly Server[],
    private readonly times: DnsTimes,
  ) {}

  /** When a question that is begun now must be over. */
  deadline(): number {
    return performance.now() + this.times.total;
  }

  /**
   * Asks until one server says yes or no (NOERROR, NXDOMAIN). Who errs is not asked again, who is silent up to three times.
   * @throws DnsTrouble with the last failure.
   */
  async ask(question: Question, deadline: number): Promise<{ readonly reply: Reply; readonly server: Server }> {
    let failure = 'no answer in time';
    let servers = this.#inOrder();
    for (let round = 0; round < ROUNDS && servers.length > 0; round++) {
      const silent: Server[] = [];
      for (const server of servers) {
        if (deadline - performance.now() < LEAST) throw new DnsTrouble(failure);
        try {
          const reply = await this.#exchange(server, question, deadline);
          this.#silentUntil.delete(server);
          return { reply, server };
        } catch (error) {
          if (!(error instanceof NoAnswer)) throw error;
          failure = error.message;
          if (!error.silent) continue;
          silent.push(server);
          this.#silentUntil.set(server, performance.now() + DISTRUST);
        }
      }
      servers = silent;
    }
    throw new DnsTrouble(failure);
  }

  #inOrder(): readonly Server[] {
    const now = performance.now();
    const isSilent = (server: Server): number => (now < (this.#silentUntil.get(server) ?? 0) ? 1 : 0);
    return this.#silentUntil.size === 0 ? this.servers : this.servers.toSorted((a, b) => isSilent(a) - isSilent(b));
  }

  async #exchange(server: Server, question: Question, deadline: number): Promise<Reply> {
    const left = (): number => Math.max(1, Math.min(this.times.perTry, deadline - performance.now()));
    let reply = await once(server, question, left, true);
    // A server older than EDNS, or than our version of it.
    if (reply.rcode === FORMAT_ERROR || reply.rcode === BAD_VERSION) reply = await once(server, question, left, false);
    if (reply.rcode !== NO_ERROR && reply.rcode !== NAME_ERROR) throw new NoAnswer(rcodeName(reply.rcode), false);
    if (isReferral(reply)) throw new NoAnswer('the DNS server does not resolve names', false);
    return reply;
  }
}

/** BADVERS, RFC 6891 §6.1.3. */
const BAD_VERSION = 16;

async function once(server: Server, question: Question, left: () => number, edns: boolean): Promise<Reply> {
  // A new id each time: what comes late for the last try must not answer this one.
  const query = encodeQuery(randomInt(0x10000), question, edns);
  return (await overUdp(server, query, left())) ?? (await overTcp(server, query, left()));
}

/** "Ask those": a server that is no resolver. Taken for "no such records" it would let mail bounce (RFC 2308 §2.2.1). */
const isReferral = ({ rcode, authoritative, answers, authorities }: Reply): boolean =>
  rcode === NO_ERROR && !authoritative && answers.length === 0 && authorities.some(({ type }) => type === 'NS') && !authorities.some(({ type }) => type === 'SOA');
