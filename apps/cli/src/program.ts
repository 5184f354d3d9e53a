import { VERSION } from '@kiroku/infra/platform/product.js';
import { Command, CommanderError } from 'commander';
import { Failed, Refused } from './client.js';
import { Told } from './command.js';
import { configRefusal } from './config-words.js';
import { addAccountCommands } from './commands/account.js';
import { addAdminCommands } from './commands/admin.js';
import { addAliasCommands } from './commands/alias.js';
import { addAuditCommands } from './commands/audit.js';
import { addCredentialsCommands } from './commands/credentials.js';
import { addDomainCommands } from './commands/domain.js';
import { addGatewayCommands } from './commands/gateway.js';
import { addGroupCommands } from './commands/group.js';
import { addLdapCommands } from './commands/ldap.js';
import { addMailboxCommands } from './commands/mailbox.js';
import { addMessageCommands } from './commands/message.js';
import { addOperationCommands, Unhealthy } from './commands/operations.js';
import { addPolicyCommands } from './commands/policy.js';
import { addQuarantineCommands } from './commands/quarantine.js';
import { addQueueCommands } from './commands/queue.js';
import { addRelayDomainCommands } from './commands/relay-domain.js';
import { addTlsPolicyCommands } from './commands/tls-policy.js';
import { RowsRefused } from './commands/transfer.js';
import { addDemoCommand } from './demo/demo.js';
import { speak } from './help.js';
import type { Terminal } from './terminal.js';
import { languageOf, REASONS, say } from './texts.js';
import { wantedLanguage } from './wanted-language.js';

/** Exit codes that scripts rely on (design §6). */
const DONE = 0;
const REFUSED = 1;
const USAGE = 2;

/** The command line without the commands that need no server; see main.ts. */
export function makeProgram(terminal: Terminal): Command {
  const program = new Command('kiroku')
    .description('Kiroku, a mail server that remembers')
    .version(VERSION, '-V, --version')
    .configureHelp({ showGlobalOptions: false });
  for (const add of [addDomainCommands, addAccountCommands, addAliasCommands, addGroupCommands, addMailboxCommands, addMessageCommands, addQueueCommands, addQuarantineCommands, addGatewayCommands, addCredentialsCommands, addRelayDomainCommands, addLdapCommands, addTlsPolicyCommands, addPolicyCommands, addAdminCommands, addAuditCommands, addOperationCommands, addDemoCommand])
    add(program, terminal);
  return program;
}

/** Runs one command line. @returns the exit code; the reason of a refusal has been written. */
export async function runProgram(program: Command, args: readonly string[], terminal: Terminal): Promise<number> {
  prepare(program, terminal);
  speak(program, languageOf(terminal.env, wantedLanguage(args)));
  try {
    await program.parseAsync(args, { from: 'user' });
    return DONE;
  } catch (error) {
    return explain(error, args, terminal);
  }
}

/** Subcommands inherit neither setting by themselves once they are made. */
function prepare(command: Command, terminal: Terminal): void {
  command.exitOverride();
  command.configureOutput({ writeOut: (text) => void terminal.output.write(text), writeErr: (text) => void terminal.errors.write(text) });
  for (const sub of command.commands) prepare(sub, terminal);
}

function explain(error: unknown, args: readonly string[], terminal: Terminal): number {
  const language = languageOf(terminal.env, wantedLanguage(args));
  const complain = (text: string): void => void terminal.errors.write(`kiroku: ${text}\n`);
  if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : USAGE; // commander has said why
  if (error instanceof RowsRefused || error instanceof Unhealthy || error instanceof Told) return REFUSED;
  if (error instanceof Failed) {
    complain(say(language, error.saying, ...error.about));
    return error.usage ? USAGE : REFUSED;
  }
  if (error instanceof Refused) {
    const words = (REASONS as Readonly<Record<string, { readonly en: string; readonly ja: string }>>)[error.reason]?.[language] ?? error.reason;
    complain(error.detail === undefined || error.detail === '' ? words : `${words}: ${error.detail}`);
    return error.reason === 'bad-request' ? USAGE : REFUSED;
  }
  const settings = configRefusal(error, language);
  if (settings !== undefined) {
    complain(settings);
    return USAGE;
  }
  complain(error instanceof Error ? error.message : String(error));
  return REFUSED;
}
