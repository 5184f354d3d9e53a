import { Kiroku } from '@kiroku/infra/rig/kiroku.js';
import { countMail } from '@kiroku/infra/rig/pop3-client.js';
import { DOMAIN, PASSWORD, stopAtEnd, USERS, type MailServer } from './sut.js';

export interface KirokuUnderTest extends MailServer {
  readonly kiroku: Kiroku;
}

/** A throw-away Kiroku with its defaults, or with other engines by `env`; one domain and ten accounts. */
export async function startKiroku({ name = 'Kiroku', env = {} }: { readonly name?: string; readonly env?: Readonly<Record<string, string>> } = {}): Promise<KirokuUnderTest> {
  const kiroku = await Kiroku.start({ env, session: true });
  const stop = stopAtEnd(() => kiroku.remove());
  await kiroku.addDomain(DOMAIN);
  for (const user of USERS) await kiroku.addAccount(`${user}@${DOMAIN}`, PASSWORD);
  return {
    kiroku,
    name,
    version: `Kiroku ${(await kiroku.must('--version')).trim()}`,
    smtpPort: kiroku.ports.smtp,
    processes: () => kiroku.processes(),
    mailIn: (user) => countMail({ port: kiroku.ports.pop3s, tls: true }, `${user}@${DOMAIN}`, PASSWORD),
    stop,
  };
}
