import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { until } from '../until.js';

/**
 * A machine of its own on this one, as far as the network is concerned (a network namespace), with two cables to us: clients reach it by
 * one, it reaches the engines by the other, which can be cut.
 */
export interface Machine {
  /** Its address for clients. */
  readonly address: string;
  /** Our address on the cable that can be cut: engines listen there. */
  readonly engines: string;
  /** What stands before a program's name so that it runs there; its process id stays that of what is started. */
  readonly within: readonly string[];
  /** From now on packets on the engines' cable vanish, in both directions, and nobody is told: no reset, no unreachable. */
  cut(): void;
  heal(): void;
  /** Its processes have to have ended. */
  remove(): Promise<void>;
}

const ENGINES = 'engines';
const CLIENTS = 'clients';
/** A hardware address that nobody has. */
const NOBODY = '02:00:00:00:00:01';

/**
 * It is gone when this process and the last one that runs there have ended.
 * @throws Error when we are not root, or may not make networks, or there is no `ip` (Debian's iproute2).
 */
export async function startMachine(): Promise<Machine> {
  ip('link show lo'); // fails in clear words where it is missing
  const subnet = `10.${randomInt(200, 255)}.${randomInt(0, 255)}`;
  const holder = await holdNamespace();
  const { pid = 0 } = holder;
  const remove = async (): Promise<void> => {
    if (holder.exitCode !== null || holder.signalCode !== null) return;
    const gone = once(holder, 'exit');
    holder.ref();
    holder.stdin?.end();
    await gone;
  };
  const within = ['nsenter', `--net=/proc/${pid}/ns/net`, '--'];
  const there = (command: string): void => ip(command, within);
  try {
    there('link set lo up');
    const name = `kt${pid.toString(36)}`;
    // /25: below for the engines' cable, above for the clients'.
    for (const [cable, ours, theirs] of [[ENGINES, `${subnet}.1`, `${subnet}.2`], [CLIENTS, `${subnet}.129`, `${subnet}.130`]] as const) {
      const here = `${name}${cable.slice(0, 1)}`;
      ip(`link add ${here} type veth peer name ${cable} netns ${pid}`);
      ip(`address add ${ours}/25 dev ${here}`);
      ip(`link set ${here} up`);
      there(`address add ${theirs}/25 dev ${cable}`);
      there(`link set ${cable} up`);
    }
    const neighbours = (what: (address: string, cable: string) => string): void => {
      ip(what(`${subnet}.2`, `${name}e`));
      there(what(`${subnet}.1`, ENGINES));
    };
    return {
      address: `${subnet}.130`,
      engines: `${subnet}.1`,
      within,
      cut: () => neighbours((address, cable) => `neighbour replace ${address} lladdr ${NOBODY} nud permanent dev ${cable}`),
      heal: () => neighbours((address, cable) => `neighbour del ${address} dev ${cable}`),
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** A process in a namespace of its own, which ends with its pipe, so with us. */
async function holdNamespace(): Promise<ChildProcess> {
  if (process.getuid?.() !== 0) throw new Error('a machine of its own needs a network namespace, and only root may make one');
  const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  holder.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  let failure: string | undefined;
  holder.on('error', (error) => (failure = error.message)).on('exit', (code) => (failure ??= `unshare ended with ${code}: ${said}`));
  const own = readlinkSync('/proc/self/ns/net');
  await until('the namespace is there', 10_000, () => failure !== undefined || readlinkSync(`/proc/${holder.pid}/ns/net`) !== own);
  if (failure !== undefined) throw new Error(`no network namespace: ${failure}`);
  for (const handle of [holder, holder.stdin as Socket, holder.stderr as Socket]) handle.unref(); // it must not keep this process
  return holder;
}

function ip(command: string, within: readonly string[] = []): void {
  const [program = '', ...args] = [...within, 'ip', ...command.split(' ')];
  try {
    execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { readonly stderr?: Buffer };
    const why = code === 'ENOENT' ? `${program} is not installed (Debian: ${program === 'ip' ? 'iproute2' : 'util-linux'})` : String(stderr ?? error).trim();
    throw new Error(`ip ${command}: ${why}`, { cause: error });
  }
}
