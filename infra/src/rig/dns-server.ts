import { createSocket, type Socket as UdpSocket, type RemoteInfo } from 'node:dgram';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { AUTHENTIC_DATA, AUTHORITATIVE_ANSWER, decode, encode, RECURSION_AVAILABLE, TRUNCATED_RESPONSE, type Answer, type DecodedPacket, type Question } from 'dns-packet';

/**
 * What the server does wrong when asked about a name.
 * `silent` nothing comes back; `truncate` TC and nothing else over UDP; `truncate-only` and then nothing over TCP; `garbage` the right header and
 * nonsense behind it; `no-edns` FORMERR for questions with an OPT record; `referral` "ask those", as a server that is no resolver;
 * `cut` a CNAME without what it leads to; `forge` lies with a wrong id, a wrong question and from another port come before the
 * truth; `forge-only` the truth never comes; `flood` so many lies that the truth drowns (over UDP); `shout` the question comes back
 * in capitals.
 */
export type Misbehaviour =
  'silent' | 'truncate' | 'truncate-only' | 'servfail' | 'refused' | 'garbage' | 'no-edns' | 'referral' | 'cut' | 'forge' | 'forge-only' | 'flood' | 'shout';

type Type = 'A' | 'AAAA' | 'MX' | 'TXT' | 'TLSA' | 'CNAME';

export interface Asked {
  readonly name: string;
  readonly type: string;
  readonly over: 'udp' | 'tcp';
  readonly id: number;
  /** The client's port. */
  readonly from: number;
  readonly edns: boolean;
  readonly wantsAd: boolean;
}

/** What forged answers say. */
export const FORGED_IP = '203.0.113.66';

/** A recursive DNS server for tests, on UDP and TCP of one port of this machine. It knows what the test tells it, and can misbehave. */
export class DnsServer {
  /** All questions, in the order they came. */
  readonly asked: Asked[] = [];
  /** Seconds. */
  ttl = 300;
  /** Seconds, in the SOA record of denials; undefined: no SOA record. */
  negativeTtl: number | undefined = 60;
  readonly #records = new Map<string, Answer[]>();
  readonly #wrong = new Map<string, Misbehaviour>();
  readonly #secure = new Set<string>();
  readonly #connections = new Set<Socket>();

