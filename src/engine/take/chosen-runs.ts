/**
 * The members that hold what is wanted, chosen among those of an archive of ours: by the order of the paths, and where a pattern has wildcards in it by the
 * index, too, which spares the reading of what lies beside.
 */
import { type ArchivePath, ENTRY } from '../archive/index.js';
import { openContents } from '../contents.js';
import type { FileRun, Run } from '../member-runs.js';
import { NamePatterns } from '../name-patterns.js';
import { nextTurn } from '../next-turn.js';
import type { OpenedArchive } from '../opened-archive.js';
import { literalPart, Wanted } from '../workspace/index.js';
import { MemberSearch } from './member-search.js';
import { isBeside } from './patterns.js';

/** The note of an archive without members that can be read by themselves. */
export const ALL_OF_A_STREAM = 'the archive is one stream: all of it has to be read';
const ALL_THAT_MAY = 'the archive has no index: all that the patterns may mean has to be read';

export interface ChosenRuns {
  /** In the order of the archive, SHA256SUMS among them; null where the archive has no members. */
  runs: Run[] | null;
  /** Bytes of the archive that were read to open it and to find them. */
  bytesRead: number;
  /** What to tell people of an archive of which more has to be read than what is wanted; null where that is not so. */
  note: string | null;
}

/** @param patterns as they stand for names in the archive */
export async function chooseRuns(
  archive: OpenedArchive,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<ChosenRuns> {
  const { members, handle } = archive;
  if (members === null) return { runs: null, bytesRead: archive.bytesRead, note: ALL_OF_A_STREAM };
  const search = new MemberSearch(handle.fd, members);
  const runs = new Map<number, Run>();
  const wanted = new Wanted(patterns);
  const choose = async (run: Run) => {
    if (run.type === 'file') await nextTurn(signal);
    if (run.type === 'block' || run.role === 'checksums' || wanted.takes(nameOf(run))) runs.set(offsetOf(run), run);
  };
  const inside = patterns.filter((pattern) => !isBeside(pattern));
  for (const pattern of inside.filter(isLiteral)) for (const run of search.below(pathOf(pattern))) await choose(run);
  const wild = inside.filter((pattern) => !isLiteral(pattern));
  const { holds, bytesRead, note } = await byIndex(archive, wild, signal);
  for (const pattern of wild) {
    for (const run of search.below(pathOf(pattern))) if (holds(offsetOf(run))) await choose(run);
  }
  const areBeside = patterns.some(isBeside);
  for (const run of search.outside()) if (areBeside || run.type === 'file') await choose(run);
  const inOrder = [...runs].sort(([a], [b]) => a - b).map(([, run]) => run);
  return { runs: inOrder, bytesRead: bytesRead + search.bytesRead, note };
}

/** Which members hold something that the patterns choose, by the word of the index, which only reading all could prove; all may, where there is no pattern to ask the index for, or no index to ask. */
async function byIndex(
  archive: OpenedArchive,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<{ holds(offset: number): boolean; bytesRead: number; note: string | null }> {
  const everywhere = { holds: () => true, bytesRead: archive.bytesRead, note: null };
  if (patterns.length === 0) return everywhere;
  const contents = openContents(archive, signal);
  if (contents.source !== 'index') return { ...everywhere, note: ALL_THAT_MAY };
  const wanted = new NamePatterns(patterns);
  const members = new Set<number | null>();
  for await (const batch of contents.entries()) {
    for (const { name, member } of batch) if (wanted.matches(name)) members.add(member);
  }
  return { holds: (offset) => members.has(offset), bytesRead: contents.bytesRead, note: null };
}

/** The path in the workspace that everything a pattern chooses is, or lies below. */
function pathOf(pattern: string): string {
  return literalPart(pattern).slice(ENTRY.workspace.length);
}

function isLiteral(pattern: string): boolean {
  return literalPart(pattern) === pattern.replace(/\/+$/, '');
}

function offsetOf(run: Run): number {
  return run.type === 'block' ? run.member.offset : (run.segments[0]?.member.offset ?? 0);
}

function nameOf({ role, name }: FileRun): ArchivePath {
  return role === null ? (name ?? ENTRY.workspace) : ENTRY[role];
}
