import { mailDate } from '@kiroku/domain/mail/received.js';
import { base64Lines, foldedField } from '@kiroku/domain/notice/wire-text.js';

export interface TlsReportMail {
  /** The domain that is told, and the name of who tells. */
  readonly domain: string;
  readonly submitter: string;
  readonly day: string;
  readonly reportId: string;
  /** Addresses in ASCII. */
  readonly from: string;
  readonly to: string;
  /** Without angle brackets. */
  readonly messageId: string;
  /** Epoch ms, and minutes east of UTC. */
  readonly now: number;
  readonly offset: number;
  /** The report's JSON, compressed with gzip. */
  readonly gzip: Uint8Array;
}

/** The name of a report as a file (RFC 8460 §5.1). */
export function reportFile({ submitter, domain, day }: Pick<TlsReportMail, 'submitter' | 'domain' | 'day'>): string {
  const start = Date.parse(`${day}T00:00:00Z`) / 1000;
  return `${submitter}!${domain}!${start}!${start + 86_399}.json.gz`;
}

/** A report about TLS as a mail (RFC 8460 §5.3), in lines of ASCII. Nothing in it comes from strangers but names that are checked. */
export function reportMail(mail: TlsReportMail): Uint8Array {
  const { domain, submitter, day, reportId, from, to, messageId, now, offset, gzip } = mail;
  const boundary = '=_kiroku_tlsrpt'; // no line of base64 or of the text below begins like it
  const text = [
    `${foldedField('From', `<${from}>`)}${foldedField('To', `<${to}>`)}`,
    foldedField('Subject', `Report Domain: ${domain} Submitter: ${submitter} Report-ID: <${reportId}>`),
    `Date: ${mailDate(now, offset)}\r\nMessage-ID: <${messageId}>\r\n`,
    `TLS-Report-Domain: ${domain}\r\nTLS-Report-Submitter: ${submitter}\r\n`,
    // It must arrive although TLS is what is wrong (RFC 8460 §3); servers on the way hear so (RFC 8689 §3).
    'TLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n',
    `Content-Type: multipart/report; report-type="tlsrpt";\r\n boundary="${boundary}"\r\n\r\n`,
    `--${boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n`,
    `This is a report about the encryption of mail connections (TLS-RPT, RFC 8460).\r\n\r\n`,
    `Domain:    ${domain}\r\nSubmitter: ${submitter}\r\nDay:       ${day} (UTC)\r\n\r\n`,
    `--${boundary}\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n`,
    `Content-Disposition: attachment;\r\n filename="${reportFile(mail)}"\r\n\r\n`,
    `${base64Lines(gzip)}--${boundary}--\r\n`,
  ];
  return Buffer.from(text.join(''), 'latin1');
}
