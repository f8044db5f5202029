/**
 * Prune: which archives in a directory are kept, and the others removed.
 *
 *     look:    every name → an archive that counts, or something that is not touched         one that cannot be read ends it: nothing is removed
 *              the newest complete one is known to be whole, or is not counted               so no damaged one takes the place of the last good one
 *              rules → decisions                                                             a pure function
 *     remove:  from the oldest on, each only if it is still the file that was judged, and the newest complete one is still there
 *              fsync of the directory
 *
 * Backups and other prunes may work in the same directory at the same time: the former put whole archives there by a rename, the latter keep the newest ones,
 * too.
 */
import { isUtf8 } from 'node:buffer';
import { lstat, readdir, unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { syncDirectory } from './archive/index.js';
import { interrupted, SnapshotError, systemErrorCode, systemErrorText, throwIfAborted } from './errors.js';
import { type Candidate, checkStream, identityOf, isSame, lookAt } from './prune/candidate.js';
import { applyRules, isComplete, type Judged, keepsAnything, newestFirst } from './prune/policy.js';
import type {
  ArchiveSource,
  PruneDecision,
  PruneEvent,
  PruneOptions,
  PruneResult,
  Untouched,
} from './prune-options.js';

/**
 * Removes the archives in a directory that no rule keeps. Only regular files in that very directory are touched that are whole archives with a manifest this
 * program understands, whatever they are called; and never the newest of them, nor the newest that is complete.
 *
 * @returns what became of each file; one that cannot be removed is no error
 * @throws SnapshotError: USAGE where no rule keeps anything, PRUNE_DIRECTORY and PRUNE_UNREADABLE (nothing was removed), PRUNE_STOPPED, INTERRUPTED
 */
export async function prune(options: PruneOptions): Promise<PruneResult> {
  const started = performance.now();
  const { directory: named, keep, dryRun = false, signal = new AbortController().signal } = options;
  const emit = (event: PruneEvent) => options.onEvent?.(event);
  throwIfAborted(signal);
  checkRules(options);
  const directory = resolve(named);
  try {
    emit({ type: 'phase', phase: 'look' });
    const { candidates, untouched } = await look(directory, signal, emit);
    const judged = applyRules(candidates, keep);
    if (!dryRun) emit({ type: 'phase', phase: 'remove' });
    const decisions = judged.map(decisionOf);
    await carryOut(directory, judged, decisions, { dryRun, signal, emit });
    return {
      directory,
      dryRun,
      archives: decisions,
      untouched,
      kept: total(decisions, ['kept', 'changed', 'failed']),
      removed: total(decisions, ['removed']),
      sources: sourcesOf(candidates),
      failed: decisions.filter(({ outcome }) => outcome === 'failed').length,
      durationMs: performance.now() - started,
    };
  } catch (error) {
    throw signal.aborted ? interrupted() : error;
  }
}

/** @throws USAGE */
function checkRules({ keep }: PruneOptions): void {
  const { within = {}, ...counts } = keep;
  for (const [name, count] of [...Object.entries(counts), ...Object.entries(within)]) {
    if (count === Number.POSITIVE_INFINITY && name in counts) continue;
    if (!Number.isInteger(count) || count < 0)
      throw new SnapshotError('USAGE', `${name} must be a whole number, not ${count}`);
  }
  if (!keepsAnything(keep)) {
    throw new SnapshotError('USAGE', 'no rule keeps anything: every archive would be removed', {
      hint: 'say what to keep',
    });
  }
}

/** Everything in the directory: what counts, and what does not. @throws PRUNE_DIRECTORY, PRUNE_UNREADABLE */
async function look(
  directory: string,
  signal: AbortSignal,
  emit: (event: PruneEvent) => void,
): Promise<{ candidates: Candidate[]; untouched: Untouched[] }> {
  const candidates: Candidate[] = [];
  const untouched: Untouched[] = [];
  const now = Date.now();
  for (const bytes of await namesIn(directory)) {
    throwIfAborted(signal);
    const name = bytes.toString();
    if (!isUtf8(bytes)) {
      untouched.push({ name, why: 'not-an-archive', message: 'its name is not UTF-8' });
      continue;
    }
    const found = await lookAt(directory, name, now, signal);
    if (found === null) continue;
    if (found.type === 'candidate') candidates.push(found);
    else untouched.push({ name, why: found.why, message: found.message });
  }
  candidates.sort(newestFirst);
  untouched.push(...(await dropDamaged(candidates, signal, emit)));
  return { candidates, untouched: untouched.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

/** Takes damaged ones away, until the newest of those that are complete is known to be whole. @param candidates newest first */
async function dropDamaged(
  candidates: Candidate[],
  signal: AbortSignal,
  emit: (event: PruneEvent) => void,
): Promise<Untouched[]> {
  const dropped: Untouched[] = [];
  const progress = { files: 0, bytes: 0, dumpBytes: 0, read: 0, size: 0 };
  for (;;) {
    const newest = candidates.find(isComplete);
    if (newest === undefined || newest.isWhole) return dropped;
    const { size: before } = progress;
    progress.size += newest.size;
    const found = await checkStream(newest, signal, (bytes) => {
      progress.read = before + bytes;
      emit({ type: 'progress', progress: { ...progress } });
    });
    if (found === 'whole') return dropped;
    if (found !== 'gone') dropped.push(found);
    candidates.splice(candidates.indexOf(newest), 1);
  }
}

async function namesIn(directory: string): Promise<Buffer[]> {
  try {
    const names = await readdir(directory, { encoding: 'buffer' });
    return names.sort(Buffer.compare);
  } catch (cause) {
    if (systemErrorCode(cause) === undefined) throw cause;
    throw new SnapshotError('PRUNE_DIRECTORY', `the directory ${directory}: ${systemErrorText(cause)}`, {
      hint: 'name the directory that the archives lie in',
      cause,
    });
  }
}

function decisionOf({ snapshot, reasons }: Judged<Candidate>): PruneDecision {
  const { name, createdAt, size, incomplete } = snapshot;
  const outcome = reasons.length > 0 ? 'kept' : 'removed';
  return { name, createdAt, size, incomplete, outcome, reasons, message: null };
}

/**
 * Removes what is to be removed, and notes what has come of it.
 *
 * @param judged newest first, and so are their decisions
 * @throws PRUNE_STOPPED, INTERRUPTED
 */
async function carryOut(
  directory: string,
  judged: readonly Judged<Candidate>[],
  decisions: readonly PruneDecision[],
  { dryRun, signal, emit }: { dryRun: boolean; signal: AbortSignal; emit: (event: PruneEvent) => void },
): Promise<void> {
  const [newest] = judged;
  const dependedOn = judged.find(({ snapshot }) => isComplete(snapshot)) ?? newest;
  let removed = 0;
  try {
    for (const [index, { snapshot }] of [...judged.entries()].reverse()) {
      const decision = decisions[index] as PruneDecision;
      if (decision.outcome === 'removed' && !dryRun) {
        throwIfAborted(signal);
        if (dependedOn !== undefined) await checkThere(dependedOn.snapshot, removed);
        Object.assign(decision, await removeAsJudged(snapshot));
        if (decision.outcome === 'removed') removed += 1;
      }
      emit({ type: 'decision', decision });
    }
  } finally {
    if (removed > 0) await makeDurable(directory);
  }
}

/** Removes an archive, if it is still what was judged. */
async function removeAsJudged(candidate: Candidate): Promise<Pick<PruneDecision, 'outcome' | 'message'>> {
  try {
    const state = await stateOf(candidate);
    if (state !== 'same') return { outcome: state, message: null };
    await unlink(candidate.path);
    return { outcome: 'removed', message: null };
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return { outcome: 'gone', message: null };
    return { outcome: 'failed', message: systemErrorText(error) };
  }
}

/** Whether a file is still the one that was judged. @throws system errors */
async function stateOf({ path, identity }: Candidate): Promise<'same' | 'changed' | 'gone'> {
  try {
    return isSame(identityOf(await lstat(path, { bigint: true })), identity) ? 'same' : 'changed';
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return 'gone';
    throw error;
  }
}

/** @throws PRUNE_STOPPED where the newest complete archive is not there any more, for which the others were to go */
async function checkThere(newest: Candidate, removed: number): Promise<void> {
  if ((await stateOf(newest).catch(() => 'gone')) === 'same') return;
  const so = removed === 0 ? 'nothing was removed' : `${removed} older ones were removed before`;
  throw new SnapshotError(
    'PRUNE_STOPPED',
    `the newest good archive, ${newest.name}, is not what it was a moment ago; ${so}`,
    { hint: 'somebody else works in that directory; run it again' },
  );
}

/** Where they come from, each once. @param candidates newest first, and so are the sources */
function sourcesOf(candidates: readonly Candidate[]): ArchiveSource[] {
  const sources = new Map<string, ArchiveSource>();
  for (const { source } of candidates) {
    const key = JSON.stringify(source);
    if (source !== null && !sources.has(key)) sources.set(key, source);
  }
  return [...sources.values()];
}

async function makeDurable(directory: string): Promise<void> {
  await syncDirectory(directory).catch((cause: unknown) => {
    // Removed they are. A power cut may bring them back, which the next prune sees.
    if (systemErrorCode(cause) === undefined) throw cause;
  });
}

function total(decisions: readonly PruneDecision[], outcomes: readonly PruneDecision['outcome'][]) {
  const counted = decisions.filter(({ outcome }) => outcomes.includes(outcome));
  return { archives: counted.length, bytes: counted.reduce((sum, { size }) => sum + size, 0) };
}