  private constructor(
    private readonly udp: UdpSocket,
    private readonly tcp: Server,
    readonly port: number,
    private readonly host: string,
  ) {
    udp.on('message', (bytes, from) => this.#overUdp(bytes, from));
    tcp.on('connection', (socket) => this.#overTcp(socket));
  }

  /** @param port 0 = a free one. */
  static async start(port = 0, host = '127.0.0.1'): Promise<DnsServer> {
    for (let attempt = 1; ; attempt++) {
      const tcp = createServer();
      await new Promise<void>((resolve, reject) => tcp.once('error', reject).listen(port, host, resolve));
      const chosen = (tcp.address() as AddressInfo).port;
      const udp = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      try {
        await new Promise<void>((resolve, reject) => udp.once('error', reject).bind(chosen, host, resolve));
        return new DnsServer(udp, tcp, chosen, host);
      } catch (error) {
        // The port that TCP found free need not be free in UDP.
        udp.close();
        tcp.close();
        if (attempt === 10 || port !== 0) throw error;
      }
    }
  }

  /** As in KIROKU_DNS. */
  get address(): string {
    return this.host.includes(':') ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([new Promise<void>((resolve) => this.udp.close(() => resolve())), new Promise((resolve) => this.tcp.close(resolve))]);
  }

  mx(name: string, ...records: readonly (readonly [preference: number, exchange: string])[]): this {
    return this.#set(name, 'MX', records.map(([preference, exchange]) => ({ preference, exchange })));
  }
  a(name: string, ...ips: readonly string[]): this {
    return this.#set(name, 'A', ips);
  }
  aaaa(name: string, ...ips: readonly string[]): this {
    return this.#set(name, 'AAAA', ips);
  }
  /** Each record a list of its strings. */
  txt(name: string, ...records: readonly (readonly string[])[]): this {
    return this.#set(name, 'TXT', records);
  }
  tlsa(name: string, ...records: readonly { usage: number; selector: number; matching: number; data: string }[]): this {
    return this.#set(name, 'TLSA', records.map(({ usage, selector, matching, data }) => ({ usage, selector, matchingType: matching, certificate: Buffer.from(data, 'hex') })));
  }
  cname(name: string, target: string): this {
    return this.#set(name, 'CNAME', [target]);
  }
  /** Answers about these names are validated: AD. */
  secure(...names: readonly string[]): this {
    for (const name of names) this.#secure.add(name);
    return this;
  }
  /** @param name `*` for all. @param how undefined: as it should again. */
  misbehave(name: string, how: Misbehaviour | undefined): this {
    if (how) this.#wrong.set(name, how);
    else this.#wrong.delete(name);
    return this;
  }
  /** The name exists no longer. */
  remove(name: string): this {
    this.#records.delete(name);
    return this;
  }

  /** How often a question was asked. */
  count(name: string, type?: Type): number {
    return this.asked.filter((question) => question.name === name && (type === undefined || question.type === type)).length;
  }

  /** Replaces the name's records of this type. */
  #set(name: string, type: Type, data: readonly unknown[]): this {
    const others = (this.#records.get(name) ?? []).filter((record) => record.type !== type);
    const records = data.map((value) => ({ name, type, class: 'IN', ttl: this.ttl, data: value }) as Answer);
    this.#records.set(name, [...others, ...records]);
    return this;
  }

  #overUdp(bytes: Buffer, { address, port }: RemoteInfo): void {
    const reply = this.#replyTo(bytes, 'udp', port);
    if (!reply) return;
    const send = (packet: Buffer, from = this.udp): void => from.send(packet, port, address);
    const { query, wrong } = reply;
    if (wrong === 'forge' || wrong === 'forge-only') {
      send(forged({ ...query, id: ((query.id ?? 0) + 1) & 0xffff }));
      send(forged({ ...query, questions: [{ name: 'other.test', type: 'A' }] }));
      const elsewhere = createSocket('udp4');
      elsewhere.send(forged(query), port, address, () => {
        elsewhere.close();
        if (wrong === 'forge') send(reply.bytes);
      });
    } else if (wrong === 'flood') {
      for (let n = 1; n <= 30; n++) send(forged({ ...query, id: ((query.id ?? 0) + n) & 0xffff }));
    } else send(reply.bytes);
  }

  #overTcp(socket: Socket): void {
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket)).on('error', () => undefined);
    let input = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      input = Buffer.concat([input, chunk]);
      while (input.length >= 2 && input.length >= 2 + input.readUInt16BE(0)) {
        const size = 2 + input.readUInt16BE(0);
        const reply = this.#replyTo(input.subarray(2, size), 'tcp', socket.remotePort ?? 0);
        input = input.subarray(size);
        if (reply) {
          // In two pieces, as the network may do it.
          socket.write(Buffer.of(reply.bytes.length >> 8));
          socket.write(Buffer.concat([Buffer.of(reply.bytes.length & 0xff), reply.bytes]));
        }
      }
    });
  }

  #replyTo(bytes: Buffer, over: 'udp' | 'tcp', from: number): { bytes: Buffer; query: DecodedPacket; wrong: Misbehaviour | undefined } | undefined {
    const query = decode(bytes);
    const [question] = query.questions ?? [];
    if (!question) return undefined;
    const edns = (query.additionals ?? []).some(({ type }) => type === 'OPT');
    const name = question.name.toLowerCase();
    this.asked.push({ name, type: question.type, over, id: query.id ?? 0, from, edns, wantsAd: query.flag_ad });
    const wrong = this.#wrong.get(name) ?? this.#wrong.get('*');
    if (wrong === 'silent' || (wrong === 'truncate-only' && over === 'tcp')) return undefined;
    return { bytes: this.#compose(query, question, wrong, over, edns), query, wrong };
  }

  #compose(query: DecodedPacket, question: Question, wrong: Misbehaviour | undefined, over: 'udp' | 'tcp', edns: boolean): Buffer {
    const head = { type: 'response' as const, id: query.id ?? 0, questions: [wrong === 'shout' ? { ...question, name: question.name.toUpperCase() } : question] };
    const failure = { servfail: 2, refused: 5 }[wrong as string] ?? (wrong === 'no-edns' && edns ? 1 : undefined);
    if (failure !== undefined) return encode({ ...head, flags: failure });
    if ((wrong === 'truncate' || wrong === 'truncate-only') && over === 'udp') return encode({ ...head, flags: TRUNCATED_RESPONSE });
    if (wrong === 'referral') return encode({ ...head, authorities: [{ name: 'test', type: 'NS', class: 'IN', ttl: 60, data: 'ns.test' }] });
    const { answers, end, exists } = this.#chain(question, wrong === 'cut');
    const denied = !answers.some((record) => record.type === question.type) && wrong !== 'cut';
    const authentic = query.flag_ad && [question.name, ...answers.map((record) => record.name)].every((name) => this.#secure.has(name.toLowerCase()));
    const bytes = encode({
      ...head,
      flags: RECURSION_AVAILABLE | (authentic ? AUTHENTIC_DATA : 0) | (exists ? 0 : 3),
      answers,
      authorities: denied && this.negativeTtl !== undefined ? [soa(end, this.negativeTtl)] : [],
    });
    return wrong === 'garbage' ? Buffer.concat([bytes.subarray(0, bytes.length - 3), Buffer.of(0xc0, 0xff)]) : bytes;
  }

  #chain(question: Question, cut: boolean): { answers: Answer[]; end: string; exists: boolean } {
    const answers: Answer[] = [];
    let end = question.name.toLowerCase();
    for (let hops = 0; hops < 20; hops++) {
      const records = this.#records.get(end) ?? [];
      const alias = records.find((record) => record.type === 'CNAME');
      if (alias?.type !== 'CNAME') {
        answers.push(...records.filter((record) => record.type === question.type));
        break;
      }
      answers.push(alias);
      end = alias.data;
      if (cut) return { answers, end, exists: true };
    }
    const exists = this.#records.has(end) || [...this.#records.keys()].some((name) => name.endsWith(`.${end}`));
    return { answers, end, exists };
  }
}

const soa = (name: string, minimum: number): Answer => ({
  name, type: 'SOA', class: 'IN', ttl: 3600, data: { mname: 'ns.test', rname: 'root.test', serial: 1, refresh: 3600, retry: 600, expire: 86_400, minimum },
});

/** A plausible lie with the id and question that it is given. */
function forged({ id = 0, questions = [] }: DecodedPacket): Buffer {
  const [{ name } = { name: '.' }] = questions;
  const answers: Answer[] = [{ name, type: 'A', class: 'IN', ttl: 3600, data: FORGED_IP }];
  return encode({ type: 'response', id, flags: RECURSION_AVAILABLE | AUTHORITATIVE_ANSWER, questions, answers });
}
