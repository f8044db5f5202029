/**
 * The members that hold what is wanted, chosen among those of an archive of ours: by the order of the paths, and where a pattern has wildcards in it by the
 * index, too, which spares the reading of what lies beside.
 */
import { type ArchivePath, ENTRY } from '../archive/index.js';
import type { Run } from '../member-runs.js';
import type { OpenedArchive } from '../opened-archive.js';
import { literalPart, Wanted } from '../workspace/index.js';
import { MemberSearch } from './member-search.js';
import { isBeside } from './patterns.js';

export interface ChosenRuns {
  /** In the order of the archive, SHA256SUMS among them; null where the archive has no members. */
  runs: Run[] | null;
  /** Bytes of the archive that were read to find them. */
  bytesRead: number;
}

/** @param patterns names as in the archive */
export async function chooseRuns(
  archive: OpenedArchive,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<ChosenRuns> {
  const { members, handle } = archive;
  if (members === null) return { runs: null, bytesRead: 0 };
  const search = new MemberSearch(handle.fd, members);
  const runs = new Map<number, Run>();
  const wanted = new Wanted(patterns);
  const choose = (run: Run) => {
    if (run.type === 'block') runs.set(run.member.offset, run);
    else if (run.role === 'checksums' || wanted.takes(nameOf(run))) runs.set(run.segments[0]?.member.offset ?? 0, run);
  };
  for (const pattern of patterns) {
    if (isBeside(pattern)) continue;
    const path = literalPart(pattern).slice(ENTRY.workspace.length);
    for (const run of search.below(path)) choose(run);
  }
  const areBeside = patterns.some(isBeside);
  for (const run of search.outside()) if (areBeside || run.type === 'file') choose(run);
  signal.throwIfAborted();
  const inOrder = [...runs].sort(([a], [b]) => a - b).map(([, run]) => run);
  return { runs: inOrder, bytesRead: search.bytesRead };
}

function nameOf({ role, name }: Run & { type: 'file' }): ArchivePath {
  return role === null ? (name ?? ENTRY.workspace) : ENTRY[role];
}
