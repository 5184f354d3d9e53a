import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import * as z from 'zod';
import { Problem } from './http/problem.js';

/** OpenAPI 3.1 takes JSON Schema 2020-12 as it is, so the document says what the checks check. */
const jsonSchema = (schema: z.ZodType, io: 'input' | 'output') => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any' });
  return rest;
};

/** The document of what this application serves, made of its routes. */
export function documentOf(app: NestExpressApplication, version: string): OpenAPIObject {
  const frame = new DocumentBuilder()
    .setTitle('Kiroku admin API')
    .setDescription('Errors are RFC 9457 problems whose `reason` is a literal. Lists are paged: pass `next` as `after`.')
    .setVersion(version)
    .setOpenAPIVersion('3.1.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A token of `kiroku admin add`, or that of <data>/admin.token' })
    .build();
  const document = SwaggerModule.createDocument(app, frame, {
    standardSchemaConverter: (schema, { schemaType }) => (schema instanceof z.ZodType ? { schema: jsonSchema(schema, schemaType) } : undefined),
    operationIdFactory: (controller, method) => `${controller.replace(/Routes$/, '')}_${method}`,
  });
  document.components = { ...document.components, schemas: { ...document.components?.schemas, Problem: jsonSchema(Problem, 'output') as never } };
  return document;
}

/** /openapi.json, the same as /openapi.yaml and, for people, /docs. Neither tells a stranger more than the source code does. */
export function serveDocument(app: NestExpressApplication, version: string): void {
  SwaggerModule.setup('docs', app, () => documentOf(app, version), { jsonDocumentUrl: 'openapi.json', yamlDocumentUrl: 'openapi.yaml', raw: ['json', 'yaml'], customSiteTitle: 'Kiroku admin API' });
}
