/**
 * How a command ends whose work is done for whoever reads its output, where that one may go away.
 */
import { EXIT } from '../exit.js';
import { failureText } from '../reporters/messages.js';
import { coloursFor, type ReaderWatch, type Surroundings } from '../streams.js';

/** The exit status: a reader that had enough is no failure, a disk that is full is one, and is told of. @param status where nothing is the matter */
export function readerStatus(reader: ReaderWatch, status: number, { stderr, env }: Surroundings): number {
  if (!reader.gone.aborted) return status;
  if (reader.hadEnough) return EXIT.done;
  const failure = {
    code: 'OUTPUT_WRITE',
    message: `standard output cannot be written to: ${reader.gone.reason}`,
    hint: 'what was written is not all there is',
    status: EXIT.failed,
  };
  stderr.write(failureText(failure, coloursFor(stderr, env)));
  return failure.status;
}
