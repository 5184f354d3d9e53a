import type { z } from 'zod';
import type { Name, Settings } from './settings.js';

type Read = z.output<typeof Settings>;
/** A setting as whoever wrote it calls it. */
type Called = (name: Name) => string;

/** What an engine cannot do without. */
const NEEDS: readonly { readonly name: Name; readonly value: string; readonly needs: readonly Name[] }[] = [
  { name: 'eventLog', value: 'kafka', needs: ['kafkaBrokers'] },
  { name: 'eventStore', value: 'kurrentdb', needs: ['kurrentdbUrl'] },
  { name: 'objectStore', value: 's3', needs: ['s3Endpoint', 's3Bucket', 's3AccessKey', 's3SecretKey'] },
];

/** Settings that others need, a line each. */
export function missing(settings: Read, called: Called): readonly string[] {
  const lacking = (names: readonly Name[]): readonly Name[] => names.filter((name) => settings[name] === undefined);
  return [
    ...NEEDS.flatMap(({ name, value, needs }) => (settings[name] === value ? lacking(needs).map((need) => `${called(name)}=${value} needs ${called(need)}`) : [])),
    ...(settings.kafkaSasl ? lacking(['kafkaUser', 'kafkaPassword']).map((need) => `${called('kafkaSasl')}=${settings.kafkaSasl} needs ${called(need)}`) : []),
    ...(settings.postgresReplicaUrl !== undefined && settings.postgresUrl === undefined ? [`${called('postgresReplicaUrl')} needs ${called('postgresUrl')}`] : []),
    ...(!settings.kafkaSasl && settings.kafkaUser !== undefined ? [`${called('kafkaUser')} needs ${called('kafkaSasl')}`] : []),
  ];
}

/** For the log: what works, and may not have been meant so. */
export function unsafe(settings: Read, called: Called): readonly string[] {
  return [
    ...(settings.kafkaSasl === 'plain' && settings.kafkaTls === 'off' ? [`${called('kafkaSasl')}=plain without ${called('kafkaTls')} shows the password to the network`] : []),
    ...(settings.eventLog === 'kafka' && (settings.kafkaReplication ?? 3) < 3 ? [`${called('kafkaReplication')}=${settings.kafkaReplication} keeps too few copies: mail is lost with a broker, or stands still without it`] : []),
  ];
}
