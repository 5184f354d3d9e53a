import { spawn } from 'node:child_process';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { endWithUs, which } from '@kiroku/infra/rig/remote/programs.js';

export interface Load {
  readonly port: number;
  readonly recipient: string;
  readonly messages: number;
  readonly connections: number;
  /** Payload octets of each message, without its header. */
  readonly size: number;
  /** Many mails per connection, or a new connection for each. */
  readonly keep: boolean;
}

const PATIENCE = 180_000; // ms for one run of a generator

export const generator = (): string => (which('smtp-source') ? 'smtp-source' : 'own generator (no smtp-source here)');

/** Sends the load; resolves to the seconds it took. The same generator for every server. */
export async function send(load: Load): Promise<number> {
  const program = which('smtp-source');
  const since = performance.now();
  await (program ? bySmtpSource(program, load) : bySockets(load));
  return (performance.now() - since) / 1000;
}

function bySmtpSource(program: string, load: Load): Promise<void> {
  const args = [
    ...(load.keep ? ['-d'] : []),
    ...['-C', '10'], // a full listen queue is not the end of the run
    ...['-M', 'load.test', '-f', 'sender@load.test', '-t', load.recipient],
    ...['-m', `${load.messages}`, '-s', `${load.connections}`, '-l', `${load.size}`],
    `127.0.0.1:${load.port}`,
  ];
  return new Promise((resolve, reject) => {
    const child = endWithUs(spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] }));
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-500)));
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`smtp-source ended with ${code ?? 'a signal'}: ${said.trim()}`));
    });
  });
}

async function bySockets(load: Load): Promise<void> {
  let left = load.messages;
  const line = `${'X'.repeat(78)}\r\n`;
  const payload = line.repeat(Math.ceil(load.size / line.length)).slice(-load.size);
  const one = async (client: SmtpClient, number: number): Promise<void> => {
    // Equal bodies would be kept once: each has its own Message-ID, as smtp-source does it.
    const header = `From: sender@load.test\r\nTo: ${load.recipient}\r\nMessage-ID: <${process.pid}.${Date.now()}.${number}@load.test>\r\n\r\n`;
    const reply = await client.send('sender@load.test', [load.recipient], Buffer.from(header + payload), PATIENCE);
    if (reply.code !== 250) throw new Error(`${reply.code} ${reply.lines.join(' ')}`);
  };
  const sender = async (): Promise<void> => {
    while (left > 0) {
      const client = await SmtpClient.hello({ port: load.port });
      do await one(client, left--);
      while (load.keep && left > 0);
      await client.quit();
    }
  };
  await Promise.all(Array.from({ length: load.connections }, sender));
}
