/**
 * The worker threads of one run.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { Tasks } from '../workers/tasks.js';
import { interrupted, SnapshotError, systemErrorCode, wholeNumber } from './errors.js';

/** Where Node.js tells of each thread that it has made. */
const THREADS_MADE = 'worker_threads';

/** Most threads of a pool. */
const MOST_WORKERS = 1024;

/** Most memory for the JavaScript heap of a thread. */
const HEAP_MIB = 256;

/** Runs tasks in worker threads, each thread one at a time, in the order they were given. */
export class WorkerPool {
  readonly workers: number;
  readonly #piscina: Piscina;
  /** Settled when every thread has started. */
  readonly #started: Promise<unknown>;
  /** Tasks that were given to the threads and have no answer yet. */
  readonly #running = new Set<Promise<unknown>>();
  /** Why a thread that had nothing to do is missing. */
  #failure: unknown = null;
  #destroyed: Promise<void> | null = null;

  /**
   * Starts the threads.
   *
   * @throws WORKERS_START where the system does not allow for so many; then there are none
   */
  static async start(workers: number): Promise<WorkerPool> {
    const threads: Worker[] = [];
    const note = (message: unknown) => threads.push((message as { worker: Worker }).worker);
    subscribe(THREADS_MADE, note);
    try {
      return new WorkerPool(workers);
    } catch (error) {
      // piscina forgets those that it has made.
      await Promise.all(threads.map(endThread));
      throw asThreadError(error);
    } finally {
      unsubscribe(THREADS_MADE, note);
    }
  }

  private constructor(workers: number) {
    this.workers = workers;
    this.#piscina = new Piscina({
      minThreads: workers,
      maxThreads: workers,
      // One at hand, and one that is begun without asking here first (src/workers/alone.ts).
      concurrentTasksPerWorker: 2,
      recordTiming: false,
      // The task at hand is small and short-lived; what is large lives outside of the JavaScript heap.
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: HEAP_MIB },
    });
    // The first thing that a thread says is that it is ready.
    this.#started = Promise.allSettled(this.#piscina.threads.map((thread) => once(thread, 'message')));
    // The answer to a task can be on its way when the threads are ended; piscina then knows no such task, and without a listener that ends the process.
    this.#piscina.on('error', (error) => {
      if (this.#destroyed !== null) return;
      this.#failure = asThreadError(error);
      if (this.#failure === error) throw error;
    });
  }

  /**
   * Runs one task.
   *
   * @param give buffers of the task that move to the worker; they are empty here from now on
   * @throws what the task throws; WORKERS_START where a thread is missing; WORKERS_MEMORY where the task takes too much
   */
  async run<Name extends keyof Tasks>(
    name: Name,
    task: Tasks[Name]['task'],
    give: ArrayBuffer[] = [],
  ): Promise<Tasks[Name]['result']> {
    if (this.#destroyed !== null) throw interrupted();
    if (this.#failure !== null) throw this.#failure;
    const filename = new URL(`../workers/${name}.js`, import.meta.url).href;
    const answer = this.#piscina.run(task, { filename, transferList: give });
    this.#running.add(answer);
    try {
      const result = await answer;
      if (this.#destroyed === null) return result;
    } catch (error) {
      if (this.#destroyed === null) throw asThreadError(error);
    } finally {
      this.#running.delete(answer);
    }
    throw interrupted();
  }

  /**
   * Ends the threads. Tasks under way reject once they are done, which takes a moment: Node.js aborts the whole process now and then where a thread is
   * ended while it starts, loads a module or makes a zlib stream. (piscina's own `close()` means to wait, but stops at the first answer.)
   */
  destroy(): Promise<void> {
    this.#destroyed ??= this.#end();
    return this.#destroyed;
  }

  async #end(): Promise<void> {
    await this.#started;
    await Promise.allSettled(this.#running);
    await this.#piscina.destroy();
  }
}

/** Ends a thread once it has started, see {@link WorkerPool.destroy}. */
async function endThread(thread: Worker): Promise<void> {
  // It is not to be replaced, and is waited for.
  for (const event of ['exit', 'error']) thread.removeAllListeners(event);
  thread.ref();
  await once(thread, 'message').catch(() => {});
  await thread.terminate();
}

/** Why a thread could not start, or had to end, in words; any other error as it is. */
function asThreadError(error: unknown): unknown {
  const code = systemErrorCode(error);
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new SnapshotError('WORKERS_MEMORY', `a worker needs more memory than the ${HEAP_MIB} MiB that it may use`, {
      hint: 'where a directory has millions of names, spread them over several, or leave it out with --exclude',
      cause: error,
    });
  }
  // A thread that has begun fails with the system's error itself. (Those of tasks come without a code.)
  const reason = code === 'ERR_WORKER_INIT_FAILED' ? /\w*$/.exec((error as Error).message)?.[0] : code;
  const noFiles = reason === 'EMFILE' || reason === 'ENFILE';
  if (reason === code && !noFiles) return error;
  const lacking = noFiles ? 'open files' : 'threads';
  return new SnapshotError('WORKERS_START', `not all workers can be started: the system allows no more ${lacking}`, {
    hint: 'use fewer --workers, or raise the limit',
    cause: error,
  });
}

/** The number of threads that is asked for, or as many as there are processors for. @throws USAGE */
export function workersOf({ workers = availableWorkers() }: { workers?: number }): number {
  return wholeNumber('workers', workers, 1, MOST_WORKERS);
}

/** The processors this process may use: its affinity, and its cgroup's quota where that is less. */
function availableWorkers(): number {
  return Math.max(1, Math.min(availableParallelism(), cgroupQuota() ?? Number.POSITIVE_INFINITY));
}

/** Processors that the cgroup's quota amounts to, rounded up; null without a quota. */
function cgroupQuota(): number | null {
  const read = (file: string) => {
    try {
      return readFileSync(file, 'latin1').trim();
    } catch {
      return null;
    }
  };
  const version2 = read('/sys/fs/cgroup/cpu.max')?.split(' ');
  const quota = Number(version2?.[0] ?? read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us') ?? Number.NaN);
  const period = Number(version2?.[1] ?? read('/sys/fs/cgroup/cpu/cpu.cfs_period_us') ?? Number.NaN);
  return quota > 0 && period > 0 ? Math.ceil(quota / period) : null;
}

/**
 * Runs jobs, several at a time, and yields their results in the order of the jobs. When it ends, however it does, none of them is at work any more.
 *
 * @param limit jobs under way or waiting to be taken, at most: this bounds memory, and makes the source wait for the consumer
 */
export async function* inOrder<T>(jobs: AsyncIterable<() => Promise<T>>, limit: number): AsyncGenerator<T> {
  const running: Promise<T>[] = [];
  try {
    for await (const job of jobs) {
      const result = job();
      // Looked at when its turn comes; until then a failure must not count as unhandled.
      result.catch(() => {});
      running.push(result);
      if (running.length >= limit) yield running.shift() as Promise<T>;
    }
    while (running.length > 0) yield running.shift() as Promise<T>;
  } finally {
    await Promise.allSettled(running);
  }
}
