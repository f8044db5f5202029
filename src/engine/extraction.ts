/**
 * Extraction: every byte of an archive read and checked, and its parts handed to where they belong.
 *
 *     archives of ours:  members ─▶ workers inflate, check and write whole blocks ─▶ checksums, links, directories
 *                        dump members ─▶ workers inflate ─▶ in order ─▶ psql           (at the same time)
 *     any other:         one stream ─▶ tar entries ─▶ the same places, one after the other
 *
 * Nothing here knows what becomes of the parts: the restore says where the tree is staged and who takes the dump.
 */
import { createHash, type Hash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import {
  type ArchivePath,
  BesideNames,
  type ChecksumLedger,
  checksumLine,
  comparePaths,
  damaged,
  ENTRY,
  type Member,
  placeOfEntry,
  quoted,
  type Role,
  readStream,
  release,
  type TarHeader,
  truncated,
  unsafe,
} from './archive/index.js';
import { IndexProof } from './contents/index-proof.js';
import { throwIfAborted } from './errors.js';
import type { RestoreProgress } from './events.js';
import { cutRuns, type Run, sizeOfRun } from './member-runs.js';
import type { OpenedArchive } from './opened-archive.js';
import { inOrder, type WorkerPool } from './pool.js';
import {
  arriving,
  besideOf,
  checkKnownSize,
  checkOrder,
  checkPlaces,
  type DeferredEntries,
  type InflateResult,
  isBelow,
  isHeld,
  type Selection,
  StagingTree,
  type Unpacked,
  type UnpackResult,
  Wanted,
  WorkspaceSink,
} from './workspace/index.js';

/** What is taken of an archive, where that is not all. */
export interface ChosenPart extends Selection {
  /** The runs that can hold it, and SHA256SUMS, in their order; null where the archive has no members. */
  runs: readonly Run[] | null;
}

export interface ExtractionOptions {
  archive: OpenedArchive;
  pool: WorkerPool;
  /** The staging tree of the workspace; null to check only. */
  root: string | null;
  ledger: ChecksumLedger;
  deferred: DeferredEntries;
  /** Whether members have to be to the last bit as they were written. Default: false, what comes of them decides. */
  seals?: boolean;
  /** What is wanted; only that is read, staged and checked. What stands beside the workspace is staged, too. Default: all. */
  only?: ChosenPart;
  /** Takes the dump, a piece at a time. */
  onDump(content: Uint8Array): Promise<void>;
  onProgress(progress: RestoreProgress): void;
  signal: AbortSignal;
}

/** Names of the known files. */
const NAMES: Record<Role, ArchivePath> = {
  manifest: ENTRY.manifest,
  config: ENTRY.config,
  setup: ENTRY.setup,
  datastore: ENTRY.datastore,
  checksums: ENTRY.checksums,
};

/** What stands beside the workspace holds secrets, whatever its mode says. */
const PRIVATE_MODE = 0o600;

/** Extracts an archive once. */
export class Extraction {
  /** config.yaml and setup.json, where the archive has them; complete when `run()` is. */
  config: Buffer | null = null;
  setup: Buffer | null = null;
  readonly progress: RestoreProgress;
  /** Patterns of `only` that something was taken for. */
  readonly met = new Set<string>();
  readonly #only: ChosenPart | null;
  readonly #wanted: Wanted | null;
  readonly #options: ExtractionOptions;
  readonly #beside = new BesideNames();
  readonly #openFiles = new Set<number>();
  #givenUp = false;
  /** Whether the workspace stands in path order, and nothing in it below what is no directory. */
  #isOrderly = true;
  /** Line of the dump; it stands behind those of the workspace, although the dump may be read before. */
  #dumpLine = '';
  /** Line of the index, which stands behind that of the dump. */
  #indexLine = '';
  /** Whether the index speaks the truth, where all of an archive with one is read. */
  #proof: IndexProof | null = null;

  constructor(options: ExtractionOptions) {
    this.#options = options;
    this.#only = options.only ?? null;
    this.#wanted = options.only === undefined ? null : new Wanted(options.only.patterns);
    const size = options.only?.runs?.reduce((sum, run) => sum + sizeOfRun(run), 0) ?? options.archive.size;
    this.progress = { files: 0, bytes: 0, dumpBytes: 0, read: 0, size };
  }

  /** @throws ARCHIVE_*, CHECKSUM_MISMATCH, STAGING_*, INTERRUPTED, whatever `onDump` throws */
  async run(): Promise<void> {
    const { archive, ledger, root, signal } = this.#options;
    if (archive.members === null) await this.#stream();
    else await this.#members(archive.members);
    for (const pattern of this.#wanted?.met ?? []) this.met.add(pattern);
    ledger.addFound(this.#dumpLine + this.#indexLine);
    if (root === null) await this.#checkPlaces();
    const promised = archive.manifest.checksums !== undefined;
    if (this.#only !== null) await ledger.verifyFound(promised, signal);
    else {
      const isInOrder = await ledger.verify(promised, signal);
      await this.#proof?.check(archive, isInOrder, signal);
    }
    throwIfAborted(signal);
  }

  /** What a staging tree would not take. */
  async #checkPlaces(): Promise<void> {
    const { ledger, deferred, signal } = this.#options;
    // In path order nothing stands twice, and what lies below a file comes right behind it.
    if (this.#isOrderly && !deferred.hasHardLinks) return;
    async function* files(): AsyncGenerator<string> {
      for await (const name of ledger.foundNames(signal)) {
        if (name.startsWith(ENTRY.workspace)) yield name.slice(ENTRY.workspace.length);
      }
    }
    await checkPlaces({ files: files(), deferred, directory: tmpdir(), signal });
  }

  /** Closes files that are not complete. Only when no worker writes to them any more. */
  close(): void {
    for (const fd of this.#openFiles) closeSync(fd);
    this.#openFiles.clear();
  }

  async #members(members: readonly Member[]): Promise<void> {
    const runs = this.#only?.runs ?? (await cutRuns(this.#options.archive.handle.fd, members, this.#options.signal));
    const dumpRun = runs.find((run) => run.type === 'file' && run.role === 'datastore');
    // It has to end with the end-of-archive marker, and so with a block of the others.
    if (this.#only === null && runs.at(-1) === dumpRun) throw truncated();
    const rest = runs.filter((run) => run !== dumpRun);
    if (this.#only === null && this.#options.archive.manifest.index === ENTRY.index) this.#proof = new IndexProof(runs);
    const both = [
      this.#runMembers(rest, 3 * this.#options.pool.workers, this.#only === null),
      dumpRun === undefined ? undefined : this.#runMembers([dumpRun], this.#options.pool.workers + 1, false),
    ];
    try {
      await Promise.all(both);
    } catch (error) {
      // Where one fails, the other must not work on behind the back of whoever closes the files.
      this.#givenUp = true;
      await Promise.allSettled(both);
      throw error;
    }
  }

  /** @param toTheEnd whether these include the end-of-archive marker */
  async #runMembers(runs: readonly Run[], limit: number, toTheEnd: boolean): Promise<void> {
    let last: string | null = null;
    let lastIsLeaf = false;
    let ended = false;
    for await (const done of inOrder(this.#jobs(runs), limit)) {
      throwIfAborted(this.#options.signal);
      if (this.#givenUp) return;
      this.progress.read += done.member.size;
      if (ended) throw damaged('there is something behind its end-of-archive marker');
      if (done.type === 'block') {
        const { result } = done;
        if (last !== null && result.first !== null) checkOrder(last, result.first);
        const first = result.first ?? '';
        this.#isOrderly &&= !result.collides && !(lastIsLeaf && isBelow(first, last));
        if (result.last !== null) ({ last, lastIsLeaf } = result);
        ended = result.ended;
        for (const name of result.beside) this.#beside.add(name);
        this.#proof?.addBlock(done.member.offset, result.index, result.isOurs);
        for (const { role, content } of result.known) await this.#known(role, content);
        for (const pattern of result.met) this.met.add(pattern);
        this.#unpacked(result);
      } else {
        const { file, result, first, final } = done;
        if (file.path !== null && first) {
          if (last !== null) checkOrder(last, file.path);
          this.#isOrderly &&= !(lastIsLeaf && isBelow(file.path, last));
          last = file.path;
          lastIsLeaf = true;
        }
        if (first && file.role !== 'datastore') this.#proof?.addFile(done.member.offset, file);
        await this.#segment(file, result);
        if (final) this.#fileDone(file);
      }
      this.#report();
    }
    if (toTheEnd && !ended) throw truncated();
  }

  async *#jobs(runs: readonly Run[]): AsyncGenerator<() => Promise<Done>> {
    const { archive, pool, root, seals = false } = this.#options;
    const { fd } = archive.handle;
    const selection = this.#only && { patterns: this.#only.patterns, beside: this.#only.beside };
    const describe = this.#proof !== null;
    for (const run of runs) {
      if (run.type === 'block') {
        const { member } = run;
        yield async () => ({
          type: 'block',
          member,
          result: await arriving(pool.run('unpack', { fd, member, root, seals, selection, describe })),
        });
        continue;
      }
      const { header, role, name, path } = run;
      if (path === null) this.#beside.add(role === null ? (name ?? '') : NAMES[role]);
      if (role !== null) this.#checkKnown(role, header.size);
      const target = this.#targetOf(run);
      const hash = createHash('sha256');
      const file: OpenFile = { header, role, name, path, target, hash, pieces: [] };
      if (target !== null && target.fd !== null) this.#openFiles.add(target.fd);
      let position = 0;
      for (const { member, skip, length } of run.segments) {
        const at = position;
        position += length;
        const into = target === null || target.fd === null ? null : { fd: target.fd, position: at, path: target.path };
        const first = member === run.segments[0]?.member;
        const final = position === header.size && member === run.segments.at(-1)?.member;
        yield async () => {
          const result = await arriving(pool.run('inflate', { fd, member, skip, length, target: into, seals }));
          return { type: 'segment', member, result, file, first, final };
        };
      }
    }
  }

  /** Where a large file goes; null where nobody wants it, or only what it says. */
  #targetOf({ header, role, name, path }: Run & { type: 'file' }): Target | null {
    const { root } = this.#options;
    if (this.#wanted === null || this.#only === null) {
      if (path === null) return null;
      return newTarget(root, path, header.mode);
    }
    const { beside } = this.#only;
    const known = role === null ? name : NAMES[role];
    if (known === null || !this.#wanted.takes(known)) return null;
    return path === null ? newTarget(beside, known, PRIVATE_MODE) : newTarget(root, path, header.mode);
  }

  async #segment(file: OpenFile, { content }: InflateResult): Promise<void> {
    file.hash.update(content);
    if (file.name === ENTRY.index) this.#proof?.addIndex(content);
    if (file.role === 'datastore') await this.#dump(content);
    else if (file.role === 'checksums') this.#options.ledger.addListed(content);
    else if (file.role !== null) file.pieces.push(content);
    else if (file.target !== null) this.progress.bytes += content.length;
    // Of the others, somebody may need it still.
    if (file.role === null || file.role === 'checksums') release(content);
  }

  #fileDone(file: OpenFile): void {
    const { role, name, header, target } = file;
    const sha256 = file.hash.digest('hex');
    if (role === 'datastore') this.#dumpLine = checksumLine(sha256, NAMES.datastore);
    else if (role !== null) this.#keep(role, Buffer.concat(file.pieces), sha256);
    else if (name === ENTRY.index) this.#indexLine += checksumLine(sha256, name);
    else if (name !== null) this.#options.ledger.addFound(checksumLine(sha256, name));
    if (target === null) return;
    const { fd, tree, path, mode } = target;
    if (fd !== null) {
      this.#openFiles.delete(fd);
      tree?.finishFile(path, fd, mode, header.mtime);
    }
    this.progress.files += 1;
  }

  async #stream(): Promise<void> {
    const { archive, root, signal, ledger } = this.#options;
    const sink = new WorkspaceSink(root, this.#only);
    let current: { role: Role; pieces: Buffer[]; hash: Hash } | null = null;
    let last: string | null = null;
    let lastIsLeaf = false;
    const onRead = (bytes: number) => {
      this.progress.read = bytes;
      this.#report();
    };
    try {
      for await (const event of readStream(archive.handle.fd, archive.size, signal, onRead)) {
        if (event.type === 'entry') {
          const { header } = event;
          const place = placeOfEntry(header);
          current = null;
          if (place.type === 'workspace') {
            sink.begin(place.path, header);
            this.#isOrderly &&=
              last === null || (comparePaths(last, place.path) < 0 && !(lastIsLeaf && isBelow(place.path, last)));
            last = place.path;
            lastIsLeaf = header.kind !== 'directory';
          } else if (header.kind === 'special') {
            throw unsafe(`${quoted(header.name)} is a device or a FIFO`);
          } else {
            const { name, role } = besideOf(place);
            if (name === null) continue;
            this.#beside.add(name);
            if (header.kind !== 'file') continue;
            sink.beginBeside(name, header);
            if (role !== null && isHeld(role, this.#only)) {
              this.#checkKnown(role, header.size);
              current = { role, pieces: [], hash: createHash('sha256') };
            }
          }
        } else if (event.type === 'content') {
          sink.content(event.bytes);
          if (current !== null) {
            current.hash.update(event.bytes);
            // The reader's buffer is used again, and the dump's reader may keep a piece for a while.
            if (current.role === 'datastore') await this.#dump(Buffer.from(event.bytes));
            else if (current.role === 'checksums') ledger.addListed(event.bytes);
            else current.pieces.push(Buffer.from(event.bytes));
          }
        } else {
          sink.done();
          if (sink.waiting > 1 << 16) this.#unpacked(sink.take());
          if (current === null) continue;
          const sha256 = current.hash.digest('hex');
          if (current.role === 'datastore') this.#dumpLine = checksumLine(sha256, NAMES.datastore);
          else this.#keep(current.role, Buffer.concat(current.pieces), sha256);
        }
      }
      this.#unpacked(sink.take());
      for (const pattern of sink.met) this.met.add(pattern);
    } finally {
      sink.close();
    }
  }

  #unpacked(unpacked: Unpacked): void {
    this.progress.files += unpacked.files;
    this.progress.bytes += unpacked.bytes;
    this.#options.ledger.addFound(unpacked.checksums);
    this.#options.deferred.add(unpacked);
  }

  /** A known file that came out of a block whole. */
  async #known(role: Role, content: Uint8Array): Promise<void> {
    this.#checkKnown(role, content.length);
    const sha256 = createHash('sha256').update(content).digest('hex');
    if (role === 'datastore') {
      await this.#dump(content);
      this.#dumpLine = checksumLine(sha256, NAMES.datastore);
    } else {
      if (role === 'checksums') this.#options.ledger.addListed(content);
      this.#keep(role, Buffer.from(content), sha256);
    }
  }

  #keep(role: Exclude<Role, 'datastore'>, content: Buffer, sha256: string): void {
    if (role === 'checksums') return;
    this.#options.ledger.addFound(checksumLine(sha256, NAMES[role]));
    if (role === 'config') this.config = content;
    if (role === 'setup') this.setup = content;
  }

  async #dump(content: Uint8Array): Promise<void> {
    await this.#options.onDump(content);
    this.progress.dumpBytes += content.length;
    this.#report();
  }

  /** A known file begins. @throws ARCHIVE_DAMAGED */
  #checkKnown(role: Role, bytes: number): void {
    checkKnownSize(role, bytes);
    if (role === 'checksums') this.#options.ledger.beginList();
  }

  #report(): void {
    this.#options.onProgress({ ...this.progress });
  }
}

type Done =
  | { type: 'block'; member: Member; result: UnpackResult }
  | { type: 'segment'; member: Member; result: InflateResult; file: OpenFile; first: boolean; final: boolean };

interface OpenFile {
  header: TarHeader;
  role: Role | null;
  name: ArchivePath | null;
  path: string | null;
  target: Target | null;
  hash: Hash;
  pieces: Uint8Array[];
}

/** Where a large file goes: a place in a staging tree, or nowhere where all is only checked. */
interface Target {
  path: string;
  mode: number;
  tree: StagingTree | null;
  fd: number | null;
}

function newTarget(root: string | null, path: string, mode: number): Target {
  const tree = root === null ? null : new StagingTree(root);
  return { path, mode, tree, fd: tree?.createFile(path, mode) ?? null };
}
