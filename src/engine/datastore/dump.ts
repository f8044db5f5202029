/**
 * The dump: pg_dump's output as a stream, and its end as a promise.
 *
 * pg_dump holds one consistent snapshot for as long as it runs. Whether it succeeded is known only by its exit status, after the last byte: a reader
 * that takes the end of the stream for success archives half a database.
 */
import { PassThrough, pipeline, type Readable } from 'node:stream';
import { interrupted, SnapshotError } from '../errors.js';
import { start, Tail } from './child.js';
import type { Datastore } from './open.js';
import { wordsOf } from './psql.js';

/** A pg_dump at work. */
export interface Dump {
  /** The plain SQL. Destroying it ends pg_dump. */
  stdout: Readable;
  /**
   * Resolves when pg_dump has exited with status 0. Rejects, always after the process is gone: `DUMP_FAILED` with pg_dump's last words, `INTERRUPTED`
   * after the signal has fired.
   */
  finished: Promise<void>;
}

/** Milliseconds that pg_dump waits for a table somebody else has locked, before it gives up. */
const LOCK_WAIT = 300_000;

/** What every dump in an archive is made with; the connection is added. */
export const DUMP_ARGUMENTS = [
  '--clean',
  '--if-exists',
  '--no-owner',
  '--no-privileges',
  '--format=plain',
  '--no-password',
  `--lock-wait-timeout=${LOCK_WAIT}`,
] as const;

/**
 * Starts pg_dump on a datastore.
 *
 * @throws `INTERRUPTED` when the signal has fired already; everything later is told by {@link Dump.finished}
 */
export function startDump(datastore: Datastore, signal?: AbortSignal): Dump {
  const { connection, tools } = datastore;
  const args = [...DUMP_ARGUMENTS, `--dbname=${connection.conninfo}`];
  const child = start(tools.pgDump, args, { env: connection.env, stdio: ['ignore', 'pipe', 'pipe'] }, signal);
  const { stdout, stderr } = child.process;
  if (stdout === null || stderr === null) throw new Error('pg_dump was started without pipes');

  const words = new Tail();
  stderr.on('data', (chunk: Buffer) => words.push(chunk));
  const said = new Promise<void>((resolve) => stderr.once('close', resolve));

  // Node resumes an unread pipe when the child exits: without a stream of our own in between, a reader that comes late would find an empty dump.
  const sql = new PassThrough();
  pipeline(stdout, sql, (error) => {
    // A reader that gave up; pg_dump may not notice before its next write.
    if (error) void child.end();
  });
  const unread = () => sql.destroy();
  signal?.addEventListener('abort', unread, { once: true });

  const finished = (async () => {
    try {
      const exit = await child.exit;
      if (signal?.aborted) throw interrupted();
      await said;
      if (exit.status !== 0) throw dumpFailed(datastore, exit.by ?? `exit status ${exit.status}`, words);
    } finally {
      signal?.removeEventListener('abort', unread);
      stderr.destroy();
    }
  })();
  // The reader may fail first and never look at this promise.
  finished.catch(() => {});
  return { stdout: sql, finished };
}

function dumpFailed(datastore: Datastore, how: string, tail: Tail): SnapshotError {
  const words = wordsOf(tail.toString().split('\n').slice(-12).join('\n')).replaceAll(/pg_dump: (?:error: )?/g, '');
  return new SnapshotError('DUMP_FAILED', `pg_dump of ${datastore.source} failed: ${words || how}`, {
    hint: 'check the server log, and that `leoflow lite` keeps running until the backup is done',
  });
}
