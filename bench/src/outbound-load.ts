import { once } from 'node:events';
import { connect } from 'node:net';

export interface SpreadLoad {
  readonly port: number;
  readonly domains: readonly string[];
  readonly messages: number;
  readonly connections: number;
  /** Recipients of each message, all in one domain. */
  readonly recipients: number;
  /** Payload octets of each message, without its header. */
  readonly size: number;
}

const SILENCE = 120_000; // ms until a server that says nothing has failed

/**
 * Sends mail to many domains in turn over kept connections, pipelined (RFC 2920): smtp-source can send to one domain only. Each
 * message has its own Message-ID and number; the envelope sender is the same for all.
 */
export async function spread(load: SpreadLoad): Promise<void> {
  let next = 0;
  const take = (): number | undefined => (next < load.messages ? next++ : undefined);
  await Promise.all(Array.from({ length: load.connections }, () => sender(load, take)));
}

async function sender(load: SpreadLoad, take: () => number | undefined): Promise<void> {
  const line = `${'X'.repeat(78)}\r\n`;
  const payload = line.repeat(Math.ceil(load.size / line.length)).slice(-load.size);
  const socket = connect({ host: '127.0.0.1', port: load.port, noDelay: true });
  socket.setTimeout(SILENCE, () => socket.destroy(new Error('no answer in time')));
  const replies = expecter(socket.setEncoding('latin1'));
  try {
    await once(socket, 'connect');
    await replies(1);
    socket.write('EHLO load.test\r\n');
    await replies(1);
    let rest = '';
    for (let number = take(); number !== undefined; number = take()) {
      const domain = load.domains[number % load.domains.length] ?? '';
      const recipients = Array.from({ length: load.recipients }, (_, i) => `RCPT TO:<user${i}@${domain}>\r\n`);
      socket.write(`${rest}MAIL FROM:<sender@load.test>\r\n${recipients.join('')}DATA\r\n`);
      await replies(load.recipients + 2 + (rest === '' ? 0 : 1));
      rest = `From: sender@load.test\r\nTo: user0@${domain}\r\nMessage-ID: <${process.pid}.${Date.now()}.${number}@load.test>\r\n\r\n${payload}\r\n.\r\n`;
    }
    socket.write(`${rest}QUIT\r\n`);
    await replies(rest === '' ? 1 : 2);
  } finally {
    socket.destroy();
  }
}

/** Waits for so many replies, none of which may be 4xx or 5xx. */
function expecter(socket: NodeJS.ReadableStream): (count: number) => Promise<void> {
  let wanted = 0;
  let unread = '';
  let failure: Error | undefined;
  let settle = (): void => undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    settle();
  };
  socket.on('data', (text: string) => {
    const lines = (unread + text).split('\r\n');
    unread = lines.pop() ?? '';
    for (const line of lines) {
      if (line[0] === '4' || line[0] === '5') fail(new Error(line));
      if (line[3] === ' ') wanted -= 1;
    }
    if (wanted <= 0) settle();
  });
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('closed by the server')));
  return (count) => {
    wanted += count;
    return new Promise((resolve, reject) => {
      settle = () => (failure ? reject(failure) : resolve());
      if (failure || wanted <= 0) settle();
    });
  };
}
