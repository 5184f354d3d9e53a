import { afterAll, beforeAll } from '@jest/globals';
import { KurrentEventStore } from '../../event-store/kurrentdb.js';
import { type KurrentRig, startKurrentRig } from '../../rig/engines/kurrentdb/server.js';
import { describeGroupAccess } from './group-access-contract.js';
import { mailboxWorld } from './testing.js';

let kurrent: KurrentRig;
beforeAll(async () => void (kurrent = await startKurrentRig()));
afterAll(() => kurrent.stop());

describeGroupAccess('PostgreSQL', () => mailboxWorld());
describeGroupAccess('KurrentDB', () => mailboxWorld((pool, hints, inline, trouble) => new KurrentEventStore({ url: kurrent.url, trouble }, pool, hints, inline)));
