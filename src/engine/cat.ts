/**
 * Cat: the content of one file of an archive, checked.
 *
 *     of ours:    name ─▶ the member that holds it ─▶ checksum listed? ─▶ content ─▶ output          what is in one member is compared before it is written
 *     any other:  one stream, to its end ─▶ content ─▶ output, and at the end the checksum
 */
import { createHash } from 'node:crypto';
import {
  type ArchiveOutput,
  checksumSplitter,
  ENTRY,
  type Member,
  openStreamOutput,
  parseChecksumLine,
  placeOf,
  quoted,
  readStream,
  type TarHeader,
  unsafe,
} from './archive/index.js';
import { interrupted, SnapshotError, systemErrorCode, systemErrorText, throwIfAborted } from './errors.js';
import { type OpenedArchive, openArchive } from './opened-archive.js';
import { asReadError } from './scratch-error.js';
import { ALL_OF_A_STREAM } from './take/chosen-runs.js';
import { EntryFinder, plainName } from './take/found-entry.js';
import type { CatOptions, CatResult } from './take-options.js';

/**
 * Writes the content of one file.
 *
 * @throws SnapshotError: INPUT_*, NOT_AN_ARCHIVE, ARCHIVE_*, MANIFEST_*, ENTRY_*, OUTPUT_*, INTERRUPTED; CHECKSUM_MISMATCH perhaps only when the content is
 *   written
 */
export async function cat(options: CatOptions): Promise<CatResult> {
  const started = performance.now();
  const signal = options.signal ?? new AbortController().signal;
  throwIfAborted(signal);
  try {
    const archive = await openArchive(options.archive, signal);
    try {
      const result = await new Cat(archive, options, signal).run();
      return { ...result, durationMs: performance.now() - started };
    } finally {
      await archive.handle.close();
    }
  } catch (error) {
    throw signal.aborted ? interrupted() : asReadError(error);
  }
}

/** What became of the content. */
interface Written {
  header: TarHeader;
  sha256: string | null;
  checksum: boolean;
  bytesRead: number;
}

class Cat {
  readonly #archive: OpenedArchive;
  readonly #options: CatOptions;
  readonly #signal: AbortSignal;
  readonly #name: string;
  readonly #output: ArchiveOutput;

  constructor(archive: OpenedArchive, options: CatOptions, signal: AbortSignal) {
    this.#archive = archive;
    this.#options = options;
    this.#signal = signal;
    this.#name = options.name.replace(/^(\.\/+)+/, '').replace(/\/+$/, '');
    this.#output = openStreamOutput(options.output, signal);
  }

