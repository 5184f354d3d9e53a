import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import YAML from 'yaml';
import { type TestApi, testApi } from './testing/test-api.js';

interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema?: object }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: object }> }>;
}
interface Document { readonly openapi: string; readonly paths: Record<string, Record<string, Operation>>; readonly components: { readonly schemas: Record<string, object> } }

let api: TestApi;
let document: Document;
beforeAll(async () => {
  api = await testApi();
  document = (await (await fetch(`${api.url}/openapi.json`)).json()) as Document;
});
afterAll(() => api.close());

const operations = () => Object.entries(document.paths).flatMap(([path, verbs]) => Object.entries(verbs).map(([verb, operation]) => ({ path, verb, operation })));

/** What Express really routes, below /api/v1. */
function routed(): readonly string[] {
  const { router } = api.app.getHttpAdapter().getInstance() as unknown as { router: { stack: readonly { route?: { path: string; methods: Record<string, boolean> } }[] } };
  return router.stack.flatMap(({ route }) =>
    route?.path.startsWith('/api/') ? Object.keys(route.methods).map((verb) => `${verb} ${route.path.replaceAll(/:(\w+)/g, '{$1}')}`) : [],
  );
}

describe('the OpenAPI document', () => {
  it('lists every route that is served, and no other', () => {
    const listed = operations().map(({ verb, path }) => `${verb} ${path}`);
    expect(listed.sort()).toEqual([...new Set(routed())].sort());
    expect(listed.length).toBeGreaterThan(40);
  });

  it('is of version 3.1 and names each operation once', () => {
    expect(document.openapi).toBe('3.1.0');
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('says of each route what it takes, gives and refuses', () => {
    for (const { path, verb, operation } of operations()) {
      const { summary, parameters = [], requestBody, responses } = operation;
      const where = `${verb} ${path}`;
      expect([where, summary !== undefined]).toEqual([where, true]);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect([where, parameters.filter((p) => p.in === 'path').map((p) => p.name)]).toEqual([where, inPath]);
      for (const { name, schema } of parameters) expect([where, name, Object.keys(schema ?? {}).length > 0]).toEqual([where, name, true]);
      for (const { schema } of Object.values(requestBody?.content ?? {})) expect([where, Object.keys(schema).length > 0]).toEqual([where, true]);
      const success = Object.keys(responses).filter((status) => status.startsWith('2'));
      expect([where, success.length]).toEqual([where, 1]);
      expect([where, responses['500']?.content?.['application/problem+json']?.schema]).toEqual([where, { $ref: '#/components/schemas/Problem' }]);
      if (verb === 'patch' || verb === 'put') expect([where, requestBody !== undefined]).toEqual([where, true]);
    }
    expect(document.components.schemas.Problem).toMatchObject({ type: 'object', required: expect.arrayContaining(['reason', 'status']) });
  });

  it('takes its schemas from the checks', () => {
    const body = document.paths['/api/v1/accounts']?.post?.requestBody?.content['application/json']?.schema;
    expect(body).toMatchObject({ type: 'object', required: ['address', 'password'], additionalProperties: false, properties: { quota: { type: 'integer', minimum: 0 } } });
    const list = document.paths['/api/v1/messages']?.get;
    expect(list?.parameters?.map((p) => p.name).sort()).toEqual(['after', 'limit', 'recipient', 'sender', 'since', 'state', 'until']);
    expect(list?.responses['200']?.content?.['application/json']?.schema).toMatchObject({ type: 'object', required: ['items'] });
    expect(document.paths['/api/v1/accounts/import']?.post?.requestBody?.content).toHaveProperty(['text/tab-separated-values']);
  });

  it('is the same in YAML, without a token', async () => {
    const answer = await fetch(`${api.url}/openapi.yaml`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, expect.stringMatching(/yaml/)]);
    expect(YAML.parse(await answer.text())).toEqual(document);
  });

  it('has a page for people that needs no token', async () => {
    const page = await fetch(`${api.url}/docs`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect((await fetch(`${api.url}/docs/swagger-ui-init.js`)).status).toBe(200);
  });
});
