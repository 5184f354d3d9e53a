import 'reflect-metadata';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Ids } from '@kiroku/domain/kernel/clock.js';
import type { Logger } from '@kiroku/infra/telemetry/logger.js';
import type { NextFunction, Response } from 'express';
import { ApiModule, type ApiParts } from './api.module.js';
import { problemOf } from './http/problem.js';
import type { AdminRequest } from './http/request.js';
import { VERSION } from '@kiroku/infra/platform/product.js';
import { serveDocument } from './openapi.js';


/** Bytes of a JSON body: an alias with all its targets. */
const JSON_BODY = 1024 * 1024;
/** ms for a request to arrive whole: 64 MiB over a slow line. */
const UPLOAD = 15 * 60_000;
const HEADERS = 20_000;
const CONNECTIONS = 256;
/** Requests worked on at once; the rest is told to come again. Each may hold a connection of the pool. */
const AT_ONCE = 64;

/** The admin API as an application, not yet listening. */
export async function openApi(parts: ApiParts): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(ApiModule.of(parts), { bodyParser: false, logger: false, abortOnError: false });
  app.use(front(parts.engine.ids, parts.logger));
  const { replica } = parts;
  if (replica) app.use(changes(() => replica.changing()));
  app.useBodyParser('json', { limit: JSON_BODY, strict: true });
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.setGlobalPrefix('api/v1');
  serveDocument(app, VERSION);
  return app;
}

/** @returns where it listens; port 0 takes a free one. */
export async function listen(app: NestExpressApplication, host: string, port: number): Promise<AddressInfo> {
  const server: Server = app.getHttpServer();
  server.requestTimeout = UPLOAD;
  server.headersTimeout = HEADERS;
  server.maxConnections = CONNECTIONS;
  server.maxHeadersCount = 100;
  await app.listen(port, host);
  return server.address() as AddressInfo;
}

/** Who changed something sees it in the next report, wherever that is read. */
function changes(changing: () => () => void) {
  return (request: AdminRequest, response: Response, next: NextFunction): void => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const done = changing();
      response.once('finish', done).once('close', done);
    }
    next();
  };
}

/** First for every request: its id, headers that keep browsers from misusing answers, a bound on what runs at once, a log line. */
function front(ids: Ids, logger: Logger) {
  let running = 0;
  return (request: AdminRequest, response: Response, next: NextFunction): void => {
    const began = performance.now();
    const id = (request.id = ids.uuid());
    response.setHeader('X-Request-Id', id);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    response.setHeader('Cache-Control', 'no-store');
    // Swagger's page has a script and styles of its own.
    response.setHeader('Content-Security-Policy', request.path.startsWith('/docs')
      ? "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
      : "default-src 'none'; frame-ancestors 'none'");
    if (running >= AT_ONCE) {
      const { status, ...problem } = problemOf('unavailable', id);
      response.setHeader('Retry-After', '1');
      response.status(status).type('application/problem+json').send(JSON.stringify({ status, ...problem }));
      return;
    }
    running++;
    response.once('close', () => {
      running--;
      const { statusCode: status } = response;
      // What a reader asks all the time says nothing; changes and failures do.
      if (request.method === 'GET' && status < 400) return;
      logger.info({ request: id, method: request.method, path: request.path, status, ms: Math.round(performance.now() - began), by: request.caller?.name }, 'request');
    });
    next();
  };
}
