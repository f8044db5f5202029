/**
 * What a command sees of the process around it: three streams and the environment, handed over so that tests can hand over their own.
 */
import { once } from 'node:events';
import { createWriteStream, fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { type Readable, Writable } from 'node:stream';
import pc from 'picocolors';

/** A stream for text; the last three exist only where it is a terminal, the descriptor where it is one of the process. */
export type TextStream = Writable & { fd?: number; isTTY?: boolean; columns?: number; rows?: number };

/** The process as a command sees it. */
export interface Surroundings {
  stdin: Readable & { isTTY?: boolean };
  stdout: TextStream;
  stderr: TextStream;
  env: Readonly<Record<string, string | undefined>>;
}

/** What a command is built with. */
export interface CommandContext {
  around: Surroundings;
  /** Takes the exit status that the command ends with. */
  finish(status: number): void;
}

/** Colour functions for one stream; they return the text as it is where colours are off. */
export type Colours = ReturnType<typeof pc.createColors>;

/** Those for what is read as plain text only. */
export const NO_COLOURS: Colours = pc.createColors(false);

/**
 * Colours for this stream: `NO_COLOR` turns them off, `FORCE_COLOR` on, else they need a terminal that knows them.
 * (picocolors by itself judges by stdout alone, and most of what is printed here goes to stderr.)
 */
export function coloursFor(stream: TextStream, env: Surroundings['env']): Colours {
  return pc.createColors(wantsColour(stream, env));
}

function wantsColour(stream: TextStream, env: Surroundings['env']): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

/** Whether lines can be repainted on this stream: a terminal that says how large it is. */
export function canRepaint(stream: TextStream, env: Surroundings['env']): boolean {
  return stream.isTTY === true && env.TERM !== 'dumb' && Boolean(stream.columns) && Boolean(stream.rows);
}

/**
 * Keeps a reader that went away (`leoflow … --json | head -1`, a closed terminal) from ending the program with a stack trace: what
 * is printed is lost, the work goes on. Whoever writes the archive itself to the stream sees its errors as before.
 */
export function surviveWriteErrors(stream: TextStream): void {
  stream.on('error', () => undefined);
}

/** Resolves when a stream takes more: at once, when its reader has taken what waits for it, or when that one is gone. */
export async function drained(stream: TextStream): Promise<void> {
  // Once its reader is gone nothing waits for it any more, but standard output, which no error closes, says for ever that something does.
  if (stream.writableNeedDrain && stream.writableLength > 0) await once(stream, 'drain').catch(() => undefined);
}

/** Watching for the reader of a stream going away, until {@link ReaderWatch.stop}. */
export interface ReaderWatch {
  /** Fires when nothing that is written arrives any more. */
  readonly gone: AbortSignal;
  /** Whether that is no failure: the reader has read enough (`leoflow … | head`). */
  readonly hadEnough: boolean;
  /** Stops watching. */
  stop(): void;
}

/** Watches a stream whose reader is what the work is done for, so that it can end with that one. */
export function watchReader(stream: TextStream): ReaderWatch {
  const gone = new AbortController();
  const listener = (error: NodeJS.ErrnoException) => gone.abort(error.code);
  stream.on('error', listener);
  return {
    gone: gone.signal,
    get hadEnough() {
      return gone.signal.aborted && gone.signal.reason === 'EPIPE';
    },
    stop: () => void stream.off('error', listener),
  };
}

/**
 * Standard output so that all of a text arrives in a file, or an error says that it does not: Node.js's own stream writes to a file once, and forgets what a
 * full disk has not taken. Any other is as it was.
 */
export function wholeWrites(stdout: TextStream): TextStream {
  const { fd } = stdout;
  if (fd === undefined || stdout instanceof Socket) return stdout;
  const whole = new Writable({
    write(chunk: Buffer, _encoding, done) {
      try {
        for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
      } catch (error) {
        done(error as NodeJS.ErrnoException);
        return;
      }
      done();
    },
  });
  return Object.assign(whole, { fd });
}

/**
 * Standard output as the place for an archive. Of a write to a file, Node.js's own stream forgets what a full disk has not taken; one opened for the
 * same descriptor writes the rest, or fails.
 */
export function archiveStream(stdout: TextStream): Writable {
  const { fd } = stdout;
  return fd !== undefined && fstatSync(fd).isFile() ? createWriteStream('', { fd, autoClose: false }) : stdout;
}

/** The value of an environment variable; an empty one counts as unset. */
export function environmentValue(env: Surroundings['env'], name: string): string | undefined {
  return env[name] || undefined;
}
