/**
 * What takes the room in an archive: its parts, and the largest files and directories of its workspace. In constant memory, as entries come in path order.
 */
import { ENTRY, type Member } from '../archive/index.js';
import type { ContentsEntry } from '../contents.js';
import { isBelow } from '../workspace/index.js';

/** A part of an archive, by what it is for. */
export interface ArchivePart {
  /** `config`: MANIFEST.json, config.yaml, setup.json. `index`: INDEX.jsonl and SHA256SUMS. `other`: what this program does not know. */
  name: (typeof PARTS)[number];
  /** How many entries it has. */
  entries: number;
  /** Bytes of content. */
  bytes: number;
  /** Bytes that its members take in the archive; null where it has none that tell. */
  compressed: number | null;
}

/** Something large in the workspace. */
export interface Large {
  /** As it stands in the archive. */
  name: string;
  /** Of a directory: of all files beneath it. */
  bytes: number;
  /** Files beneath a directory; 1 of a file. */
  files: number;
}

const PARTS = ['config', 'workspace', 'datastore', 'index', 'other'] as const;
const PART_OF: ReadonlyMap<string, ArchivePart['name']> = new Map([
  [ENTRY.manifest, 'config'],
  [ENTRY.config, 'config'],
  [ENTRY.setup, 'config'],
  [ENTRY.datastore, 'datastore'],
  [ENTRY.index, 'index'],
  [ENTRY.checksums, 'index'],
]);

/** Sizes of the parts, and how much is in the workspace. Takes entries in any order, if there are no members. */
export class PartSizes {
  readonly workspace = { files: 0, directories: 0, links: 0, bytes: 0 };
  readonly #parts: ReadonlyMap<ArchivePart['name'], ArchivePart>;
  readonly #members: readonly Member[] | null;
  /** Index of the first member that nothing has been counted of. */
  #next = 0;

  /** @param members of an archive with an index; null for any other */
  constructor(members: readonly Member[] | null) {
    const compressed = members === null ? null : 0;
    this.#members = members;
    this.#parts = new Map(PARTS.map((name) => [name, { name, entries: 0, bytes: 0, compressed }]));
  }

  /** Those that have anything in them. */
  get parts(): ArchivePart[] {
    return [...this.#parts.values()].filter(({ entries }) => entries > 0);
  }

  add(entry: ContentsEntry): void {
    const { name, kind, size } = entry;
    const isWorkspace = name.startsWith(ENTRY.workspace);
    const part = this.#parts.get(isWorkspace ? 'workspace' : (PART_OF.get(name) ?? 'other')) as ArchivePart;
    part.entries += 1;
    part.bytes += size;
    if (part.compressed !== null && entry.member !== null) part.compressed += this.#memberBytes(entry.member);
    if (!isWorkspace) return;
    this.workspace.bytes += size;
    if (kind === 'file') this.workspace.files += 1;
    else if (kind === 'directory') this.workspace.directories += 1;
    else this.workspace.links += 1;
  }

  /** Size of a member and of those that continue it, once. */
  #memberBytes(offset: number): number {
    const members = this.#members ?? [];
    let bytes = 0;
    while (this.#next < members.length) {
      const { offset: at, size, kind } = members[this.#next] as Member;
      if (at > offset && kind !== 'continuation') break;
      bytes += size;
      this.#next += 1;
    }
    return bytes;
  }
}

/** The largest so far. */
class Largest {
  readonly found: Large[] = [];
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  offer(one: Large): void {
    if (one.bytes === 0 || (this.found.length === this.#most && one.bytes <= (this.found.at(-1)?.bytes ?? 0))) return;
    const place = this.found.findIndex(({ bytes }) => bytes < one.bytes);
    this.found.splice(place === -1 ? this.found.length : place, 0, one);
    if (this.found.length > this.#most) this.found.pop();
  }
}

/** Finds the largest files and directories of a workspace. */
export class LargestOf {
  readonly #files: Largest;
  readonly #directories: Largest;
  /** The directories that the last file lies in, the outermost first. */
  readonly #open: Large[] = [];

  /** @param most as many of each */
  constructor(most: number) {
    this.#files = new Largest(most);
    this.#directories = new Largest(most);
  }

  /** A file, in path order. @param path relative to the workspace */
  add(path: string, bytes: number): void {
    const name = `${ENTRY.workspace}${path}`;
    this.#files.offer({ name, bytes, files: 1 });
    while (this.#open.length > 0 && !isBelow(name, nameOf(this.#open))) this.#close();
    for (let slash = name.indexOf('/', (this.#open.at(-1)?.name ?? ENTRY.workspace).length); slash !== -1; ) {
      this.#open.push({ name: name.slice(0, slash + 1), bytes: 0, files: 0 });
      slash = name.indexOf('/', slash + 1);
    }
    const directory = this.#open.at(-1);
    if (directory === undefined) return;
    directory.bytes += bytes;
    directory.files += 1;
  }

  /** What was found. Nothing may be added any more. */
  end(): { directories: Large[]; files: Large[] } {
    while (this.#open.length > 0) this.#close();
    return { directories: this.#directories.found, files: this.#files.found };
  }

  /** All that lies in the innermost directory has come. */
  #close(): void {
    const done = this.#open.pop() as Large;
    this.#directories.offer(done);
    const around = this.#open.at(-1);
    if (around === undefined) return;
    around.bytes += done.bytes;
    around.files += done.files;
  }
}

/** Of the innermost directory, without its slash. */
function nameOf(open: readonly Large[]): string {
  return (open.at(-1) as Large).name.slice(0, -1);
}
