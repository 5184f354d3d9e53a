import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { freePorts } from '../ports.js';
import { provided } from './provided.js';
import { EngineServer, Workplace } from './server.js';

/** An S3 server, without buckets; its data outlives the process until `stop`. */
export interface S3Rig {
  /** `http://host:port`; buckets are in the path, not in the host name. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** 0 when it does not run. */
  readonly pid: number;
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>;
  /** Starts it again on its data and its port. */
  start(): Promise<void>;
  /** SIGSTOP: its connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** Kills it and removes its data. */
  stop(): Promise<void>;
}

/**
 * A server of the test's own, which keeps objects as files; with versions and object lock for buckets that ask for them.
 * It is gone when this process ends, however it ends.
 * @param options where it listens; at the loopback address by default.
 */
export async function startS3({ host = '127.0.0.1' }: { readonly host?: string } = {}): Promise<S3Rig> {
  const { s3 } = await provided();
  const workplace = Workplace.make('s3');
  const [port = 0] = await freePorts(1);
  const accessKey = 'kiroku-test';
  const secretKey = randomBytes(20).toString('hex');
  const region = 'us-east-1';
  const endpoint = `http://${host}:${port}`;
  const [objects, versions, metadata] = [workplace.sub('objects'), workplace.sub('versions'), workplace.sub('metadata')];
  const listen = ['--port', `${host}:${port}`, '--region', region, '--health', '/health', '--keep-alive', '--quiet'];
  const server = new EngineServer({
    folder: workplace.sub('work'),
    program: join(s3, 'versitygw'),
    // Metadata in files: not every file system has extended attributes.
    args: [...listen, 'posix', '--versioning-dir', versions, '--sidecar', metadata, objects],
    env: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
    ready: () => fetch(`${endpoint}/health`).then((answer) => answer.ok),
    patience: 30_000,
  });
  const rig: S3Rig = {
    endpoint,
    region,
    accessKey,
    secretKey,
    get pid() {
      return server.pid;
    },
    kill: () => server.kill(),
    start: () => server.start(),
    pause: () => server.pause(),
    resume: () => server.resume(),
    stop: async () => {
      await server.kill();
      await workplace.remove();
    },
  };
  try {
    await rig.start();
  } catch (error) {
    await rig.stop();
    throw error;
  }
  return rig;
}
