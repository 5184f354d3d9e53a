import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TlsTable } from '@kiroku/domain/tls-policy/row.js';
import pg from 'pg';
import { type ApiProcess, command, type Spoken, startApi } from '../testing/api-process.js';
import { REASONS } from '../texts.js';

let api: ApiProcess;
beforeAll(async () => { api = await startApi(); }, 60_000);
afterAll(() => api.stop());

const kiroku = (line: string): Promise<Spoken> => command(api.env, `tls-policy ${line}`.split(' '));
const must = async (line: string): Promise<string> => {
  const { code, out, err } = await kiroku(line);
  expect({ line, code, err }).toEqual({ line, code: 0, err: '' });
  return out;
};

describe('kiroku tls-policy', () => {
  it('adds, lists, changes, moves and removes rows', async () => {
    expect(await must('add *.Old.test plain-next-handshake --min TLSv1 --note until-May')).toBe('added: *.Old.test\n');
    expect(await must('add 192.0.2.0/24 off --before *.old.test')).toBe('added: 192.0.2.0/24\n');
    expect(await must('list')).toBe(
      'peer          TLS                   oldest version  newest version  note\n'
      + '192.0.2.0/24  off                   -               -               -\n'
      + '*.old.test    plain-next-handshake  TLSv1           -               until-May\n');
    expect(await must('change *.old.test --mode verified --min - --max TLSv1.3 --note -')).toBe('changed: *.old.test\n');
    expect(await must('change 192.0.2.0/24 --last')).toBe('changed: 192.0.2.0/24\n');
    expect((JSON.parse(await must('list --json')) as TlsTable).rows).toEqual([{ peer: '*.old.test', mode: 'verified', max: 'TLSv1.3' }, { peer: '192.0.2.0/24', mode: 'off' }]);
    expect(await must('remove 192.0.2.0/24 --lang ja')).toBe('削除しました: 192.0.2.0/24\n');
  });

  it('says which clients are not offered STARTTLS', async () => {
    expect(await must('never-offer 10.* 192.0.2.1')).toBe('changed: 10.*, 192.0.2.1\n');
    expect(await must('offer 10.*')).toBe('changed: 10.*\n');
    expect(await must('list --lang ja')).toMatch(/STARTTLS を提示しない相手\n192\.0\.2\.1\n$/);
  });

  it('shows what was gathered about TLS, and the report itself', async () => {
    const database = new pg.Client(api.database);
    await database.connect();
    await database.query(`INSERT INTO view.tls_report_1 (day, domain, policy, host, ip, source, failure, count) VALUES ('2026-01-05', 'y.test', 'sts', 'mx.y.test', '', '', '', 7), ('2026-01-05', 'y.test', 'sts', 'mx.y.test', '', '', 'certificate-expired', 2)`);
    await database.end();
    expect(await must('report')).toBe('day (UTC)   domain  successful  failed  failures\n2026-01-05  y.test  7           2       certificate-expired\n');
    expect(await must('report z.test --json')).toBe('[]\n');
    expect(JSON.parse(await must('report y.test 2026-01-05'))).toMatchObject({ policies: [{ summary: { 'total-failure-session-count': 2 } }] });
    expect(await kiroku('report y.test 2026-01-07')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['no-tls-report'].en}: 2026-01-07 y.test\n` });
  });

  it('ends with 1 and the reason when refused, with 2 when written wrongly', async () => {
    expect(await kiroku('remove gone.test')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['no-such-tls-row'].en}: gone.test\n` });
    expect(await kiroku('add *.old.test off')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['tls-row-exists'].en}: *.old.test\n` });
    expect(await kiroku('add x.test off --min TLSv1.2')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['bad-tls-row'].en}: mode off uses no TLS: it goes with no versions\n` });
    expect(await kiroku('add x.test maybe')).toMatchObject({ code: 2 });
    expect(await kiroku('add x.test required --min SSLv3')).toMatchObject({ code: 2 });
    expect(await kiroku('change *.old.test')).toMatchObject({ code: 2 });
    expect(await kiroku('change *.old.test --before x.test --last')).toMatchObject({ code: 2 });
  });
});
