/** Archives with an index, true or not, and what is read of them. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contents, type ContentsEntry, openContents } from '../../src/engine/contents.js';
import { openArchive } from '../../src/engine/opened-archive.js';
import { entriesOf } from '../support/archive.js';
import {
  blocksOf,
  type Forged,
  goodWorkspace,
  largeFile,
  MANIFEST,
  manifest,
  membersOf,
  raw,
} from '../support/forge/archive.js';
import { END } from '../support/forge/tar.js';

/** What is wrong with an archive; by default nothing. */
export interface Wrong {
  workspace?: Forged[][];
  /** Of the manifest, in place of the good ones. */
  fields?: object;
  /** Whether the manifest promises an index. */
  promised?: boolean;
  /** From the right index to the one in the archive. */
  index?: (right: string) => string | Buffer;
  /** From the right checksums to those in the archive. */
  sums?: (right: string) => string;
  /** From the files behind the dump to those in the archive. */
  tail?: (files: Forged[]) => Forged[];
  /** Bytes of the index in a member. */
  step?: number;
}

/** The members of an archive with an index. */
export function withIndex(wrong: Wrong = {}): Buffer[] {
  const { workspace = [goodWorkspace()], fields, promised = true } = wrong;
  const { index = same, sums = same, tail = same, step } = wrong;
  const promising = manifest({ ...MANIFEST, ...fields, ...(promised && { index: 'INDEX.jsonl' }) });
  const blocks = blocksOf({ manifest: [promising], workspace, sums: () => null }).slice(0, -1);
  const members = blocks.map((block) => membersOf([block]));
  const content = Buffer.from(index(rightIndex(blocks, members)) as string);
  const own = largeFile('INDEX.jsonl', content, step);
  const listed = [...blocks.flat(), own].map(({ line }) => line ?? '').join('');
  const behind = tail([own, largeFile('SHA256SUMS', Buffer.from(sums(listed)))]);
  return [...members.flat(), ...membersOf([...behind.map((one) => [one]), [raw(END)]])];
}

function same<T>(right: T): T {
  return right;
}

/** The index that docs/format.md asks for. */
function rightIndex(blocks: Forged[][], members: Buffer[][]): string {
  const kinds: Record<string, string> = { 0: 'f', 2: 'l', 5: 'd' };
  let offset = 0;
  return blocks
    .map((block, index) => {
      const lines = [
        { at: offset },
        ...entriesOf(Buffer.concat([...block.map(({ records }) => records), END])).map(said),
      ];
      for (const { length } of members[index] ?? []) offset += length;
      return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    })
    .join('');

  function said({ name, type, mode, mtime, size, linkname }: ReturnType<typeof entriesOf>[number]) {
    const [k, more] = [kinds[type], type === '0' ? { s: size } : type === '2' ? { l: linkname } : {}];
    return { n: name, k, m: mode, t: mtime, ...more };
  }
}

/** Archives in a directory of their own, opened. */
export class Shelf {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), 'lfindex-')));

  put(archive: Buffer, name = 'snap.tar.gz'): string {
    const path = join(this.directory, name);
    writeFileSync(path, archive);
    return path;
  }

  /** Reads what is in an archive. */
  async contents(archive: Buffer | string): Promise<{ entries: ContentsEntry[]; contents: Contents }> {
    const path = typeof archive === 'string' ? archive : this.put(archive);
    const { signal } = new AbortController();
    const opened = await openArchive(path, signal);
    try {
      const contents = openContents(opened, signal);
      const entries: ContentsEntry[] = [];
      for await (const batch of contents.entries()) entries.push(...batch);
      return { entries, contents };
    } finally {
      await opened.handle.close();
    }
  }

  /** What is said of an archive that is none. */
  async refusal(archive: Buffer): Promise<{ code: unknown; message: string }> {
    const error: unknown = await this.contents(archive).then(
      () => new Error('it was taken'),
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof Error)) throw error;
    return { code: 'code' in error ? error.code : error.stack, message: error.message };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
