/**
 * Where the dump of an archive goes while the archive is read: to psql, at its pace, or into a file.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { StagedDatabase } from './datastore/index.js';

/** Takes the dump as it comes out of the archive, and tells what became of it. */
export class DumpSink {
  /** The database it was replayed into; null where it was only kept. */
  readonly staged: Promise<StagedDatabase | null>;
  readonly #stream: Writable;

  constructor(stream: Writable, staged: Promise<StagedDatabase | null>) {
    this.#stream = stream;
    this.staged = staged;
    staged.catch(() => {});
    stream.on('error', () => {});
  }

  /** Where nobody takes the dump any more, `staged` says why. */
  async write(content: Uint8Array): Promise<void> {
    if (this.#stream.destroyed || this.#stream.write(content)) return;
    const done = new AbortController();
    const either = { signal: done.signal };
    await Promise.race([once(this.#stream, 'drain', either), once(this.#stream, 'close', either)]).catch(() => {});
    done.abort();
  }

  end(): void {
    this.#stream.end();
  }

  fail(error: unknown): void {
    this.#stream.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}
