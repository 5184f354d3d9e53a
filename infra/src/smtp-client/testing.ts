import { type ClientConversation, type ClientTimeouts, ConnectFailed, type OutboundMessage, type SendResult, type Target, type TlsDemand } from '@kiroku/domain/smtp-client/types.js';
import { ScriptedSmtp, type Script, type ScriptedOptions } from '../rig/scripted-smtp.js';
import { smtpClient, type SmtpClientOptions } from './open-conversation.js';

/** ms; long enough for a busy machine, so that only a test that shortens one meets it. */
export const PATIENT: ClientTimeouts = {
  connect: 10_000, greeting: 10_000, command: 10_000, mail: 10_000, rcpt: 10_000, dataInit: 10_000, dataBlock: 10_000, dataEnd: 10_000, tls: 10_000,
};
export const EVERYTHING: readonly string[] = [
  'PIPELINING', 'SIZE 10000000', '8BITMIME', 'SMTPUTF8', 'CHUNKING', 'BINARYMIME', 'ENHANCEDSTATUSCODES', 'DSN',
];

export const BODY = 'Subject: x\r\n\r\n.dot\r\nlast\r\n';

export const targetAt = (port: number, tls: Partial<TlsDemand> = { mode: 'off' }, over: Partial<Target> = {}): Target => ({
  name: 'mx.y.test', ip: '127.0.0.1', port, helo: 'mail.x.test', tls: { mode: 'opportunistic', verify: 'no', names: ['mx.y.test'], ...tls }, ...over,
});

export function messageOf(body: string | readonly Uint8Array[] = BODY, over: Partial<Omit<OutboundMessage, 'recipients'>> & { readonly to?: readonly string[] } = {}): OutboundMessage {
  const { to = ['bob@y.test'], ...rest } = over;
  const chunks = typeof body === 'string' ? [Buffer.from(body)] : body;
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return {
    sender: 'ann@x.test', recipients: to.map((address) => ({ address })), size, body: '7BIT', smtputf8: false, requireTls: false, content: () => chunks, ...rest,
  };
}

/** `outcome cause phase reply` of each recipient. */
export const fates = (results: readonly SendResult[]): readonly string[] =>
  results.map(({ outcome, cause, phase, reply }) => [outcome, cause, phase, reply].filter(Boolean).join(' '));

/** Servers and conversations of one test; all end with it. */
export class Stage {
  private readonly servers: ScriptedSmtp[] = [];
  private readonly conversations: ClientConversation[] = [];

  async server(script: Script = {}, options: ScriptedOptions = {}): Promise<ScriptedSmtp> {
    const server = await ScriptedSmtp.listen(script, options);
    this.servers.push(server);
    return server;
  }

  async open(target: Target, options: SmtpClientOptions = {}): Promise<ClientConversation> {
    const conversation = await smtpClient({ timeouts: PATIENT, ...options })(target);
    this.conversations.push(conversation);
    return conversation;
  }

  /** A server that does this, and a conversation with it. */
  async talk(script: Script = {}, options: ScriptedOptions = {}, timeouts: Partial<ClientTimeouts> = {}): Promise<{ readonly server: ScriptedSmtp; readonly client: ClientConversation }> {
    const server = await this.server(script, options);
    return { server, client: await this.open(targetAt(server.port), { timeouts: { ...PATIENT, ...timeouts } }) };
  }

  /** Why no conversation came about. */
  async failure(target: Target, options: SmtpClientOptions = {}): Promise<ConnectFailed> {
    try {
      await this.open(target, options);
    } catch (error) {
      if (error instanceof ConnectFailed) return error;
      throw error;
    }
    throw new Error('a conversation came about');
  }

  async end(): Promise<void> {
    await Promise.all(this.conversations.splice(0).map((conversation) => conversation.quit()));
    await Promise.all(this.servers.splice(0).map((server) => server.close()));
  }
}
