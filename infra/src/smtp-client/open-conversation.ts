import { type Capabilities, capabilities, NO_CAPABILITIES } from '@kiroku/domain/smtp-client/capabilities.js';
import { type Reply, replyText } from '@kiroku/domain/smtp-client/reply.js';
import { type AskingConversation, type ClientConversation, type ClientTimeouts, ConnectFailed, type OpenConversation, RFC_TIMEOUTS, type Target } from '@kiroku/domain/smtp-client/types.js';
import { WORDS, words } from '@kiroku/domain/smtp-client/words.js';
import { tlsFactsOf } from '../net/tls-source.js';
import { type Broken, ClientSocket } from './client-socket.js';
import { Conversation, type ConversationOptions } from './conversation.js';
import { login } from './login.js';
import { loginAgain } from './login-again.js';
import { TlsContexts } from './tls-options.js';
import { verifyPeer } from './tls-verify.js';

export interface SmtpClientOptions extends ConversationOptions {
  /** Trusted roots in PEM, instead of the runtime's own. */
  readonly ca?: readonly string[];
  /** Epoch ms; default the system's clock. */
  readonly now?: () => number;
}

type Phase = ConnectFailed['phase'];

/** Errors that are this machine's: no descriptors, no port, an address that is not its own, a firewall of its own. */
const LOCAL = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EADDRINUSE', 'EACCES', 'EPERM', 'EINVAL', 'EAFNOSUPPORT', 'ERR_INVALID_ARG_VALUE']);
/** What a local address that is not (or no longer) this machine's, or is of the other family, leads to. */
const SOURCE = new Set(['EADDRNOTAVAIL', 'EADDRINUSE', 'EINVAL', 'EAFNOSUPPORT']);
const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN']);

/** The SMTP client (RFC 5321 and its extensions). What it returns may be called any number of times at once; each call is one connection, or two where the first ends with a token refused. */
export function smtpClient(options: SmtpClientOptions = {}): OpenConversation<AskingConversation> {
  const contexts = new TlsContexts(options.ca);
  return loginAgain((target, signal) => new Opening(target, options, contexts, signal).run());
}

/** The steps from nothing to a conversation; each throws ConnectFailed. */
class Opening {
  private readonly timeouts: ClientTimeouts;
  private verified: NonNullable<ClientConversation['tls']>['verified'] = 'no';

  constructor(
    private readonly target: Target,
    private readonly options: SmtpClientOptions,
    private readonly contexts: TlsContexts,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.timeouts = options.timeouts ?? RFC_TIMEOUTS;
  }

  async run(): Promise<AskingConversation> {
    const socket = await this.connect();
    try {
      if (this.target.tls.mode === 'implicit') await this.encrypt(socket);
      await this.greeting(socket);
      const offers = await this.login(socket, await this.startTls(socket, await this.hello(socket)));
      const tls = socket.tls && { ...tlsFactsOf(socket.tls), verified: this.verified };
      return new Conversation(this.target, tls, socket, offers, this.options);
    } catch (error) {
      void socket.leave('QUIT\r\n');
      throw error;
    } finally {
      this.signal?.removeEventListener('abort', socket.abandon);
    }
  }

  private async connect(): Promise<ClientSocket> {
    const { ip, port, source, name } = this.target;
    const where = `${name} [${ip}]:${port}`;
    let socket: ClientSocket;
    try {
      socket = await ClientSocket.connect({ ip, port, source }, this.timeouts.connect, this.signal);
    } catch (error) {
      this.options.trouble?.(error); // an address or port that is none
      throw new ConnectFailed('connect', 'deferred', 'local', words('local'));
    }
    if (!socket.broken) return socket;
    if (socket.broken.kind === 'left') throw new ConnectFailed('connect', 'deferred', 'no-answer', socket.broken.reply);
    const code = socket.error?.code ?? '';
    if (source !== undefined && SOURCE.has(code)) throw new ConnectFailed('connect', 'deferred', 'source', words('source', `${source} (${code})`));
    if (LOCAL.has(code)) throw new ConnectFailed('connect', 'deferred', 'local', words('local', code));
    const what = code === 'ECONNREFUSED' ? 'connection-refused' : UNREACHABLE.has(code) ? 'unreachable' : 'no-answer';
    throw new ConnectFailed('connect', 'deferred', 'no-answer', words(what, where));
  }

