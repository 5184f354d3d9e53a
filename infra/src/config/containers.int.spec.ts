import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import YAML from 'yaml';
import { readConfig } from './config.js';

const ROOT = join(import.meta.dirname, '../../..');
const home = mkdtempSync('/tmp/kiroku-containers-');
afterAll(() => rmSync(home, { recursive: true }));
const read = (...path: readonly string[]): string => readFileSync(join(ROOT, ...path), 'utf8');

const ROLES = ['smtp', 'delivery', 'pop3', 'imap', 'worker', 'api'];
/** Inside a container: what a role listens on by default. */
const LISTENERS: Readonly<Record<string, readonly number[]>> = { smtp: [2525, 2587, 2465], pop3: [2110, 2995], imap: [2143, 2993], api: [8080], delivery: [], worker: [] };
const IMAGE = 'ENTRYPOINT ["/opt/kiroku/kiroku"]';

type Env = Readonly<Record<string, string>>;

/** Reads these settings as the container would, with a file for each secret. */
function settingsOf(env: Env, secrets: readonly string[], folder: string) {
  const given = Object.fromEntries(Object.entries(env).map(([name, value]) => {
    if (!name.endsWith('_FILE')) return [name, value.replace(/^\$\{\w+:-(.*)\}$/, '$1')];
    expect(secrets.map((secret) => `${folder}/${secret}`)).toContain(value);
    const file = join(home, basename(value));
    writeFileSync(file, name.includes('POSTGRES') ? 'postgres://kiroku:x@postgres/kiroku\n' : 'secret\n');
    return [name, file];
  }));
  return readConfig({ KIROKU_DATA: '/var/lib/kiroku', KIROKU_BIND: '0.0.0.0', ...given }, home);
}

