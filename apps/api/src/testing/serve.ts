import { testApi } from './test-api.js';

// For tests of other applications, which may not import this one: says on stdout where it is, and ends with its stdin.
const api = await testApi();
const { url, data, token, platform } = api;
process.stdout.write(`${JSON.stringify({ url, data, token, database: platform.address })}\n`);
process.stdin.resume().once('end', () => void api.close().then(() => process.exit(0)));
