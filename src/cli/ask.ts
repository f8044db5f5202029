/**
 * Questions to a person on a terminal. They go to stderr: stdout is for results.
 */
import { createInterface } from 'node:readline/promises';
import type { Surroundings } from './streams.js';

/** Whether somebody is there to answer. */
export function canAsk({ stdin, stderr }: Surroundings): boolean {
  return stdin.isTTY === true && stderr.isTTY === true;
}

/**
 * Asks, one question after the other. Ctrl-C is a SIGINT, as without questions; Ctrl-D answers the rest by nothing.
 *
 * @param signal ends the question at hand: the promise rejects with INTERRUPTED
 * @returns the answers, trimmed
 */
export async function ask(questions: readonly string[], around: Surroundings, signal: AbortSignal): Promise<string[]> {
  const { stdin: input, stderr: output } = around;
  const lines = createInterface({ input, output });
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  lines.on('SIGINT', () => {
    output.write('\n');
    process.kill(process.pid, 'SIGINT');
  });
  try {
    const answers: string[] = [];
    for (const question of questions) {
      const answer = await Promise.race([lines.question(question, { signal }), closed]);
      answers.push(answer.trim());
    }
    return answers;
  } catch (error) {
    // Told as what it is: the engine has been loaded by now.
    const { SnapshotError } = await import('../index.js');
    throw signal.aborted ? new SnapshotError('INTERRUPTED', 'interrupted') : error;
  } finally {
    lines.close();
  }
}

/** Whether an answer is a yes; nothing is none. */
export function isYes(answer: string | undefined): boolean {
  return /^y(?:es)?$/i.test(answer ?? '');
}
