/**
 * Fast-glob over file systems as they are.
 *
 * Fast-glob matches every path against a regular expression whose `.` stops at line breaks, so a name with a newline would silently be
 * missing. It therefore never sees such a name, nor the real file system: it walks a virtual root through an adapter that spells the
 * few dangerous characters differently, and every look at the disk is the caller's.
 */
import type { BigIntStats } from 'node:fs';
import fastGlob from 'fast-glob';

/** The caller's eyes. Paths are relative to the root of the walk; the root itself is the empty path. */
export interface TreeView {
  /** Names in a directory, in any order; empty for one not to be entered. */
  names(directory: string): readonly string[];
  /** What a path is; null for something to pass over. */
  look(path: string): BigIntStats | null;
}

/** Walks a tree breadth first. @returns the paths that `look()` knew, in no particular order */
export function globTree(view: TreeView): string[] {
  const lookAt = (path: string) => view.look(decode(path)) ?? NOTHING;
  const entries = fastGlob.sync('**', {
    cwd: '/',
    dot: true,
    onlyFiles: false,
    // With stats it asks for names first and looks at each path once: readdir without types, one lstat.
    stats: true,
    followSymbolicLinks: false,
    // It would compare paths without a leading ".\", and names are unique anyway.
    unique: false,
    fs: {
      readdirSync: ((path: string) => view.names(decode(path)).map(encode)) as never,
      lstatSync: lookAt as never,
      statSync: lookAt as never,
    },
  });
  return entries.flatMap((entry) => ((entry.stats as unknown) === NOTHING ? [] : [decode(`/${entry.path}`)]));
}

const no = () => false;
/** Stands for a path that the caller passes over: neither file nor directory. */
const NOTHING = {
  isFile: no,
  isDirectory: no,
  isSymbolicLink: no,
  isBlockDevice: no,
  isCharacterDevice: no,
  isFIFO: no,
  isSocket: no,
};

/** Line terminators of regular expressions, and the escape character itself. */
const SPECIAL = /[%\n\r\u2028\u2029]/g;

function encode(name: string): string {
  return SPECIAL.test(name)
    ? name.replace(SPECIAL, (char) => `%${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
    : name;
}

/** The real path, relative to the root, of one that the adapter was asked for. */
function decode(path: string): string {
  const relative = path.slice(1);
  if (!relative.includes('%')) return relative;
  return relative.replace(/%([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}
