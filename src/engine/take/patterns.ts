/**
 * What the patterns of a user mean: names as in the archive, or paths in the workspace. What is asked for is found again under the name by which it was
 * asked for.
 */
import { ENTRY, quoted } from '../archive/index.js';
import { SnapshotError } from '../errors.js';

export interface Asked {
  /** One per pattern, as names in the archive. */
  patterns: string[];
  /** Whether paths of the workspace were named as in the archive, `workspace/…`. */
  asInArchive: boolean;
}

const WORKSPACE = 'workspace';
/** Files beside the workspace. Only these words mean them, no wildcards: there are secrets among them. */
const BESIDE: ReadonlySet<string> = new Set(Object.values(ENTRY).filter((name) => name !== ENTRY.workspace));

/** Whether a name is that of a file beside the workspace. */
export function isBeside(name: string): boolean {
  return BESIDE.has(name);
}

/** @throws USAGE */
export function readPatterns(patterns: readonly string[]): Asked {
  if (patterns.length === 0) throw usage('there is nothing to extract');
  const read = patterns.map((pattern) => {
    if (pattern.startsWith('/')) throw usage(`${quoted(pattern)} is a path of this machine, and none in the workspace`);
    const path = pattern.replace(/^(\.\/+)+/, '').replace(/^\.?$/, '');
    const isInArchive = path === WORKSPACE || path.startsWith(ENTRY.workspace);
    if (isBeside(path)) return { path, asInArchive: null };
    return { path: isInArchive ? path : `${ENTRY.workspace}${path}`, asInArchive: isInArchive };
  });
  const ways = new Set(read.flatMap(({ asInArchive }) => (asInArchive === null ? [] : [asInArchive])));
  if (ways.size > 1) throw usage('name all as in the archive (workspace/…), or all as in the workspace');
  return { patterns: read.map(({ path }) => path), asInArchive: ways.has(true) };
}

function usage(message: string): SnapshotError {
  return new SnapshotError('USAGE', message, {
    hint: 'leoflow lite extract <archive> dags/etl --to <dir>; leoflow lite list <archive> says what is in it',
  });
}
