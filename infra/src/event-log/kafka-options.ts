import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import type { Compression } from './kafka-records.js';

/** How to reach the brokers, and what topics look like that are made. */
export interface KafkaOptions {
  /** `host:port`, some of them; the others are told by these. */
  readonly brokers: readonly string[];
  /** Topics are `<prefix>.mail`, `<prefix>.session`, `<prefix>.decision`. */
  readonly prefix: string;
  /** Of topics that are made here. Those that exist keep what they have. */
  readonly partitions?: { readonly mail?: number; readonly session?: number };
  /** Copies of each partition, of topics that are made here. Default 3, or as many as there are brokers. */
  readonly replication?: number;
  /** `true`: the system's certificate authorities. */
  readonly tls?: boolean | { readonly ca: string };
  readonly sasl?: { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string };
  readonly clientId?: string;
  readonly compression?: Compression;
  /** ms after which an append that the brokers do not take is rejected. Default 30,000. */
  readonly patience?: number;
}

/** ms. A broker that does not answer within `request` is hung: the connection is given up and others are asked. */
export const TIMES = { connect: 3_000, request: 10_000 } as const;

export interface Credentials {
  readonly ssl: ConnectionOptions | undefined;
  readonly sasl: SASLOptions | undefined;
}

/** @throws RangeError what is wrong with the options, for the administrator. */
export function credentialsOf({ tls, sasl }: Pick<KafkaOptions, 'tls' | 'sasl'>): Credentials {
  if (sasl && (sasl.username === '' || sasl.password === '')) throw new RangeError('Kafka: SASL needs a user and a password');
  const ssl = tls === undefined || tls === false ? undefined : tls === true ? {} : { ca: tls.ca };
  // A copy: the client keeps state of its own in it.
  return { ssl, sasl: sasl && { ...sasl } };
}

/** @throws RangeError */
export function addressesOf(brokers: readonly string[]): readonly { readonly host: string; readonly port: number }[] {
  if (brokers.length === 0) throw new RangeError('Kafka: no brokers given');
  return brokers.map((text) => {
    const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/i.exec(text.trim()) ?? [];
    const port = Number(digits);
    if (!digits || port < 1 || port > 65_535) throw new RangeError(`Kafka: ${JSON.stringify(text)} is not host:port`);
    return { host: bracketed ?? plain ?? '', port };
  });
}

/** Small requests leave at once: their last packet must not wait for the answer to the one before. */
export function openSocket({ host, port, ssl, onConnect }: { host: string; port: number; ssl?: ConnectionOptions | null | undefined; onConnect: () => void }): Socket {
  const socket = ssl
    ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...ssl }, onConnect)
    : connectTcp({ host, port }, onConnect);
  return socket.setNoDelay(true).setKeepAlive(true, 30_000);
}