  private async greeting(socket: ClientSocket): Promise<void> {
    const reply = await this.ask(socket, '', 'greeting', this.timeouts.greeting);
    // RFC 5321 §3.1, RFC 7504: 554 and 521 say that no mail is taken here; others may be later.
    if (reply.code !== 220) throw turnedAway('greeting', reply);
  }

  /** EHLO; HELO where that is not known (RFC 5321 §3.2). */
  private async hello(socket: ClientSocket): Promise<Capabilities> {
    const { helo } = this.target;
    const reply = await this.ask(socket, `EHLO ${helo}\r\n`, 'EHLO', this.timeouts.command);
    if (reply.code >= 200 && reply.code < 300) return capabilities(reply);
    if (reply.code < 500) throw turnedAway('EHLO', reply);
    const old = await this.ask(socket, `HELO ${helo}\r\n`, 'EHLO', this.timeouts.command);
    if (old.code >= 200 && old.code < 300) return NO_CAPABILITIES;
    throw turnedAway('EHLO', old);
  }

  private async startTls(socket: ClientSocket, offers: Capabilities): Promise<Capabilities> {
    const { mode, plainAfterFailure = true } = this.target.tls;
    if (mode === 'off' || mode === 'implicit') return offers;
    if (!offers.startTls) {
      if (mode === 'opportunistic') return offers;
      throw tlsFailed('STARTTLS', WORDS['tls-not-offered']);
    }
    const reply = await this.ask(socket, 'STARTTLS\r\n', 'STARTTLS', this.timeouts.command);
    // RFC 3207 §6: bytes that came in plain text must not pass for the server's words under TLS.
    if (socket.unread || socket.broken?.kind === 'garbled') throw tlsFailed('STARTTLS', WORDS['tls-injection']);
    if (reply.code !== 220) {
      if (mode === 'opportunistic' && plainAfterFailure) return offers;
      throw tlsFailed('STARTTLS', words('tls-refused', replyText(reply)));
    }
    await this.encrypt(socket);
    return this.hello(socket);
  }

  private async encrypt(socket: ClientSocket): Promise<void> {
    const { tls, name } = this.target;
    const names = tls.names.length > 0 ? tls.names : [name];
    const demand = { ...tls, names };
    try {
      await socket.secure(this.contexts.options(demand), this.timeouts.tls);
    } catch (error) {
      this.options.trouble?.(error); // versions that make no sense
      throw new ConnectFailed('tls', 'deferred', 'local', words('local'));
    }
    if (socket.broken?.kind === 'left') throw new ConnectFailed('tls', 'deferred', 'line', socket.broken.reply); // says nothing of its TLS
    if (!socket.tls) throw tlsFailed('tls', words('tls-handshake', reasonOf(socket)));
    const problem = verifyPeer(socket.tls, demand, (this.options.now ?? Date.now)());
    if (problem !== undefined) throw tlsFailed('tls', words('tls-untrusted', problem));
    this.verified = tls.verify;
  }

  private async login(socket: ClientSocket, offers: Capabilities): Promise<Capabilities> {
    const { credentials, tls } = this.target;
    if (!credentials) return offers;
    if (!socket.tls && tls.mode !== 'off') throw new ConnectFailed('AUTH', 'deferred', 'line', WORDS['login-in-plain']);
    await login(socket, offers, credentials, this.target, this.timeouts.command);
    return offers;
  }

  private async ask(socket: ClientSocket, command: string, phase: Phase, ms: number): Promise<Reply> {
    if (command !== '') socket.write(command);
    const heard = await socket.reply(ms);
    if ('kind' in heard) throw new ConnectFailed(phase, 'deferred', 'line', (heard satisfies Broken).reply);
    return heard;
  }
}

/** 4xx may pass, 5xx will not; anything else is no answer to this. */
function turnedAway(phase: Phase, reply: Reply): ConnectFailed {
  const text = replyText(reply);
  if (reply.code >= 500) return new ConnectFailed(phase, 'refused', 'refused', text);
  return new ConnectFailed(phase, 'deferred', 'line', reply.code >= 400 ? text : words('unexpected', text));
}

const tlsFailed = (phase: Phase, reply: string): ConnectFailed => new ConnectFailed(phase, 'deferred', 'line', reply, true);

/** What OpenSSL said, without its file names and pointers: `…:ssl3_read_bytes:tlsv1 alert protocol version:…`. */
function reasonOf({ error, broken }: ClientSocket): string {
  if (!error) return broken?.kind === 'silent' ? 'no answer' : 'connection dropped';
  const reason = (error as { reason?: unknown }).reason;
  return typeof reason === 'string' ? reason : (error.code ?? 'unknown');
}
