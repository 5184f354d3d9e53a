import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Elsewhere } from '@kiroku/infra/rig/remote/elsewhere.js';
import { startPostfixInstance } from '@kiroku/infra/rig/remote/postfix-instance.js';
import { nameOf, type OutboundServer } from './outbound-sut.js';
import { SIZE_LIMIT, stopAtEnd } from './sut.js';

/**
 * A throw-away Postfix that sends on whatever it is given. Its defaults stand (100 processes, 20 connections a destination,
 * connections kept on demand, fsync); set are paths, the port of the other servers, the name server, and `in_flow_delay` as in the
 * benchmark of acceptance. It writes no log, which flatters it. It keeps no DNS answers, as it expects a caching name server
 * beside it: the one of this benchmark answers from memory.
 * @param elsewhere whose DNS server listens on port 53: libresolv knows no other.
 */
export async function startOutboundPostfix(elsewhere: Elsewhere): Promise<OutboundServer> {
  const postfix = await startPostfixInstance({
    hostname: 'bench.test',
    resolvConf: `nameserver ${elsewhere.dns.address.split(':')[0]}\noptions timeout:10 attempts:3\n`,
    settings: {
      default_process_limit: '100',
      in_flow_delay: '0s',
      message_size_limit: `${SIZE_LIMIT}`,
      smtp_tcp_port: `${elsewhere.port}`,
    },
  });
  const deferred = join(postfix.base, 'queue', 'deferred');
  return {
    name: 'Postfix',
    version: postfix.version,
    smtpPort: postfix.port,
    processes: () => postfix.processes(),
    queueProcesses: () => postfix.processes().filter((pid) => nameOf(pid) === 'qmgr'),
    waiting: async () => readdirSync(deferred, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length,
    stop: stopAtEnd(() => postfix.stop()),
  };
}
