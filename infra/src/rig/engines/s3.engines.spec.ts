import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buffer } from 'node:stream/consumers';
import { Client, RETENTION_MODES } from 'minio';
import { alive } from '../processes.js';
import { startS3, type S3Rig } from './s3.js';

describe('the S3 server', () => {
  let rig: S3Rig;
  let client: Client;
  beforeAll(async () => {
    rig = await startS3();
    const { hostname, port } = new URL(rig.endpoint);
    client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey: rig.accessKey, secretKey: rig.secretKey, region: rig.region, pathStyle: true });
    await client.makeBucket('bodies', rig.region);
  });
  afterAll(() => rig.stop());

  it('keeps an object, its metadata and a multipart one when it is killed', async () => {
    const large = Buffer.alloc(12 << 20, 'many parts ');
    await client.putObject('bodies', 'packs/small', Buffer.from('small'), undefined, { purpose: 'test' });
    await client.putObject('bodies', 'packs/large', large);
    const before = rig.pid;
    await rig.kill();
    expect([alive(before), rig.pid]).toEqual([false, 0]);
    await rig.start();
    expect((await buffer(await client.getObject('bodies', 'packs/small'))).toString()).toBe('small');
    expect((await client.statObject('bodies', 'packs/small')).metaData).toMatchObject({ purpose: 'test' });
    expect(large.equals(await buffer(await client.getObject('bodies', 'packs/large')))).toBe(true);
  });

  it('gives a range of an object', async () => {
    await client.putObject('bodies', 'ranged', Buffer.from('0123456789'));
    expect((await buffer(await client.getPartialObject('bodies', 'ranged', 3, 4))).toString()).toBe('3456');
  });

  it('puts an object only where there is none, when asked to', async () => {
    const put = async (body: string): Promise<number> => {
      const url = await client.presignedPutObject('bodies', 'only-once');
      return (await fetch(url, { method: 'PUT', body, headers: { 'if-none-match': '*' } })).status;
    };
    expect([await put('first'), await put('second')]).toEqual([200, 412]);
    expect((await buffer(await client.getObject('bodies', 'only-once'))).toString()).toBe('first');
  });

  it('refuses an object that is not what its checksum says', async () => {
    const url = await client.presignedPutObject('bodies', 'broken');
    const md5 = createHash('md5').update('sent').digest('base64');
    const answer = await fetch(url, { method: 'PUT', body: 'arrived', headers: { 'content-md5': md5 } });
    expect(answer.status).toBe(400);
    await expect(client.statObject('bodies', 'broken')).rejects.toThrow();
  });

  it('does not delete a locked version before its day, also after it was killed', async () => {
    await client.makeBucket('locked', rig.region, { ObjectLocking: true });
    const { versionId } = await client.putObject('locked', 'proof', Buffer.from('kept'));
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    await client.putObjectRetention('locked', 'proof', { mode: RETENTION_MODES.COMPLIANCE, retainUntilDate: tomorrow, versionId: versionId ?? '' });
    await rig.kill();
    await rig.start();
    await expect(client.removeObject('locked', 'proof', { versionId: versionId ?? '' })).rejects.toThrow();
    expect((await buffer(await client.getObject('locked', 'proof', { versionId: versionId ?? '' }))).toString()).toBe('kept');
  });

  it('does not answer while it is held', async () => {
    rig.pause();
    await expect(fetch(`${rig.endpoint}/health`, { signal: AbortSignal.timeout(300) })).rejects.toThrow('timeout');
    rig.resume();
    expect((await fetch(`${rig.endpoint}/health`)).status).toBe(200);
  });
});
