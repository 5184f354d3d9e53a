import type { MailParameters, RcptParameters } from '../parameters.js';

type Printable =
  | { readonly verb: 'MAIL'; readonly from: string; readonly parameters: MailParameters }
  | { readonly verb: 'RCPT'; readonly to: string; readonly parameters: RcptParameters };

/** A command as a client writes it, without CRLF. For tests. */
export function print(command: Printable): string {
  if (command.verb === 'MAIL') {
    const { size, body, smtputf8, requireTls, ret, envid } = command.parameters;
    return [
      `MAIL FROM:<${command.from}>`, `SIZE=${size}`, `BODY=${body}`, smtputf8 && 'SMTPUTF8', requireTls && 'REQUIRETLS', ret && `RET=${ret}`,
      envid !== undefined && `ENVID=${envid}`,
    ].filter(Boolean).join(' ');
  }
  const { notify, orcpt } = command.parameters;
  return [`RCPT TO:<${command.to}>`, notify && `NOTIFY=${notify.join(',')}`, orcpt !== undefined && `ORCPT=${orcpt}`].filter(Boolean).join(' ');
}