  async run(): Promise<Omit<CatResult, 'durationMs'>> {
    const { archive: input } = this.#options;
    const { members, size } = this.#archive;
    const { header, sha256, checksum, bytesRead } = await this.#trusting(() =>
      members === null ? this.#stream() : this.#find({ ...this.#archive, members }),
    );
    if (sha256 !== null) await this.#commit();
    return {
      archive: typeof input === 'string' ? input : null,
      name: this.#name,
      mode: header.mode,
      mtime: header.mtime,
      bytes: this.#output.size,
      sha256,
      checksum,
      bytesRead: this.#archive.bytesRead + bytesRead,
      size,
    };
  }

  async #find(archive: OpenedArchive & { members: readonly Member[] }): Promise<Written> {
    const finder = new EntryFinder(archive, this.#signal);
    const found = isName(this.#name) ? finder.find(this.#name) : null;
    if (found === null) {
      const longer = `${ENTRY.workspace}${this.#name}`;
      throw this.#notFound(isName(longer) && finder.find(longer) !== null ? longer : null);
    }
    const { header, whole } = found;
    this.#requireFile(header);
    const listed = await finder.listedSum(this.#name);
    if (whole !== null) this.#compare(createHash('sha256').update(whole).digest('hex'), listed);
    const hash = createHash('sha256');
    for await (const piece of found.content()) {
      hash.update(piece);
      if (!(await this.#write(piece))) return { header, sha256: null, checksum: false, bytesRead: finder.bytesRead };
    }
    const sha256 = hash.digest('hex');
    return { header, sha256, checksum: this.#compare(sha256, listed), bytesRead: finder.bytesRead };
  }

  async #stream(): Promise<Written> {
    const { handle, size } = this.#archive;
    this.#options.onEvent?.({ type: 'note', message: ALL_OF_A_STREAM });
    const longer = `${ENTRY.workspace}${this.#name}`;
    const hash = createHash('sha256');
    const sums = new SumLine(this.#name);
    let bytesRead = 0;
    const onRead = (bytes: number) => {
      bytesRead = bytes;
    };
    let header: TarHeader | null = null;
    let guess: string | null = null;
    let taking = false;
    let listing = false;
    for await (const event of readStream(handle.fd, size, this.#signal, onRead)) {
      if (event.type === 'entry') {
        const name = plainName(event.header);
        taking = name === this.#name;
        listing = name === ENTRY.checksums && event.header.kind === 'file';
        if (name === longer) guess = longer;
        if (!taking) continue;
        if (header !== null) throw unsafe(`${quoted(this.#name)} stands in it twice`);
        header = event.header;
        this.#requireFile(header);
      } else if (event.type === 'content') {
        if (listing) sums.push(event.bytes);
        if (!taking || header === null) continue;
        hash.update(event.bytes);
        // The reader's buffer is used again, and the output may keep a piece for a while.
        if (!(await this.#write(Buffer.from(event.bytes)))) return { header, sha256: null, checksum: false, bytesRead };
      }
    }
    if (header === null) throw this.#notFound(guess);
    const sha256 = hash.digest('hex');
    return { header, sha256, checksum: this.#compare(sha256, sums.end()), bytesRead };
  }

  /** @returns whether there is a checksum @throws CHECKSUM_MISMATCH */
  #compare(sha256: string, listed: string | null): boolean {
    if (listed === sha256) return true;
    const { checksums } = this.#archive.manifest;
    const mayBeUnlisted = this.#name === ENTRY.checksums || placeOf(this.#name, 'other').type === 'other';
    if (listed === null && (checksums === undefined || mayBeUnlisted)) return false;
    const what = listed === null ? 'is not listed in' : 'is not as listed in';
    throw new SnapshotError(
      'CHECKSUM_MISMATCH',
      `${quoted(this.#name)} ${what} the ${ENTRY.checksums} of the archive`,
      {
        hint: 'the archive is damaged: take another copy of it, or another backup; leoflow lite verify says what else is',
      },
    );
  }

  /** @returns false where nobody reads any more */
  async #write(bytes: Uint8Array): Promise<boolean> {
    try {
      await this.#output.write(bytes);
      return true;
    } catch (error) {
      return this.#isEnough(error);
    }
  }

  async #commit(): Promise<void> {
    await this.#output.commit().catch((error: unknown) => this.#isEnough(error));
  }

  /** A reader that goes away has read enough. @returns false @throws any other error */
  #isEnough(error: unknown): false {
    if (!(error instanceof SnapshotError) || !error.code.startsWith('OUTPUT_')) throw error;
    if (systemErrorCode(error.cause) === 'EPIPE') return false;
    throw new SnapshotError(error.code, `the content cannot be written: ${systemErrorText(error.cause)}`, {
      hint: 'what was written so far is not all of it',
      cause: error.cause,
    });
  }

  /** Says of an archive that turns out damaged when something of it is written already, that this must not be trusted. */
  async #trusting<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof SnapshotError) || this.#output.size === 0 || !isOfTheArchive(error)) throw error;
      const message = `${error.message}; what was printed is not to be trusted`;
      throw new SnapshotError(error.code, message, {
        ...(error.hint !== undefined && { hint: error.hint }),
        cause: error.cause,
      });
    }
  }

  #requireFile({ kind, linkname }: TarHeader): void {
    if (kind === 'file') return;
    const name = quoted(this.#name);
    const what = {
      directory: `${name} is a directory`,
      symlink: `${name} is a link to ${quoted(linkname)}`,
      hardlink: `${name} is a hard link: its content stands in ${quoted(linkname)}`,
      special: `${name} is a device or a FIFO`,
    }[kind];
    throw new SnapshotError('ENTRY_NO_FILE', what, {
      hint: kind === 'directory' ? 'leoflow lite extract gets it back with all in it' : 'name the file that is meant',
    });
  }

  #notFound(guess: string | null): SnapshotError {
    const meant = guess === null ? '' : `did you mean ${guess}? `;
    return new SnapshotError('ENTRY_NOT_FOUND', `there is no ${quoted(this.#name)} in the archive`, {
      hint: `${meant}leoflow lite list says what is in it`,
    });
  }
}

/** Looks for a line in SHA256SUMS as it comes. */
class SumLine {
  readonly #name: string;
  readonly #splitter = checksumSplitter();
  #listed: string | null = null;

  constructor(name: string) {
    this.#name = name;
  }

  /** @throws ARCHIVE_DAMAGED */
  push(bytes: Buffer): void {
    for (const line of this.#splitter.push(bytes)) this.#see(line);
  }

  /** @returns what is listed; null where that is nothing */
  end(): string | null {
    const last = this.#splitter.end();
    if (last !== '') this.#see(last);
    return this.#listed;
  }

  #see(line: string): void {
    const { sha256, name } = parseChecksumLine(line);
    if (name === this.#name) this.#listed = sha256;
  }
}

function isOfTheArchive({ code }: SnapshotError): boolean {
  return code.startsWith('ARCHIVE_') || code === 'CHECKSUM_MISMATCH' || code === 'INPUT_UNREADABLE';
}

/** Whether an entry can have this name at all. */
function isName(name: string): boolean {
  try {
    placeOf(name, 'directory');
    return name !== '';
  } catch {
    return false;
  }
}
