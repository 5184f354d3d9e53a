import { run } from '@kiroku/infra/rig/kiroku.js';

export interface ReportPart {
  readonly type: string;
  readonly text: string;
}

/** A delivery status notification (RFC 3464) as Python's email package reads it. */
export interface Report {
  readonly header: Readonly<Record<string, string>>;
  readonly type: string;
  readonly reportType: string | null;
  /** What the parser found wrong anywhere. */
  readonly defects: readonly string[];
  readonly parts: readonly ReportPart[];
  /** Fields about the message, names in lower case. */
  readonly message: Readonly<Record<string, string>>;
  /** Fields about each recipient. */
  readonly recipients: readonly Readonly<Record<string, string>>[];
}

const PARSER = `
import sys, json, email, base64
def fields(m):
    return {k.lower(): ' '.join(str(v).split()) for k, v in m.items()}
m = email.message_from_bytes(base64.b64decode(sys.stdin.read()))
parts = m.get_payload() if m.is_multipart() else []
status = [g for p in parts if p.get_content_type() == 'message/delivery-status' for g in p.get_payload()]
def text(p):
    b = p.get_payload(decode=True)
    return b.decode('utf-8', 'replace') if b is not None else p.as_string()
json.dump({
  'header': fields(m), 'type': m.get_content_type(), 'reportType': m.get_param('report-type'),
  'defects': [type(d).__name__ for p in m.walk() for d in p.defects],
  'parts': [{'type': p.get_content_type(), 'text': text(p)} for p in parts],
  'message': fields(status[0]) if status else {}, 'recipients': [fields(g) for g in status[1:]],
}, sys.stdout)
`;

/** @param mail as it came from the mailbox. */
export async function parseReport(mail: Uint8Array): Promise<Report> {
  const { code, stdout, stderr } = await run('python3', ['-c', PARSER], process.env, Buffer.from(mail).toString('base64'));
  if (code !== 0) throw new Error(`python3: ${stderr}`);
  return JSON.parse(stdout) as Report;
}

const TEXT = `
import sys, email, base64
m = email.message_from_bytes(base64.b64decode(sys.stdin.read()))
sys.stdout.buffer.write(m.get_payload(decode=True).decode(m.get_content_charset('ascii')).encode('utf-8'))
`;

/** The text of a message of one part, decoded as Python's email package does it. @param mail a character per octet. */
export async function textOf(mail: string): Promise<string> {
  const { code, stdout, stderr } = await run('python3', ['-c', TEXT], process.env, Buffer.from(mail, 'latin1').toString('base64'));
  if (code !== 0) throw new Error(`python3: ${stderr}`);
  return stdout;
}
