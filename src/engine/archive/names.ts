/**
 * Names of entries, and the order they stand in.
 */

declare const archivePath: unique symbol;

/** The name of an entry in the archive: relative, `/` between its parts, directories end in `/`. Never a path on this machine. */
export type ArchivePath = string & { readonly [archivePath]: true };

/** The entries with a meaning of their own. */
export const ENTRY = {
  manifest: 'MANIFEST.json' as ArchivePath,
  config: 'config.yaml' as ArchivePath,
  setup: 'setup.json' as ArchivePath,
  datastore: 'datastore.sql' as ArchivePath,
  index: 'INDEX.jsonl' as ArchivePath,
  checksums: 'SHA256SUMS' as ArchivePath,
  workspace: 'workspace/' as ArchivePath,
} as const;

/** The entry of a path relative to the workspace; the workspace itself is the empty path. */
export function workspaceEntry(path: string, directory: boolean): ArchivePath {
  return `${ENTRY.workspace}${path}${directory && path !== '' ? '/' : ''}` as ArchivePath;
}

/**
 * Compares relative paths in *path order*: siblings by the bytes of their names, a directory right before what lies in it.
 * With `/` taken as the lowest character that is plain byte order.
 */
export function comparePaths(a: string, b: string): number {
  return compareKeys(orderKey(a), orderKey(b));
}

/** Sorts relative paths. @returns the indices of `paths` in path order */
export function pathOrder(paths: readonly string[]): number[] {
  const keys = paths.map(orderKey);
  return keys.map((_, index) => index).sort((a, b) => compareKeys(keys[a] as string, keys[b] as string));
}

function orderKey(path: string): string {
  return path.replaceAll('/', '\0');
}

/** UTF-16 order is UTF-8 order as long as no surrogate is compared with a character above U+DFFF. */
function compareKeys(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

const SURROGATE = /[\ud800-\udfff]/;