/** A probe that asks the API names a path that it serves, open to strangers. */
function expectServed(path: string): void {
  const routes = read('apps/api/src/routes/operations.ts');
  const open = [...routes.matchAll(/@Get\('([^']+)'\)\s+@Open\('always'\)/g)].map(([, route]) => `/api/v1/${route}`);
  expect(open).toContain(path);
}

/** An image named so that whoever runs it says where it comes from. */
const expectPlainImage = (image: string): void => expect(image).toMatch(/^([a-z0-9-]+\/)?[a-z0-9-]+:[a-z0-9.-]+$/);

interface Service {
  readonly image: string; readonly command?: readonly string[]; readonly environment: Env; readonly ports?: readonly string[]; readonly profiles?: readonly string[];
  readonly secrets?: readonly string[]; readonly volumes?: readonly string[]; readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck: { readonly test: readonly string[] }; readonly stop_grace_period?: string;
}
interface Compose { readonly services: Readonly<Record<string, Service>>; readonly volumes: object; readonly secrets: object }

describe('docker-compose.yml', () => {
  const compose = YAML.parse(read('docker-compose.yml'), { merge: true }) as Compose;
  const services = Object.entries(compose.services);
  const kiroku = services.filter(([name]) => ROLES.includes(name)).map(([name, service]) => [name, service] as const);

  it('runs each role once, from the one image', () => {
    expect(kiroku.map(([name]) => name).sort()).toEqual(ROLES.toSorted());
    for (const [name, { command, image }] of kiroku) expect([name, command, image]).toEqual([name, ['up', '--roles', name], 'kiroku:0.1']);
    expect(read('Dockerfile')).toContain(IMAGE);
  });

  it.each(kiroku)('gives %s settings that are settings, and complete', (_, { environment, secrets = [] }) => {
    const config = settingsOf(environment, secrets, '/run/secrets');
    expect(config).toMatchObject({ eventLog: 'kafka', eventStore: 'postgres', objectStore: 's3', warnings: [] });
    const hosts = [...(config.kafkaBrokers ?? []), new URL(config.s3Endpoint ?? '').host, new URL(config.kurrentdbUrl ?? '').host].map((host) => host.split(':')[0]);
    expect(hosts.filter((host) => !Object.hasOwn(compose.services, host ?? ''))).toEqual([]);
    expect(settingsOf({ ...environment, KIROKU_EVENT_STORE: 'kurrentdb' }, secrets, '/run/secrets')).toMatchObject({ eventStore: 'kurrentdb' });
  });

  it.each(kiroku)('publishes ports on which %s listens', (name, { ports = [] }) => {
    expect(ports.map((port) => Number(port.split(':').at(-1)))).toEqual(LISTENERS[name]);
  });

  it.each(kiroku)('asks %s itself whether it is well', (name, { healthcheck: { test } }) => {
    if (name === 'api') expectServed(/http:\/\/127\.0\.0\.1:8080(\/[\w/]+)/.exec(test.join(' '))?.[1] ?? '');
    else expect(test).toEqual(['CMD', '/opt/kiroku/kiroku', 'ready', '--role', name]);
    expect(read('apps/cli/src/ready.ts')).toContain("'--role <role>'");
  });

  it('depends on what is there and can say that it is well', () => {
    for (const [name, { depends_on = {}, volumes = [], secrets = [], image }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) expect([name, other, condition, compose.services[other]?.healthcheck !== undefined && compose.services[other]?.profiles === undefined]).toEqual([name, other, 'service_healthy', true]);
      for (const volume of volumes) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
      for (const secret of secrets) expect(Object.keys(compose.secrets)).toContain(secret);
      expectPlainImage(image);
    }
    for (const [, { depends_on = {} }] of kiroku) expect(Object.keys(depends_on).sort()).toEqual(['kafka-1', 'kafka-2', 'kafka-3', 'postgres', 's3']);
  });

  it('publishes no port twice, and the admin API to this machine only', () => {
    const published = services.flatMap(([, { ports = [] }]) => ports.map((port) => port.split(':').at(-2)));
    expect(new Set(published).size).toBe(published.length);
    expect(compose.services['api']?.ports).toEqual(['127.0.0.1:8080:8080']);
  });

  it('has three brokers that are one cluster, and a write that counts is on two', () => {
    const brokers = services.filter(([name]) => name.startsWith('kafka-')).map(([name, { environment }]): Env => ({ ...environment, name }));
    expect(brokers).toHaveLength(3);
    for (const broker of brokers) {
      expect(broker['KAFKA_CONTROLLER_QUORUM_VOTERS']?.split(',')).toContain(`${broker['KAFKA_NODE_ID']}@${broker['name']}:9093`);
      expect(broker['KAFKA_ADVERTISED_LISTENERS']).toBe(`PLAINTEXT://${broker['name']}:9092`);
      expect(broker).toMatchObject({ KAFKA_MIN_INSYNC_REPLICAS: '2', KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false', CLUSTER_ID: brokers[0]?.['CLUSTER_ID'] });
    }
  });
});

interface Container {
  readonly name: string; readonly image: string; readonly args: readonly string[]; readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Probe { readonly tcpSocket?: { readonly port: string }; readonly httpGet?: { readonly path: string; readonly port: string }; readonly exec?: { readonly command: readonly string[] } }
interface Manifest {
  readonly kind: string; readonly metadata: { readonly name: string }; readonly data?: Env; readonly stringData?: Env;
  readonly spec: {
    readonly selector: Readonly<Record<string, unknown>>; readonly ports?: readonly { readonly targetPort: string; readonly port: number }[];
    readonly template: { readonly metadata: { readonly labels: Env }; readonly spec: { readonly enableServiceLinks: boolean; readonly terminationGracePeriodSeconds: number; readonly containers: readonly Container[]; readonly volumes: readonly { readonly name: string; readonly secret?: { readonly secretName: string } }[] } };
  };
}

const missing = (what: string): never => {
  throw new Error(`there is no ${what}`);
};

describe('the Kubernetes manifests', () => {
  const files = readdirSync(join(ROOT, 'docs/kubernetes')).filter((name) => name.endsWith('.yaml'));
  const manifests = files.flatMap((file) => YAML.parseAllDocuments(read('docs/kubernetes', file)).map((document) => document.toJS() as Manifest));
  const named = (kind: string, name: string): Manifest => manifests.find((m) => m.kind === kind && m.metadata.name === name) ?? missing(`${kind} ${name}`);
  const deployment = (role: string) => {
    const { spec } = named('Deployment', `kiroku-${role}`);
    return { spec, pod: spec.template.spec, container: spec.template.spec.containers[0] as Container };
  };

  it('give all roles settings that are settings, and complete', () => {
    const secrets = Object.keys(named('Secret', 'kiroku-secrets').stringData ?? {});
    expect(settingsOf(named('ConfigMap', 'kiroku-settings').data ?? {}, secrets, '/run/kiroku')).toMatchObject({ eventLog: 'kafka', objectStore: 's3', warnings: [] });
  });

  it.each(ROLES)('run %s, found by its labels and guarded against being moved away at once', (role) => {
    const { spec, pod, container } = deployment(role);
    expect(container).toMatchObject({ name: role, image: 'kiroku:0.1', args: ['up', '--roles', role] });
    expect(pod).toMatchObject({ enableServiceLinks: false, terminationGracePeriodSeconds: 60 });
    expect(spec.selector).toEqual({ matchLabels: spec.template.metadata.labels });
    expect(named('PodDisruptionBudget', `kiroku-${role}`).spec.selector).toEqual(spec.selector);
    expect((container.ports ?? []).map((p) => p.containerPort)).toEqual(LISTENERS[role]);
    expect(container.volumeMounts.map((mount) => mount.name).sort()).toEqual(pod.volumes.map((volume) => volume.name).sort());
    for (const { secret } of pod.volumes) if (secret) named('Secret', secret.secretName);
  });

  it.each(ROLES)('probe %s where it can answer', (role) => {
    const { container } = deployment(role);
    const probes = Object.entries(container).filter(([name]) => name.endsWith('Probe')).map(([, probe]) => probe as Probe);
    expect(probes.length).toBeGreaterThanOrEqual(2);
    for (const { tcpSocket, httpGet, exec } of probes) {
      if (exec) expect(exec.command.slice(0, 4)).toEqual(['/opt/kiroku/kiroku', 'ready', '--role', role]);
      else expect(container.ports?.map((p) => p.name)).toContain((tcpSocket ?? httpGet)?.port);
      if (httpGet) expectServed(httpGet.path);
    }
  });

  it.each(['smtp', 'pop3', 'imap', 'api'])('publish what %s listens on', (role) => {
    const { spec } = named('Service', `kiroku-${role}`);
    const { container, spec: { template } } = deployment(role);
    expect(spec.selector).toEqual(template.metadata.labels);
    expect(spec.ports?.map((p) => p.targetPort)).toEqual(container.ports?.map((p) => p.name));
  });
});
