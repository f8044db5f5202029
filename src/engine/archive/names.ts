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
  checksums: 'SHA256SUMS' as ArchivePath,
  workspace: 'workspace/' as ArchivePath,
} as const;

/** The entry of a path relative to the workspace; the workspace itself is the empty path. */
export function workspaceEntry(path: string, directory: boolean): ArchivePath {
  return `${ENTRY.workspace}${path}${directory && path !== '' ? '/' : ''}` as ArchivePath;
}

/**
 * Sorts relative paths into *path order*: siblings by the bytes of their names, a directory right before what lies in it.
 * With `/` taken as the lowest character that is plain byte order.
 *
 * @returns the indices of `paths` in order
 */
export function pathOrder(paths: readonly string[]): number[] {
  const keys = paths.map((path) => path.replaceAll('/', '\0'));
  const order = keys.map((_, index) => index);
  // UTF-16 order is UTF-8 order as long as no surrogate is compared with a character above U+DFFF.
  const compare: (a: string, b: string) => number = keys.some((key) => /[\ud800-\udfff]/.test(key))
    ? (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))
    : (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return order.sort((a, b) => compare(keys[a] as string, keys[b] as string));
}
