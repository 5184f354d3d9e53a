import { type BodyRef, type BodyWriter, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import type { BodyEntry } from './body-index.js';
import { PACKED_MAX } from './files-record.js';
import { Parts } from './parts.js';
import type { Admission } from './s3-admission.js';
import { hintOf } from './s3-name.js';
import type { Shelf } from './s3-shelf.js';
import type { Upload } from './s3-upload.js';

/** What a writer needs of its store. */
export interface Workshop {
  readonly admission: Admission;
  readonly shelf: Shelf;
  readonly closed: boolean;
  upload(): Upload;
}

const refOf = (entry: BodyEntry): BodyRef => ({ sha256: entry.sha256, size: entry.size, at: hintOf(entry) });

/** In memory while it is small, then an upload. */
export class S3BodyWriter implements BodyWriter {
  size = 0;
  readonly #parts = new Parts();
  #begun = false;
  #upload: Upload | undefined;
  /** The step that the next one has to wait for. Does not reject. */
  #busy: Promise<void> | undefined;
  #failure: { readonly cause: unknown } | undefined;
  #committed: Promise<BodyRef> | undefined;
  #aborted: Promise<void> | undefined;

  constructor(private readonly workshop: Workshop) {}

  write(chunk: Uint8Array): void | Promise<void> {
    if (this.#committed) throw new Error('a body was written to after its commit');
    if (this.#aborted || chunk.length === 0) return;
    this.size += chunk.length;
    if (this.#busy) return this.#after(this.#busy.then(() => this.#take(chunk)));
    const wait = this.#take(chunk);
    if (wait) return this.#after(wait);
  }

  #after(step: Promise<void>): Promise<void> {
    const busy = step
      .catch((cause: unknown) => {
        this.#failure ??= { cause };
      })
      .finally(() => {
        if (this.#busy === busy) this.#busy = undefined;
      });
    return (this.#busy = busy);
  }

  #take(chunk: Uint8Array): void | Promise<void> {
    if (this.#failure || this.#aborted) return;
    if (this.#upload) return this.#upload.write(chunk);
    // What waits is not counted: else it would be what it waits for.
    const wait = this.#begun ? undefined : this.workshop.admission.begin();
    this.#begun = true;
    return wait ? wait.then(() => this.#hold(chunk)) : this.#hold(chunk);
  }

  #hold(chunk: Uint8Array): void | Promise<void> {
    this.#parts.add(chunk);
    this.workshop.admission.take(chunk.length);
    if (this.#parts.size > PACKED_MAX) return this.#enlarge();
  }

  async #enlarge(): Promise<void> {
    const { admission } = this.workshop;
    await admission.takeLarge();
    if (this.#aborted) return admission.giveLarge();
    this.#upload = this.workshop.upload();
    admission.give(this.#parts.size);
    for (const part of this.#parts.take()) await this.#upload.write(part);
  }

  commit(): Promise<BodyRef> {
    if (this.#aborted) return Promise.reject(new Error('a body was committed after it was aborted'));
    return (this.#committed ??= this.#commit());
  }

  async #commit(): Promise<BodyRef> {
    if (this.#busy) await this.#busy;
    const { workshop } = this;
    if (workshop.closed) this.#failure ??= { cause: new StoreUnavailable('the object store is closed') };
    if (this.#failure) {
      await this.#drop();
      throw this.#failure.cause;
    }
    const upload = this.#upload;
    if (!upload) return this.#pack();
    try {
      return refOf(await upload.finish());
    } finally {
      workshop.admission.giveLarge();
    }
  }

  async #pack(): Promise<BodyRef> {
    const { admission, shelf } = this.workshop;
    try {
      return refOf(await shelf.pack(this.#parts.take(), this.size));
    } finally {
      admission.give(this.size);
    }
  }

  async #drop(): Promise<void> {
    const { admission } = this.workshop;
    admission.give(this.#parts.size);
    this.#parts.take();
    if (!this.#upload) return;
    await this.#upload.discard();
    admission.giveLarge();
  }

  abort(): Promise<void> {
    if (this.#committed) return Promise.resolve();
    return (this.#aborted ??= Promise.resolve(this.#busy).then(() => this.#drop()));
  }
}
