import type { Text } from '@kiroku/domain/story/texts.js';

/** What was looked at. The key is the name in JSON. */
export const CHECKS = {
  settings: { en: 'settings', ja: '設定' },
  node: { en: 'node', ja: 'Node' },
  'data folder': { en: 'data folder', ja: 'データフォルダー' },
  disk: { en: 'disk', ja: 'ディスク' },
  postgres: { en: 'postgres', ja: 'PostgreSQL' },
  kafka: { en: 'kafka', ja: 'Kafka' },
  kurrentdb: { en: 'kurrentdb', ja: 'KurrentDB' },
  s3: { en: 's3', ja: 'S3' },
  secrets: { en: 'secrets', ja: '秘密情報' },
  certificates: { en: 'certificates', ja: '証明書' },
  server: { en: 'server', ja: 'サーバー' },
  smtp: { en: 'smtp', ja: 'SMTP' },
  submission: { en: 'submission', ja: 'Submission' },
  smtps: { en: 'smtps', ja: 'SMTPS' },
  pop3: { en: 'pop3', ja: 'POP3' },
  pop3s: { en: 'pop3s', ja: 'POP3S' },
  imap: { en: 'imap', ja: 'IMAP' },
  imaps: { en: 'imaps', ja: 'IMAPS' },
  http: { en: 'http', ja: 'HTTP' },
} as const satisfies Record<string, Text>;

export const STATES = {
  ok: { en: 'ok', ja: '正常' },
  warning: { en: 'warning', ja: '警告' },
  wrong: { en: 'wrong', ja: '異常' },
} as const satisfies Record<string, Text>;

/** `{}` stands for what it is about. What another program says (an error of the system) stays in its words. */
export const FINDINGS = {
  complete: { en: 'complete', ja: '問題なし' },
  said: { en: '{}', ja: '{}' },
  nodeGood: { en: 'version {}', ja: '版 {}' },
  nodeOld: { en: 'version {}: Kiroku runs on 24, which npm brings', ja: '版 {}。Kiroku には 24 が必要です(npm が導入します)' },
  folderToBe: { en: '{} is not there yet: the first start makes it', ja: '{} はまだありません(初回の起動時に作成)' },
  folderGood: { en: '{} can be written', ja: '{} に書き込めます' },
  folderBad: { en: '{} cannot be written: {}', ja: '{} に書き込めません: {}' },
  free: { en: '{} GiB free', ja: '空き {} GiB' },
  outsideGood: { en: 'version {}; connections: {} of {} taken', ja: '版 {}、接続数 {}/{}' },
  outsideAway: { en: 'does not answer: {}', ja: '応答しません: {}' },
  tooOld: { en: 'version {} is too old: {} or newer is needed', ja: '版 {} は古すぎます({} 以降が必要)' },
  untested: { en: 'version {}: Kiroku is tested with {}', ja: '版 {}。Kiroku は {} で試験しています' },
  encoding: { en: "the database's encoding is {}: it must be UTF8", ja: 'データベースの文字コードが {} です。UTF8 が必要です' },
  readOnly: { en: 'is a read-only copy', ja: '読み取り専用の複製です' },
  mayNotCreate: { en: 'the user {} may not create anything in {}', ja: 'ユーザー {} には {} への作成権限がありません' },
  notDurable: { en: '{} is {}: a power cut loses mail that was acknowledged', ja: '{} が {} です。停電時に受付済みのメールを失います' },
  engineAnswers: { en: '{} answers', ja: '{} が応答' },
  engineSilent: { en: '{} does not answer', ja: '{} が応答しません' },
  embeddedMade: { en: 'embedded {}, its folder fits', ja: '組み込み {}、フォルダーも適合' },
  embeddedNew: { en: 'embedded {}, not initialised yet', ja: '組み込み {}(未初期化)' },
  secretsLoose: { en: '{} can be read by others: chmod 600 it', ja: '{} を他のユーザーが読めます。chmod 600 を実行してください' },
  secretsGood: { en: 'only their owner can read the files that hold any', ja: '秘密情報のファイルは所有者だけが読めます' },
  noCertificate: { en: 'none yet: the first start makes a self-signed one', ja: 'まだありません(初回の起動時に自己署名証明書を作成)' },
  certificateGood: { en: '{} is good until {}', ja: '{} は {} まで有効' },
  certificateSoon: { en: '{} expires {}', ja: '{} の有効期限は {} です' },
  certificateOver: { en: '{} has expired {}', ja: '{} は {} に期限切れになりました' },
  certificateBad: { en: '{} cannot be read: {}', ja: '{} を読めません: {}' },
  portOff: { en: 'switched off', ja: '無効' },
  portAnswers: { en: 'answers on {}', ja: '{} で応答' },
  portSilent: { en: 'the server runs (process {}) but {} does not answer', ja: 'サーバーは動作中(プロセス {})ですが {} が応答しません' },
  portTaken: { en: '{} is taken by another program', ja: '{} はほかのプログラムが使用中です' },
  portFree: { en: '{} is free', ja: '{} は空いています' },
  stopped: { en: 'does not run on this data folder', ja: 'このデータフォルダーでは動作していません' },
  runs: { en: 'runs (process {}) and is healthy', ja: '動作中(プロセス {})、正常' },
  unwell: { en: 'runs (process {}) and is in trouble: {}', ja: '動作中(プロセス {})、異常: {}' },
  notAsked: { en: 'runs (process {}); it could not be asked how it is: {}', ja: '動作中(プロセス {})。状態を確認できません: {}' },
} as const satisfies Record<string, Text>;

export type Check = keyof typeof CHECKS;
export type Says = keyof typeof FINDINGS;
