import type { Text } from '@kiroku/domain/story/texts.js';

/** `{}` stands for what it is about. Why a move is refused is said in English, as by a start. */
export const WORDS = {
  facts: { en: 'facts', ja: '事実' },
  bodies: { en: 'bodies', ja: '本文' },
  tables: { en: 'tables', ja: '表' },
  lookedFacts: { en: 'dry run, nothing changed: {} facts would be copied to Kafka', ja: '試行のみ(変更なし): 事実 {} 件を Kafka にコピーします' },
  lookedBodies: { en: 'dry run, nothing changed: {} bodies, {} bytes would be copied to S3', ja: '試行のみ(変更なし): 本文 {} 件、{} バイトを S3 にコピーします' },
  lookedTables: { en: 'dry run, nothing changed: {} tables, {} rows would be copied', ja: '試行のみ(変更なし): 表 {}、{} 行をコピーします' },
  sameFacts: { en: 'the same on both sides: {} facts', ja: '両側で一致: 事実 {} 件' },
  sameBodies: { en: 'all readable in the new store: {} bodies, {} bytes', ja: '新しい保存先で全件を確認: 本文 {} 件、{} バイト' },
  sameTables: { en: 'the same on both sides: {} tables, {} rows', ja: '両側で一致: 表 {}、{} 行' },
  movedFacts: { en: 'moved and compared: {} facts. Now set KIROKU_EVENT_LOG=kafka on every machine and start', ja: '移動と照合が完了: 事実 {} 件。すべてのマシンで KIROKU_EVENT_LOG=kafka を設定して起動してください' },
  movedBodies: { en: 'moved and checked: {} bodies, {} bytes. Now set KIROKU_OBJECT_STORE=s3 on every machine and start', ja: '移動と検査が完了: 本文 {} 件、{} バイト。すべてのマシンで KIROKU_OBJECT_STORE=s3 を設定して起動してください' },
  movedTables: { en: 'moved and compared: {} tables, {} rows. Now start with KIROKU_POSTGRES_URL', ja: '移動と照合が完了: 表 {}、{} 行。KIROKU_POSTGRES_URL を設定したまま起動してください' },
  different: { en: 'DIFFERENT:', ja: '相違あり:' },
  more: { en: '  and {} more', ja: '  ほか {} 件' },
  notSwitched: { en: 'nothing was switched: the old engine is still in use', ja: '切り替えていません(元のエンジンのまま)' },
  stopped: { en: 'stopped: the same command goes on from here', ja: '中断しました。同じコマンドで続きから再開できます' },
} as const satisfies Record<string, Text>;
