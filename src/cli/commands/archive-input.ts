/**
 * An archive that is named on the command line; `-` is standard input.
 */
import type { Readable } from 'node:stream';
import { UsageError } from '../exit.js';
import type { Surroundings } from '../streams.js';
import { required } from './options.js';

/** The words for `-` in a command's list of arguments. */
export const ARCHIVE_ARGUMENT = 'the archive; - is standard input';

/** The archive as the library takes it. @throws UsageError where it would be read from a terminal */
export function archiveInput(name: string, stdin: Surroundings['stdin']): string | Readable {
  if (required('the name of an archive', null)(name) !== '-') return name;
  if (stdin.isTTY) {
    throw new UsageError(
      'the archive would be read from the terminal',
      'redirect standard input from a file or a program, or name a file',
    );
  }
  return stdin;
}
