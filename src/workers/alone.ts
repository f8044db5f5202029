/**
 * One task at a time in each thread.
 *
 * A thread is given its next task while it is at one: it would else stand still until the coordinator has heard of the end of this one, a tenth of a restore. But tasks
 * have the thread's memory for themselves, so the next one waits here.
 */
let last: Promise<unknown> = Promise.resolve();

/** A task that begins when the one before it, of whatever kind, is over. */
export function alone<Task, Result>(run: (task: Task) => Result | Promise<Result>): (task: Task) => Promise<Result> {
  return (task) => {
    const result = last.then(() => run(task));
    last = result.catch(() => {});
    return result;
  };
}
