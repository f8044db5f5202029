/**
 * Worker threads that outlive the call they were started for.
 *
 * To start a thread, with all the modules that it loads, is most of what a restore of three small files costs. Where hundreds of archives are tried, all
 * calls get the same threads, one after the other. That each call starts threads of its own, and ends them, is seen to by every other test.
 */
import { afterAll, beforeAll } from 'vitest';
import type * as Errors from '../../src/engine/errors.js';
import type * as Pool from '../../src/engine/pool.js';

const built = <T>(module: string) =>
  import(new URL(`../../dist/engine/${module}.js`, import.meta.url).href) as Promise<T>;
const { interrupted } = await built<typeof Errors>('errors');
const { WorkerPool } = await built<typeof Pool>('pool');

/** Lends threads to all calls of the built library in the tests of this file. */
export function lendWorkers(): void {
  const start = WorkerPool.start;
  const pools = new Map<number, Promise<Pool.WorkerPool>>();
  beforeAll(() => {
    WorkerPool.start = async (workers) => {
      const pool = pools.get(workers) ?? start.call(WorkerPool, workers);
      pools.set(workers, pool);
      return new LentPool(await pool) as unknown as Pool.WorkerPool;
    };
  });
  afterAll(async () => {
    WorkerPool.start = start;
    for (const pool of pools.values()) await (await pool).destroy();
  });
}

/** A pool as its borrower sees it: it is over once it is destroyed, and the threads go on. */
class LentPool {
  readonly workers: number;
  readonly #pool: Pool.WorkerPool;
  readonly #running = new Set<Promise<unknown>>();
  #isOver = false;

  constructor(pool: Pool.WorkerPool) {
    this.workers = pool.workers;
    this.#pool = pool;
  }

  async run(...task: Parameters<Pool.WorkerPool['run']>): Promise<unknown> {
    if (this.#isOver) throw interrupted();
    const answer = this.#pool.run(...task);
    this.#running.add(answer);
    try {
      const result = await answer;
      if (!this.#isOver) return result;
    } catch (error) {
      if (!this.#isOver) throw error;
    } finally {
      this.#running.delete(answer);
    }
    throw interrupted();
  }

  async destroy(): Promise<void> {
    this.#isOver = true;
    await Promise.allSettled(this.#running);
  }
}
