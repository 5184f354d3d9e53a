import { readFile } from 'node:fs/promises';
import { decodeList } from '@kiroku/domain/directory/tsv-text.js';
import { VERIFICATIONS } from '@kiroku/domain/routing/verification.js';
import type { RelayDomainDetails, RelayDomainInfo } from '@kiroku/infra/admin/relay-domains.js';
import { type Command, Option } from 'commander';
import { Failed } from '../client.js';
import { type Adder, type Columns, leaf, part } from '../command.js';

const COLUMNS: Columns<RelayDomainInfo> = {
  name: (d) => d.name, verify: (d) => d.verify, ldap: (d) => d.ldap, listed: (d) => d.listed, createdAt: (d, run) => run.time(d.createdAt), changedAt: (d, run) => run.time(d.changedAt),
};
const DETAILS: Columns<RelayDomainDetails> = { ...COLUMNS, recipients: (d) => d.recipients.join(', ') };

type Name = readonly [string];
interface Options { verify?: string; ldap?: string; recipients?: string }

const withList = (command: Command): Command => command.option('--recipients <file>', 'the list: an address or local part a line, * for any characters of a local part');
const verify = () => new Option('--verify <how>', 'take all recipients, those on the list, those that the inner server takes, or those that an LDAP directory knows').choices(VERIFICATIONS);
const DIRECTORY = ['--ldap <name>', 'the LDAP directory that knows them'] as const;

/** Blank lines and those that begin with # are left out. */
async function listIn(file: string | undefined): Promise<readonly string[] | undefined> {
  if (file === undefined) return undefined;
  const bytes = await readFile(file).catch(() => undefined);
  const text = bytes && decodeList(bytes)?.text;
  if (text === undefined) throw new Failed('cannotRead', [file]);
  return text.split(/\r\n|\n|\r/).map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
}

export const addRelayDomainCommands: Adder = (program, terminal) => {
  const relay = program.command('relay-domain').description('domains whose mail is taken for a gateway though they are not local');
  withList(
    leaf<Name, Options>(relay, terminal, 'add <name>', 'take mail for a domain that a gateway serves', async (run, [name], options) => {
      const added = await run.api.post<RelayDomainDetails>('/relay-domains', { name, verify: options.verify, ldap: options.ldap, recipients: await listIn(options.recipients) });
      run.done('added', added.name, added);
    })).addOption(verify().makeOptionMandatory()).option(...DIRECTORY);
  leaf(relay, terminal, 'list', 'list relay domains', (run) => run.list(run.api.all<RelayDomainInfo>('/relay-domains'), COLUMNS));
  leaf<Name, object>(relay, terminal, 'show <name>', 'show a relay domain with its recipients', async (run, [name]) =>
    run.show(await run.api.get<RelayDomainDetails>(`/relay-domains/${part(name)}`), DETAILS));
  withList(
    leaf<Name, Options>(relay, terminal, 'change <name>', 'check recipients in another way, or by another list', async (run, [name], options) => {
      const changes = { verify: options.verify, ldap: options.ldap, recipients: await listIn(options.recipients) };
      if (Object.values(changes).every((value) => value === undefined)) throw new Failed('nothingToChange', [], true);
      run.done('changed', name, await run.api.patch(`/relay-domains/${part(name)}`, changes));
    })).addOption(verify()).option(...DIRECTORY);
  for (const [verb, description] of [['add', 'put recipients on the list'], ['remove', 'take recipients off the list']] as const)
    leaf<readonly [string, readonly string[]], object>(relay, terminal, `${verb}-recipients <name> <recipients...>`, description, async (run, [name, recipients]) =>
      run.done('changed', name, await run.api.post(`/relay-domains/${part(name)}/recipients/${verb}`, { recipients })));
  leaf<Name, object>(relay, terminal, 'remove <name>', 'take no more mail for it', async (run, [name]) => {
    await run.api.delete(`/relay-domains/${part(name)}`);
    run.done('withdrawn', name);
  });
};
