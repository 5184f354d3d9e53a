import { readFileSync } from 'node:fs';
import { tokenFile } from '@kiroku/infra/admin/administrators.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { secretOf } from '@kiroku/infra/config/secret.js';
import type { Saying } from './texts.js';

/** The server said no. */
export class Refused extends Error {
  constructor(
    readonly reason: string,
    readonly detail: string | undefined,
    readonly status: number,
  ) {
    super(reason);
  }
}

/** The command cannot be done; said in the user's language. `usage`: it was written wrongly. */
export class Failed extends Error {
  constructor(
    readonly saying: Saying,
    readonly about: readonly (string | number)[] = [],
    readonly usage = false,
  ) {
    super(saying);
  }
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;
export interface Listed<T> { readonly items: readonly T[]; readonly next?: string }

/** The admin API of the running server, as the CLI sees it. */
export class AdminClient {
  constructor(
    readonly url: string,
    private readonly token: string,
  ) {}

  /**
   * Where the server of this environment is, and with which token it is asked.
   * @throws Failed `noToken`, `noHttp`; ConfigRefused
   */
  static of(env: Readonly<Record<string, string | undefined>>): AdminClient {
    const { KIROKU_TOKEN: _, ...settings } = env;
    const { data, bind, httpPort } = readConfig(settings);
    if (httpPort === undefined) throw new Failed('noHttp');
    const host = bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '[::1]' : bind.includes(':') ? `[${bind}]` : bind;
    return new AdminClient(`http://${host}:${httpPort}`, secretOf(env, 'KIROKU_TOKEN') ?? secretOf(env, 'KIROKU_ADMIN_TOKEN') ?? tokenIn(tokenFile(data)));
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.#json('GET', path, query);
  }

  post<T = void>(path: string, body?: unknown): Promise<T> {
    return this.#json('POST', path, {}, body);
  }

  patch<T>(path: string, body: unknown): Promise<T> {
    return this.#json('PATCH', path, {}, body);
  }

  put<T = void>(path: string, body: unknown): Promise<T> {
    return this.#json('PUT', path, {}, body);
  }

  delete<T = void>(path: string, query: Query = {}): Promise<T> {
    return this.#json('DELETE', path, query);
  }

  /** All items of a list, page by page. */
  async *all<T>(path: string, query: Query = {}): AsyncGenerator<T> {
    for (let after: string | undefined; ; ) {
      const page: Listed<T> = await this.get(path, { ...query, limit: 1000, after });
      yield* page.items;
      if (page.next === undefined) return;
      after = page.next;
    }
  }

  async text(path: string, query: Query = {}): Promise<string> {
    return (await this.#ask('GET', path, query)).text();
  }

  /** Pieces of a long answer as they come. @throws Failed `brokeOff` */
  async *stream(method: string, path: string, query: Query, body?: { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> }): AsyncGenerator<string> {
    const answer = await this.#ask(method, path, query, body?.bytes, body?.type);
    try {
      for await (const text of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) yield text;
    } catch {
      throw new Failed('brokeOff');
    }
  }

  async *lines(...asked: Parameters<AdminClient['stream']>): AsyncGenerator<string> {
    let rest = '';
    for await (const text of this.stream(...asked)) {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      yield* parts;
    }
    if (rest !== '') yield rest;
  }

  /** For answers whose status is part of the answer (health). */
  async anyway<T>(path: string): Promise<{ readonly status: number; readonly body: T }> {
    const answer = await this.#fetch('GET', `${this.url}/api/v1${path}`);
    if (answer.status !== 200 && answer.status !== 503) throw await refusal(answer, this.url);
    return { status: answer.status, body: (await answer.json()) as T };
  }

  async #json<T>(method: string, path: string, query: Query, body?: unknown): Promise<T> {
    const answer = await this.#ask(method, path, query, body === undefined ? undefined : JSON.stringify(body), 'application/json');
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  }

  async #ask(method: string, path: string, query: Query, body?: string | Uint8Array<ArrayBuffer>, type?: string): Promise<Response> {
    const url = new URL(`${this.url}/api/v1${path}`);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    const answer = await this.#fetch(method, url.href, body, type);
    if (!answer.ok) throw await refusal(answer, this.url);
    return answer;
  }

  async #fetch(method: string, url: string, body?: string | Uint8Array<ArrayBuffer>, type?: string): Promise<Response> {
    try {
      return await fetch(url, {
        method, redirect: 'error',
        headers: { authorization: `Bearer ${this.token}`, ...(body !== undefined && type !== undefined && { 'content-type': type }) },
        ...(body !== undefined && { body }),
      });
    } catch {
      throw new Failed('noServer', [this.url]);
    }
  }
}

function tokenIn(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    throw new Failed('noToken', [path]);
  }
}

async function refusal(answer: Response, url: string): Promise<Error> {
  const problem = (await answer.json().catch(() => undefined)) as { reason?: unknown; detail?: unknown } | undefined;
  if (typeof problem?.reason !== 'string') return new Failed('notKiroku', [url]);
  return new Refused(problem.reason, typeof problem.detail === 'string' ? problem.detail : undefined, answer.status);
}
