/**
 * Where an archived install lived, and where its paths lead on this machine.
 *
 * Archives of the Go implementation do not say it, but `leoflow setup` writes the home into `parser_cmd`, and there it can be read.
 */
import { dirname, isAbsolute, join, normalize, relative } from 'node:path';

/** Where `leoflow setup` puts the parser's sources. */
const PARSER = '/pysrc/parser';
/** Characters of a command that are looked through. */
const MAX_COMMAND = 8192;
/** Linux's `PATH_MAX`. */
const MAX_PATH = 4096;

/** One home moved to another; both absolute, without a slash at the end. */
export interface Move {
  from: string;
  to: string;
}

/**
 * The home that a `parser_cmd` was written for: `/home/alice/.leoflow` of
 * `env PYTHONPATH=/home/alice/.leoflow/pysrc/parser /usr/bin/python3 -m leoflow_parser`.
 *
 * @returns null where the command names none
 */
export function homeInCommand(command: string | null): string | null {
  if (command === null || command.length > MAX_COMMAND) return null;
  const pythonPath = /PYTHONPATH=(?:"([^"]*)"|'([^']*)'|(\S*))/.exec(command)?.slice(1).find(Boolean) ?? '';
  const parser = pythonPath.split(':').find((directory) => directory.endsWith(PARSER));
  if (parser !== undefined) return asHome(parser.slice(0, -PARSER.length));
  const paths = command.split(/[\s:"'=]/).filter((word) => word.startsWith('/'));
  const inHome = paths.find((path) => `${path}/`.includes('/.leoflow/'));
  return inHome === undefined ? null : asHome(inHome.slice(0, `${inHome}/`.indexOf('/.leoflow/') + '/.leoflow'.length));
}

/** A path as a home: absolute and normal; null where it cannot be one. */
export function asHome(path: string | null): string | null {
  if (path === null || path.length > MAX_PATH || !isAbsolute(path) || path.includes('\0')) return null;
  const normal = normalize(path).replace(/\/+$/, '');
  return normal === '' ? null : normal;
}

/**
 * Where an absolute path leads after the moves: what lies in the old home goes to the new one, what lies beside it (in the user's
 * home directory) goes beside the new one, everything else stays. A home directly below `/` takes nothing beside it along: all
 * paths lie there.
 */
export function movePath(path: string, moves: readonly Move[]): string {
  for (const { from, to } of moves) {
    const inHome = below(path, from);
    if (inHome !== null) return join(to, inHome);
    const beside = dirname(from) === '/' ? null : below(path, dirname(from));
    if (beside !== null) return join(dirname(to), beside);
  }
  return path;
}

/** A text (a command line) with the old homes' paths in it replaced by the new one's; `/x/.leoflow-old` is not `/x/.leoflow`. */
export function moveText(text: string, moves: readonly Move[]): string {
  return moves.reduce(movePaths, text);
}

function movePaths(text: string, { from, to }: Move): string {
  const pieces = text.split(from);
  return pieces.reduce((moved, piece, index) => {
    const isWhole = !/[\w./-]$/.test(pieces[index - 1] ?? '') && !/^[\w.-]/.test(piece);
    return moved + (isWhole ? to : from) + piece;
  });
}

/** A path relative to a directory that it equals or lies below: '' or `a/b`; null where it does not. */
export function below(path: string, directory: string): string | null {
  const rest = relative(directory, path);
  return rest === '..' || rest.startsWith('../') || isAbsolute(rest) ? null : rest;
}
