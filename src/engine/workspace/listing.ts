/**
 * What a comparison needs to know of entries: found out in workers, from the headers in a block, or from the files themselves.
 */
import { createHash } from 'node:crypto';
import { closeSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';
import {
  inflateMember,
  type Member,
  placeOf,
  readMember,
  release,
  type TarHeader,
  TarReader,
} from '../archive/index.js';
import type { Warning } from '../events.js';
import { carrying } from './carried-error.js';
import { openForReading, readWarning } from './pack.js';

/** An entry of a workspace. What is null is not known, or means nothing for its kind. */
export interface ListedEntry {
  /** Relative to the workspace; empty for the workspace itself. */
  path: string;
  kind: 'file' | 'directory' | 'symlink';
  /** Permission bits. */
  mode: number | null;
  /** Whole seconds since 1970. */
  mtime: number | null;
  /** Of a file, in bytes. */
  size: number | null;
  sha256: string | null;
  /** Of a symlink. */
  target: string | null;
}

export interface ListTask {
  fd: number;
  /** A block of whole entries. */
  member: Member;
}

/** An entry of a block. */
export interface BlockEntry {
  /** Its name in SHA256SUMS; null where it has no line there. */
  line: string | null;
  /** Null where it is not in the workspace. */
  entry: ListedEntry | null;
}

export interface ListResult {
  /** {@link BlockEntry} by BlockEntry, in their order, as JSON: blocks wait for their turn, and one text is less to keep than a thousand objects. */
  json: string;
}

/** Reads the headers in a block. */
export const listBlock = carrying(({ fd, member }: ListTask): ListResult => {
  const entries: BlockEntry[] = [];
  const block = inflateMember(readMember(fd, member), member);
  for (const event of new TarReader().push(block)) {
    if (event.type !== 'entry') continue;
    const { header } = event;
    const place = placeOf(header.name, header.kind === 'directory' ? 'directory' : 'other');
    entries.push({
      line: header.kind === 'file' ? header.name : null,
      entry: place.type === 'workspace' ? listed(place.path, header) : null,
    });
  }
  release(block);
  return { json: JSON.stringify(entries) };
});

/** An entry by its header; null where it is of a kind that no workspace has. */
export function listed(path: string, { kind, mode, mtime, size, linkname }: TarHeader): ListedEntry | null {
  const entry = { path, mode, mtime, size: null, sha256: null, target: null };
  if (kind === 'directory') return { ...entry, kind };
  if (kind === 'symlink') return { ...entry, kind, target: linkname };
  // A hard link is one more name of a file whose content stands elsewhere.
  if (kind === 'hardlink') return { ...entry, kind: 'file' };
  return kind === 'file' ? { ...entry, kind, size } : null;
}

/** Files and links of a workspace on the disk. */
export interface SumTask {
  root: string;
  items: { path: string; kind: 'file' | 'symlink' }[];
}

export interface SumResult {
  /** One per item: the SHA-256 of a file or the target of a link; or why there is none. */
  sums: (string | Warning)[];
}

/** Reads files for their checksums, and links for their targets. */
export function sumFiles({ root, items }: SumTask): SumResult {
  return {
    sums: items.map(({ path, kind }) => {
      const full = join(root, path);
      try {
        return kind === 'file' ? sha256Of(full) : readlinkSync(full);
      } catch (error) {
        return readWarning(full, error);
      }
    }),
  };
}

/** Memory of this thread, used again by every task. */
const scratch = Buffer.allocUnsafeSlow(1 << 20);

function sha256Of(path: string): string {
  const { fd } = openForReading(path);
  try {
    const hash = createHash('sha256');
    for (let read = readSync(fd, scratch); read > 0; read = readSync(fd, scratch))
      hash.update(scratch.subarray(0, read));
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}
