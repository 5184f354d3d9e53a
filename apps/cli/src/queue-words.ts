import type { QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import type { Language, Text } from '@kiroku/domain/story/texts.js';
import type { QueueItem } from '@kiroku/infra/admin/queue.js';
import type { QueueVerb } from '@kiroku/infra/admin/queue-commands.js';

/** What an order does to a recipient: asked before it, said after it, said instead of it. */
export const VERBS: Readonly<Record<QueueVerb, { readonly about: Text; readonly ask: Text; readonly done: Text; readonly would: Text }>> = {
  hold: {
    about: { en: 'keep back until released', ja: '解除まで保留' }, ask: { en: 'Hold {} recipients (messages: {})?', ja: '宛先 {} 件({} 通)を保留しますか?' },
    done: { en: 'held', ja: '保留しました' }, would: { en: 'would be held', ja: '保留予定' },
  },
  release: {
    about: { en: 'send what is held', ja: '保留を解除' }, ask: { en: 'Release {} recipients (messages: {})?', ja: '宛先 {} 件({} 通)の保留を解除しますか?' },
    done: { en: 'released', ja: '保留を解除しました' }, would: { en: 'would be released', ja: '保留解除予定' },
  },
  retry: {
    about: { en: 'try now', ja: '今すぐ再試行' }, ask: { en: 'Try {} recipients (messages: {}) now?', ja: '宛先 {} 件({} 通)を今すぐ再試行しますか?' },
    done: { en: 'due now', ja: '今すぐ再試行します' }, would: { en: 'would be due now', ja: '再試行予定' },
  },
  bounce: {
    about: { en: 'give up, and tell the sender', ja: '配送を中止し送信者に通知' }, ask: { en: 'Bounce {} recipients (messages: {})?', ja: '宛先 {} 件({} 通)を配送不能として送信者に返しますか?' },
    done: { en: 'bounced', ja: '配送不能として返しました' }, would: { en: 'would be bounced', ja: '返送予定' },
  },
  remove: {
    about: { en: 'take out of the queue; the sender is not told', ja: 'キューから削除(送信者に通知しない)' },
    ask: { en: 'Remove {} recipients (messages: {}) without telling the senders?', ja: '宛先 {} 件({} 通)を送信者に通知せず削除しますか?' },
    done: { en: 'removed', ja: '削除しました' }, would: { en: 'would be removed', ja: '削除予定' },
  },
  reroute: {
    about: { en: 'send to this host instead of where routing says', ja: '経路を指定したホストに変更' }, ask: { en: 'Reroute {} recipients (messages: {})?', ja: '宛先 {} 件({} 通)の経路を変更しますか?' },
    done: { en: 'rerouted', ja: '経路を変更しました' }, would: { en: 'would be rerouted', ja: '経路変更予定' },
  },
  priority: {
    about: { en: 'send before or after others', ja: '優先度を変更' }, ask: { en: 'Change the priority of {} recipients (messages: {})?', ja: '宛先 {} 件({} 通)の優先度を変更しますか?' },
    done: { en: 'priority changed', ja: '優先度を変更しました' }, would: { en: 'would get another priority', ja: '優先度変更予定' },
  },
};

const STATES: Readonly<Record<QueueItem['state'] | 'sending', Text>> = {
  waiting: { en: 'waiting', ja: '待機' },
  held: { en: 'held', ja: '保留' },
  sending: { en: 'sending', ja: '送信中' },
  unread: { en: 'not taken over yet', ja: '引き継ぎ待ち' },
};
export const stateOf = ({ state, sendingTo }: QueueItem, language: Language): string => STATES[sendingTo === null ? state : 'sending'][language];

const CAUSES: Readonly<Record<string, string>> = { refused: '拒否', 'line fault': '回線障害', 'no answer': '応答なし', 'trouble of this server': 'このサーバー側の障害' };
const UNITS: Readonly<Record<string, string>> = { s: '秒', min: '分', h: '時間', d: '日' };
const spanOf = (n = '', unit = ''): string => `${n} ${UNITS[unit] ?? unit}`;

/** The parts of which the schedule makes its sentences. */
const PARTS: readonly (readonly [RegExp, (...groups: string[]) => string])[] = [
  [/^new$/, () => '新規'],
  [/^held$/, () => '保留中'],
  [/^released$/, () => '保留解除'],
  [/^retry requested$/, () => '再試行の要求'],
  [/^rerouted$/, () => '経路変更'],
  [/^recipient changed$/, () => '宛先変更'],
  [/^not counted$/, () => '回数に含めない'],
  [/^try (\d+) of (\d+)$/, (n, of) => `${n} 回目/全 ${of} 回`],
  [/^try (\d+)$/, (n) => `${n} 回目`],
  [/^next in (\d+) s$/, (n) => `次回は ${n} 秒後`],
  [/^given up at once$/, () => '直ちに断念'],
  [/^given up after (\d+) (?:try|tries)$/, (n) => `${n} 回で断念`],
  [/^given up after ([\d.]+) (s|min|h|d) in all$/, (n, unit) => `受付から ${spanOf(n, unit)}で断念`],
  [/^given up after ([\d.]+) (s|min|h|d)$/, (n, unit) => `${spanOf(n, unit)}で断念`],
];

/** Why the next try is then, in the reader's language; as it stands where it is none of the schedule's own sentences. */
export function whyIn(language: Language, why: string): string {
  if (language === 'en') return why;
  const [, cause, rest] = /^([a-z ]+): (.*)$/.exec(why) ?? [];
  const head = cause === undefined ? undefined : CAUSES[cause];
  if (cause !== undefined && head === undefined) return why;
  const parts = (rest ?? why).split(', ').map(partIn);
  return parts.some((part) => part === undefined) ? why : `${head === undefined ? '' : `${head}: `}${parts.join('、')}`;
}

function partIn(part: string): string | undefined {
  for (const [form, words] of PARTS) {
    const found = form.exec(part);
    if (found) return words(...found.slice(1));
  }
  return undefined;
}

/** The event with its reasons in the reader's language. */
export function eventIn(language: Language, event: Recorded): Recorded {
  if (language === 'en' || event.type !== 'DeliveryAttempted') return event;
  const data = event.data as QueueFact<'DeliveryAttempted'>;
  return { ...event, data: { ...data, results: data.results.map((r) => (r.why === undefined ? r : { ...r, why: whyIn(language, r.why) })) } };
}
