/**
 * How a command ends whose work is done for whoever reads its output.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EXIT } from '../exit.js';
import { failureText } from '../reporters/messages.js';
import { coloursFor, type ReaderWatch, type Surroundings, watchReader } from '../streams.js';

/**
 * Does that work. A reader that had enough is no failure; a disk that is full is one, and is told of.
 *
 * @param work is told when nothing arrives any more; returns the exit status where nothing is the matter
 * @returns the exit status
 */
export async function forReader(around: Surroundings, work: (reader: ReaderWatch) => Promise<number>): Promise<number> {
  const { stdout, stderr, env } = around;
  const reader = watchReader(stdout);
  try {
    const status = await work(reader);
    // The last write fails a moment later.
    await nextTurn();
    if (!reader.gone.aborted || reader.hadEnough) return status;
    const failure = {
      code: 'OUTPUT_WRITE',
      message: `standard output cannot be written to: ${reader.gone.reason}`,
      hint: 'what was written is not all there is',
      status: EXIT.failed,
    };
    stderr.write(failureText(failure, coloursFor(stderr, env)));
    return failure.status;
  } finally {
    reader.stop();
  }
}
