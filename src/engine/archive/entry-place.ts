/**
 * Where an entry of an archive belongs, judged by its name alone. Names come from strangers: one that could leave the place it is put in is refused,
 * not mended.
 */
import { SnapshotError } from '../errors.js';
import { type ArchivePath, ENTRY } from './names.js';
import type { TarHeader, TarKind } from './tar-reader.js';

/** The entries with a meaning of their own, by their role. */
export type Role = 'manifest' | 'config' | 'setup' | 'datastore' | 'checksums';

/** What an entry is to a restore. */
export type Place =
  /** one of the known files at the top */
  | { type: 'known'; role: Role }
  /** something in the workspace; the path is relative to it, and empty for the workspace itself */
  | { type: 'workspace'; path: string }
  /** something that this program does not know, and passes over as the format demands; without a path where it is the archive itself, `./` */
  | { type: 'other'; path: ArchivePath | null };

const ROLES = new Map<string, Role>([
  [ENTRY.manifest, 'manifest'],
  [ENTRY.config, 'config'],
  [ENTRY.setup, 'setup'],
  [ENTRY.datastore, 'datastore'],
  [ENTRY.checksums, 'checksums'],
]);
const A_KIND: Record<TarKind, string> = {
  file: 'a file',
  directory: 'a directory',
  symlink: 'a symbolic link',
  hardlink: 'a hard link',
  special: 'a device or a FIFO',
};
/** NAME_MAX and PATH_MAX, in bytes. */
const NAME_BYTES = 255;
const PATH_BYTES = 4095;
/** What JSON leaves as it is: the other control characters, ends of lines, and what turns the direction of text around. */
const UNSEEN = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Judges a name. A leading `./`, as `tar c .` writes it, is taken off.
 *
 * @throws ARCHIVE_UNSAFE
 */
export function placeOf(name: string, kind: 'directory' | 'other'): Place {
  const plain = name.replace(/^(\.\/)+/, '');
  if (plain === '' || plain === '.') return { type: 'other', path: null };
  const path = checkedPath(kind === 'directory' && plain.endsWith('/') ? plain.slice(0, -1) : plain, name);
  if (path === 'workspace') {
    if (kind === 'directory') return { type: 'workspace', path: '' };
    throw unsafe('the workspace itself is not a directory in it');
  }
  if (path.startsWith('workspace/')) return { type: 'workspace', path: path.slice('workspace/'.length) };
  const role = ROLES.get(path);
  return role === undefined ? { type: 'other', path: path as ArchivePath } : { type: 'known', role };
}

/**
 * Judges an entry by its name and its kind: what has a meaning of its own is a regular file, and only a directory can be the archive itself.
 *
 * @throws ARCHIVE_UNSAFE
 */
export function placeOfEntry({ name, kind }: Pick<TarHeader, 'name' | 'kind'>): Place {
  const place = placeOf(name, kind === 'directory' ? 'directory' : 'other');
  const path = place.type === 'other' ? place.path : '';
  if (path === null && kind !== 'directory') throw unsafe(`${A_KIND[kind]} in it has no name`);
  if ((place.type === 'known' || path === ENTRY.index) && kind !== 'file')
    throw unsafe(`${quoted(name)} is ${A_KIND[kind]}, not a file`);
  return place;
}

/** Whether a path ends in a name that is longer than any that is taken here: some file systems count the characters of names, and not their bytes. */
export function isNameTooLong(path: string): boolean {
  const start = path.lastIndexOf('/') + 1;
  // No character has more than three bytes for each of its units.
  return path.length - start > NAME_BYTES / 3 && Buffer.byteLength(path.slice(start)) > NAME_BYTES;
}

/** Whether the target of a hard link is something in the workspace. @returns its path there @throws ARCHIVE_UNSAFE */
export function hardLinkTarget(target: string, name: string): string {
  const place = placeOf(target, 'directory');
  if (place.type === 'workspace' && place.path !== '') return place.path;
  throw unsafe(`the hard link ${quoted(name)} points to ${quoted(target)}, outside of the workspace`);
}

/** Refuses a target that no system would take. @throws ARCHIVE_UNSAFE */
export function checkLinkTarget(target: string, name: string): void {
  if (Buffer.byteLength(target) > PATH_BYTES)
    throw unsafe(`the target of the link ${quoted(name)} is longer than any path can be`);
}

function checkedPath(path: string, name: string): string {
  if (path.startsWith('/')) throw unsafe(`the name ${quoted(name)} is absolute`);
  if (path.includes('\0')) throw unsafe(`the name ${quoted(name)} has a NUL in it`);
  if (Buffer.byteLength(path) > PATH_BYTES) throw unsafe(`the name ${quoted(name)} is longer than any path can be`);
  for (const part of path.split('/')) {
    if (part === '..') throw unsafe(`the name ${quoted(name)} climbs out with ".."`);
    if (part === '' || part === '.') throw unsafe(`the name ${quoted(name)} has an empty part`);
    if (Buffer.byteLength(part) > NAME_BYTES)
      throw unsafe(`a part of the name ${quoted(name)} is longer than a file name can be`);
  }
  return path;
}

/** A name for a message: quoted, cut where it is long, and without anything that a terminal would act upon. */
export function quoted(name: string): string {
  const text = JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
  return text.replace(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The error of an archive that must not be restored. */
export function unsafe(what: string): SnapshotError {
  return new SnapshotError('ARCHIVE_UNSAFE', `the archive is refused: ${what}`, {
    hint: 'no honest program writes that; do not use this archive; nothing was changed',
  });
}
