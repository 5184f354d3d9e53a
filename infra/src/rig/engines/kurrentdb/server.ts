import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { freePorts } from '../../ports.js';
import { type Appended, KurrentLog, type NewRecords } from './log.js';
import { type AppendReq, identifierOf, type ReadReq, type SessionRequest, sessionRequestOf, streamAppendOf } from './messages.js';
import { recordsFor } from './reads.js';

const FILES = ['server-features.proto', 'streams.proto', 'append-session.proto', 'errors.proto'];
const definitions = loadSync(FILES, { includeDirs: [import.meta.dirname], keepCase: true, longs: String, enums: String, oneofs: true });
const ERRORS = 'kurrentdb.protocol.v2.streams.errors';
const STREAM_NAME = /^[a-zA-Z0-9_.-]+$/;
type Reply<T> = (error: grpc.ServiceError | Partial<grpc.StatusObject> | null, answer?: T) => void;

/** What the next sessions meet, one each; a session that meets nothing is simply done. */
export type Fault =
  /** The server has no time for it. */
  | 'refused'
  /** It is done, but the client is told that the connection is gone. */
  | 'answer lost'
  /** It is done, and nobody is told anything. */
  | 'silent'
  /** It is done when `release` is called; meanwhile the client is told that the connection is gone. */
  | 'late'
  /** This node is not the leader. */
  | 'not the leader';

/** Switches of a server of its own kind. */
export interface KurrentRig {
  /** For the client: `kurrentdb://127.0.0.1:…`. */
  readonly url: string;
  readonly log: KurrentLog;
  /** Sessions done so far. */
  readonly sessions: number;
  fail(...faults: readonly Fault[]): void;
  /** Does what was late. @returns whether each was still possible. */
  release(): readonly boolean[];
  /** As if the machine went away; what it keeps stays. */
  stop(): Promise<void>;
  /** On the same port. */
  start(): Promise<void>;
}

/**
 * A KurrentDB server in this process, for tests: it speaks the published protocol as far as the event store uses it, keeps
 * everything in memory, and can be told to fail. Not a copy of the real one: it proves the adapter's logic, not the engine.
 * @param appendSession false: as a server older than 25.1.
 * @param maxAppendSize bytes per session.
 */
export async function startKurrentRig({ appendSession = true, maxAppendSize = 1 << 20 } = {}): Promise<KurrentRig> {
  const log = new KurrentLog();
  const faults: Fault[] = [];
  const late: NewRecords[][] = [];
  let sessions = 0;

  const session = (appends: NewRecords[], reply: Reply<object>): void => {
    const refused = wrong(appends, maxAppendSize);
    if (refused) return reply(refused);
    const fault = faults.shift();
    if (fault === 'refused') return reply(failure(grpc.status.UNAVAILABLE, 'the server is not ready'));
    if (fault === 'not the leader')
      return reply(failure(grpc.status.FAILED_PRECONDITION, 'not the leader', 'NotLeaderNodeErrorDetails', { current_leader: { host: '127.0.0.1', port: 1 } }, 'kurrent.rpc'));
    if (fault === 'late') late.push(appends);
    if (fault === 'late') return reply(failure(grpc.status.UNAVAILABLE, 'the connection is gone'));
    const result = log.append(appends);
    if (fault === 'silent') return;
    if (fault === 'answer lost') return reply(failure(grpc.status.UNAVAILABLE, 'the connection is gone'));
    sessions++;
    reply(...answerOf(result));
  };

  const services: readonly (readonly [string, grpc.UntypedServiceImplementation])[] = [
    ['event_store.client.server_features.ServerFeatures', {
      GetSupportedMethods: (_: unknown, reply: Reply<object>) => reply(null, {
        event_store_server_version: appendSession ? '25.1.0' : '24.10.0',
        methods: [
          { service_name: 'event_store.client.streams.streams', method_name: 'read' },
          { service_name: 'event_store.client.streams.streams', method_name: 'append' },
          ...(appendSession ? [{ service_name: 'kurrentdb.protocol.v2.streams.streamsservice', method_name: 'appendsession' }] : []),
        ],
      }),
    }],
    ['event_store.client.streams.Streams', {
      Read: (call: grpc.ServerWritableStream<ReadReq, object>) => void answerRead(call, log),
      Append: (call: grpc.ServerReadableStream<AppendReq, object>, reply: Reply<object>) => void gathered(call).then((parts) => {
        const result = log.append([streamAppendOf(parts)]);
        reply(null, result.done
          ? { success: { current_revision: result.revisions[0]?.revision, position: { commit_position: result.position, prepare_position: result.position } } }
          : { wrong_expected_version: { current_revision: result.actual, expected_any: {} } });
      }),
    }],
    ['kurrentdb.protocol.v2.streams.StreamsService', {
      AppendSession: (call: grpc.ServerReadableStream<SessionRequest, object>, reply: Reply<object>) =>
        void gathered(call).then((requests) => session(requests.map(sessionRequestOf), reply)),
    }],
  ];

  let server: grpc.Server | undefined;
  let [port] = await freePorts(1) as [number]; // below those that others are given: it is bound again after a stop
  const start = async (): Promise<void> => {
    server = new grpc.Server({ 'grpc.max_receive_message_length': 16 << 20 });
    for (const [name, implementation] of services)
      if (appendSession || !name.endsWith('StreamsService')) server.addService(definitions[name] as grpc.ServiceDefinition, implementation);
    const bound = server;
    port = await new Promise<number>((resolve, reject) =>
      bound.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, at) => (error ? reject(error) : resolve(at))));
  };
  await start();
  return {
    url: `kurrentdb://127.0.0.1:${port}?tls=false`,
    log,
    get sessions() { return sessions; },
    fail: (...more) => void faults.push(...more),
    release: () => late.splice(0).map((appends) => log.append(appends).done),
    start,
    stop: async () => {
      server?.forceShutdown();
      await Promise.resolve();
    },
  };
}

