/**
 * Running Lite, as far as this program has it: the datastore, and nothing else. Scheduler and user interface come with the Leoflow binary.
 *
 *     start: refuse a second one, bring the cluster up (make it where there is none), with the database in it
 *     serve: until told to stop, or the server is gone
 *     stop:  the server, orderly
 *
 * Killed, it leaves the server running; the next one takes its place.
 */
import { resolve } from 'node:path';
import { clearStaleBeside } from '../beside-home.js';
import { DATABASE, pgdataOf, ROLE, type ServedCluster, serveCluster } from '../datastore/index.js';
import { interrupted, SnapshotError } from '../errors.js';
import { defaultHome, readInstall } from '../install/index.js';
import { holdLite, lockBriefly } from '../install-lock.js';
import { requireNothingUnfinished } from '../recovery.js';
import type { LiteEvent, LiteOptions, LiteResult, LiteServing } from './options.js';
import { isRootsOwn, ROOT_REFUSED, rootAdvice } from './root.js';

/**
 * Runs the datastore of an install until `signal` fires.
 *
 * @returns what ran, once it is stopped
 * @throws SnapshotError, see {@link ErrorCode}: `LITE_RUNNING`, `LITE_ENDED`, `HOME_NOT_FOUND`, `CLUSTER_ROOT`, `INTERRUPTED` (only while it is
 *   still coming up), what reading the install and starting the cluster throw
 */
export async function runLite(options: LiteOptions = {}): Promise<LiteResult> {
  const started = performance.now();
  const { signal } = options;
  const home = resolve(options.home ?? defaultHome());
  const emit = (event: LiteEvent) => options.onEvent?.(event);

  emit({ type: 'phase', phase: 'start' });
  const { workspace } = await readInstall(home);
  if (await isRootsOwn(home))
    throw new SnapshotError('CLUSTER_ROOT', ROOT_REFUSED, { hint: rootAdvice('leoflow lite') });
  const leave = await holdLite(home);
  try {
    const cluster = await start(home, options);
    const serving: LiteServing = {
      home,
      workspace,
      socket: cluster.address,
      url: `postgres://${ROLE}@/${DATABASE}?host=${encodeURIComponent(pgdataOf(home)).replaceAll('%2F', '/')}&sslmode=disable`,
      log: cluster.log,
      serverVersion: cluster.serverVersion,
      was: cluster.was,
    };
    emit({ type: 'serving', serving });
    emit({ type: 'phase', phase: 'serve' });
    if (await cluster.gone(signal)) throw ended(home, cluster.log);
    emit({ type: 'phase', phase: 'stop' });
    await cluster.stop();
    return { ...serving, durationMs: performance.now() - started };
  } finally {
    await leave();
  }
}

type Started = ServedCluster & Pick<LiteServing, 'was'>;

/** Brings the cluster up, while nobody else works on the home. */
async function start(home: string, { pgBin, signal }: LiteOptions): Promise<Started> {
  const unlock = await lockBriefly(home, 'start', signal);
  try {
    await requireNothingUnfinished(home);
    await clearStaleBeside(home);
    const cluster = await serveCluster({ home, pgBin, signal });
    if (cluster.state === 'running') throw runsAlready(home, cluster.address);
    return { ...cluster, was: WAS[cluster.state] };
  } catch (error) {
    throw signal?.aborted ? interrupted() : error;
  } finally {
    await unlock();
  }
}

const WAS = { left: 'left', started: 'stopped', provisioned: 'absent' } as const;

function runsAlready(home: string, address: string): SnapshotError {
  return new SnapshotError('LITE_RUNNING', `the datastore of ${home} runs already, at ${address}`, {
    hint: 'use it as it is; it was not `leoflow lite` that started it, so it stops where it was started',
  });
}

function ended(home: string, log: string): SnapshotError {
  return new SnapshotError('LITE_ENDED', `the datastore of ${home} has stopped, and not by this program`, {
    hint: `its log says why: ${log}`,
  });
}
