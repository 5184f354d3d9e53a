import { createRequire } from 'node:module';
import { EventEmitter } from 'node:events';
import { afterAll, describe, expect, it } from '@jest/globals';
import { mendTimers } from './kafkajs-timers.js';

interface Queue {
  readonly throttleCheckTimeoutId: NodeJS.Timeout | null;
  push(request: { readonly entry: { readonly correlationId: number }; readonly expectResponse: boolean; readonly sendRequest: () => void }): void;
  fulfillRequest(answer: { readonly correlationId: number; readonly payload: Buffer; readonly size: number }): void;
  destroy(): void;
}
const silent = { namespace: () => silent, debug: () => undefined, warn: () => undefined };
const load = createRequire(import.meta.url);

/** A queue of a connection; `fulfilled` what it was asked, one request under way at a time. */
function queueOf(): Queue {
  const Made = load('kafkajs/src/network/requestQueue/index.js') as new (options: object) => Queue;
  return new Made({ instrumentationEmitter: new EventEmitter(), maxInFlightRequests: 1, requestTimeout: 10_000, clientId: 'c', broker: 'b', logger: silent, isConnected: () => true });
}
const request = (correlationId: number, sent: number[]) =>
  ({ entry: { correlationId, resolve: () => undefined, reject: () => undefined, apiKey: 0, apiName: '', apiVersion: 0 }, expectResponse: true, sendRequest: () => void sent.push(correlationId) });
const answered = (correlationId: number) => ({ correlationId, payload: Buffer.alloc(0), size: 0 });

describe('a connection of kafkajs', () => {
  const queue = queueOf();
  afterAll(() => queue.destroy());

  it('sets no timer when nothing waits to be sent, and sends what waits', () => {
    mendTimers();
    const sent: number[] = [];
    queue.push(request(1, sent));
    expect(queue.throttleCheckTimeoutId).toBeNull();
    queue.push(request(2, sent));
    expect(queue.throttleCheckTimeoutId).not.toBeNull();
    expect(sent).toEqual([1]);
    queue.fulfillRequest(answered(1));
    expect(sent).toEqual([1, 2]);
    queue.destroy();
    queue.fulfillRequest(answered(2));
    expect(queue.throttleCheckTimeoutId).toBeNull();
  });
});