async function gathered<T>(call: grpc.ServerReadableStream<T, object>): Promise<readonly T[]> {
  const parts: T[] = [];
  call.on('data', (part: T) => parts.push(part));
  await once(call, 'end');
  return parts;
}

async function answerRead(call: grpc.ServerWritableStream<ReadReq, object>, log: KurrentLog): Promise<void> {
  const { options } = call.request;
  const records = recordsFor(options, log);
  if (!records) call.write({ stream_not_found: { stream_identifier: options.stream?.stream_identifier } });
  for (const record of records ?? []) {
    const position = { commit_position: String(record.position), prepare_position: String(record.position) };
    const event = {
      id: { string: record.id }, stream_identifier: identifierOf(record.stream), stream_revision: String(record.revision), ...position,
      metadata: { type: record.type, 'content-type': 'application/json', created: '17000000000000000' }, custom_metadata: record.metadata, data: record.data,
    };
    if (!call.write({ event: { event, ...(options.all ? { commit_position: position.commit_position } : { no_position: {} }) } })) await once(call, 'drain');
  }
  call.end();
}

/** What the server refuses before it looks at the streams. */
function wrong(appends: readonly NewRecords[], maxAppendSize: number): Partial<grpc.StatusObject> | undefined {
  if (appends.length === 0) return failure(grpc.status.FAILED_PRECONDITION, 'an append session without requests');
  const odd = appends.find(({ stream, records }) => !STREAM_NAME.test(stream) || records.some((r) => !STREAM_NAME.test(r.type)));
  if (odd) return failure(grpc.status.INVALID_ARGUMENT, `the name ${odd.stream} is not allowed`);
  const names = appends.map((a) => a.stream.toLowerCase());
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice) return failure(grpc.status.ABORTED, 'a stream twice in a session', 'StreamAlreadyInAppendSessionErrorDetails', { stream: twice });
  const size = appends.flatMap((a) => a.records).reduce((n, r) => n + r.data.length + r.metadata.length + r.type.length, 0);
  return size > maxAppendSize ? failure(grpc.status.ABORTED, 'too large', 'AppendTransactionSizeExceededErrorDetails', { size, max_size: maxAppendSize }) : undefined;
}

function answerOf(result: Appended): Parameters<Reply<object>> {
  if (result.done) return [null, { position: String(result.position), output: result.revisions.map(({ stream, revision }) => ({ stream, stream_revision: String(revision) })) }];
  const { stream, expected, actual } = result;
  return [failure(grpc.status.FAILED_PRECONDITION, `stream ${stream} is at ${actual}, not ${expected}`, 'StreamRevisionConflictErrorDetails',
    { stream, expected_revision: String(expected), actual_revision: String(actual) })];
}

function failure(code: grpc.status, details: string, type?: string, value: object = {}, of: string = ERRORS): Partial<grpc.StatusObject> {
  const metadata = new grpc.Metadata();
  if (type) {
    const encoded = encode(type, value);
    metadata.set('grpc-status-details-bin', encode('Status', { code, message: details, details: { type_url: `type.googleapis.com/${of}.${type}`, value: encoded } }));
  }
  return { code, details, metadata };
}

const encode = (type: string, value: object): Buffer => (definitions[`${ERRORS}.${type}`] as MessageTypeDefinition<object, object>).serialize(value);

