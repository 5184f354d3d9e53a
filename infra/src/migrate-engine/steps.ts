/** How far a copy is. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

/** What every copy is told. */
export interface Steps {
  readonly progress: (progress: Progress) => void;
  /** Ends it at a point from which it can go on. */
  readonly signal?: AbortSignal;
}

/** It cannot be done as things are; nothing was changed. The message says what to do. */
export class MigrationRefused extends Error {}
