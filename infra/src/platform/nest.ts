import 'reflect-metadata';
import { type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { RunningRole } from '../supervise/role-process.js';

/** Starts a role's Nest module; draining closes it: first what serves clients (beforeApplicationShutdown), then what it stands on (onApplicationShutdown). */
export async function startModule(module: DynamicModule): Promise<RunningRole> {
  const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  return { drain: () => app.close() };
}
