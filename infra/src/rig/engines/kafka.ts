import { randomBytes } from 'node:crypto';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../ports.js';
import { makeCertificate, type Pair } from '../test-ca.js';
import { provided } from './provided.js';
import { EngineServer, Workplace } from './server.js';

export interface KafkaOptions {
  readonly brokers?: 1 | 3;
  /** The address at which clients find the brokers, instead of the loopback one. */
  readonly host?: string;
  /** What clients have to speak. `sasl_ssl`: TLS, and PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 as `KAFKA_USER`. */
  readonly security?: 'plaintext' | 'sasl_ssl';
  /** Settings of every broker beside ours. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Options of the JVM in place of those that start fast and stay small. */
  readonly jvm?: readonly string[];
}

/** The only account of a `sasl_ssl` cluster; tools/engines/provision.mjs gives it its SCRAM credentials. */
export const KAFKA_USER = { user: 'kiroku', password: 'kiroku-secret' } as const;

/** A cluster on this machine. A node is both broker and controller: without a majority of them nothing is decided. */
export interface KafkaRig {
  /** `host:port` of each. */
  readonly brokers: readonly string[];
  /** PEM, of who signed the brokers' certificates; undefined without TLS. */
  readonly ca: string | undefined;
  /** Process ids; 0 for one that does not run. */
  readonly pids: readonly number[];
  /** SIGKILL of these (counted from 0), of all when none is named; resolves when they have ended. */
  kill(...which: number[]): Promise<void>;
  /** Starts these again, or all that do not run, on their data; resolves when each serves, for which a majority has to run. */
  start(...which: number[]): Promise<void>;
  /** SIGSTOP of these, or all: they are there and do not answer. After 3 s the others take over. */
  pause(...which: number[]): void;
  resume(...which: number[]): void;
  /** Kills what runs and removes its data. */
  stop(): Promise<void>;
}

// tools/engines/provision.mjs archives the classes for this collector; with another one they are loaded one by one.
const JVM = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
const LOGGING = ['defaultLogLevel=warn', 'log.kafka.server.KafkaRaftServer=info'].map((setting) => `-Dorg.slf4j.simpleLogger.${setting}`);
const LOOPBACK = '127.0.0.1';
const SERVES = 'Kafka Server started';
const CLUSTER_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'; // as formatted in tools/engines/provision.mjs

interface Node {
  readonly id: number;
  readonly client: number;
  readonly internal: number;
  readonly controller: number;
}

/**
 * A Kafka cluster of the test's own, empty, topics made only on request; with three brokers a topic may have three replicas and a
 * write acknowledged by all is in two. It is gone when this process ends, however it ends.
 */
export async function startKafka({ brokers = 1, host = LOOPBACK, security = 'plaintext', settings = {}, jvm = JVM }: KafkaOptions = {}): Promise<KafkaRig> {
  const { kafka } = await provided();
  const workplace = Workplace.make('kafka');
  const ports = await freePorts(3 * brokers);
  const nodes = Array.from({ length: brokers }, (_, i): Node => {
    const [client = 0, internal = 0, controller = 0] = ports.slice(3 * i);
    return { id: i + 1, client, internal, controller };
  });
  const certificate = security === 'sasl_ssl' ? await certificates() : undefined;
  const servers = nodes.map((node) => {
    const folder = workplace.sub(`node-${node.id}`);
    const all = { ...COMMON, ...replication(brokers), ...addresses(node, nodes, host), ...secured(certificate?.server), ...settings };
    format(kafka, workplace.sub(`node-${node.id}/data`), node.id);
    writeFileSync(join(folder, 'server.properties'), properties(all), { mode: 0o600 });
    return new EngineServer({
      folder,
      program: 'java',
      args: [`-XX:SharedArchiveFile=${kafka}/classes.jsa`, ...jvm, ...LOGGING, '-cp', `${kafka}/jars/*`, 'kafka.Kafka', 'server.properties'],
      ready: (said) => said.includes(SERVES),
      patience: 120_000,
    });
  });
  const rig = new Cluster(workplace, servers, nodes.map((node) => `${host}:${node.client}`), certificate?.ca);
  try {
    await rig.start();
  } catch (error) {
    await rig.stop();
    throw error;
  }
  return rig;
}

