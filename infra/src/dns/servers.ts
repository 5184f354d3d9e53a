import { getServers } from 'node:dns';
import { isIP } from 'node:net';

/** A recursive DNS server. */
export interface Server {
  readonly host: string;
  readonly port: number;
  readonly family: 4 | 6;
  /** On this machine: nobody stands between it and us who could forge its AD bit. */
  readonly loopback: boolean;
}

/** @param text `192.0.2.1:53`, `[2001:db8::1]:53`, or an address alone. @throws RangeError */
export function parseServer(text: string): Server {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^[\]:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? text;
  const family = isIP(host);
  const number = port === undefined ? 53 : Number(port);
  if ((family !== 4 && family !== 6) || number < 1 || number > 65_535) throw new RangeError(`not a DNS server: ${text}`);
  return { host, port: number, family, loopback: family === 4 ? host.startsWith('127.') : host === '::1' };
}

/** The servers to ask: the given ones, else the system's (/etc/resolv.conf, which c-ares reads for Node), else this machine. */
export function serversOf(given: readonly string[] | undefined): readonly Server[] {
  const names = given?.length ? given : getServers();
  return (names.length > 0 ? names : ['127.0.0.1:53']).map(parseServer);
}