class Cluster implements KafkaRig {
  constructor(
    private readonly workplace: Workplace,
    private readonly servers: readonly EngineServer[],
    readonly brokers: readonly string[],
    readonly ca: string | undefined,
  ) {}

  get pids(): number[] {
    return this.servers.map((server) => server.pid);
  }

  async kill(...which: number[]): Promise<void> {
    await Promise.all(this.#these(which).map((server) => server.kill()));
  }

  async start(...which: number[]): Promise<void> {
    const stopped = this.#these(which).filter((server) => server.pid === 0);
    await Promise.all(stopped.map((server) => server.start()));
  }

  pause(...which: number[]): void {
    for (const server of this.#these(which)) server.pause();
  }

  resume(...which: number[]): void {
    for (const server of this.#these(which)) server.resume();
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.workplace.remove();
  }

  #these(which: readonly number[]): EngineServer[] {
    return which.length ? this.servers.filter((_, i) => which.includes(i)) : [...this.servers];
  }
}

/** As the storage tool writes it; the ids are the node's own. */
function format(kafka: string, data: string, id: number): void {
  copyFileSync(join(kafka, 'bootstrap.checkpoint'), join(data, 'bootstrap.checkpoint'));
  const meta = { version: '1', 'cluster.id': CLUSTER_ID, 'node.id': String(id), 'directory.id': randomBytes(16).toString('base64url') };
  writeFileSync(join(data, 'meta.properties'), properties(meta));
}

const COMMON = {
  'process.roles': 'broker,controller',
  'log.dirs': 'data',
  'auto.create.topics.enable': 'false',
  'group.initial.rebalance.delay.ms': '0',
  // A killed or held broker is missed soon, and one that starts again is let in.
  'broker.heartbeat.interval.ms': '500',
  'broker.session.timeout.ms': '3000',
  // Small, for several on one machine.
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.num.partitions': '1',
  'share.coordinator.state.topic.num.partitions': '1',
  'log.cleaner.dedupe.buffer.size': '4194304',
  'num.network.threads': '2',
  'num.io.threads': '4',
};

function replication(brokers: number): Record<string, string> {
  const copies = String(Math.min(3, brokers));
  const insync = String(Math.min(2, brokers));
  return {
    'default.replication.factor': copies,
    'min.insync.replicas': insync,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': insync,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': insync,
  };
}

function addresses({ id, client, internal, controller }: Node, nodes: readonly Node[], host: string): Record<string, string> {
  const reachable = `CLIENT://${host}:${client},BROKER://${LOOPBACK}:${internal}`;
  return {
    'node.id': String(id),
    'controller.quorum.voters': nodes.map((node) => `${node.id}@${LOOPBACK}:${node.controller}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'BROKER',
    listeners: `${reachable},CONTROLLER://${LOOPBACK}:${controller}`,
    'advertised.listeners': reachable,
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
  };
}

async function certificates(): Promise<{ ca: string; server: Pair }> {
  const issuer = await makeCertificate({ ca: true, commonName: 'Kafka test CA' });
  return { ca: issuer.cert, server: await makeCertificate({ names: [LOOPBACK, 'localhost'], issuer }) };
}

function secured(server: Pair | undefined): Record<string, string> {
  if (!server) return {};
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  const { user, password } = KAFKA_USER;
  return {
    'listener.security.protocol.map': 'CLIENT:SASL_SSL,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'listener.name.client.ssl.keystore.type': 'PEM',
    'listener.name.client.ssl.keystore.certificate.chain': server.cert,
    'listener.name.client.ssl.keystore.key': server.key,
    'listener.name.client.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.client.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${password}";`,
    'listener.name.client.scram-sha-256.sasl.jaas.config': scram,
    'listener.name.client.scram-sha-512.sasl.jaas.config': scram,
  };
}

/** A Java properties file; values may have lines. */
function properties(entries: Readonly<Record<string, string>>): string {
  return Object.entries(entries).map(([name, value]) => `${name}=${value.replaceAll('\n', '\\n')}\n`).join('');
}
