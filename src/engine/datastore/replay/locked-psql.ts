/**
 * Feeds a dump to a psql that is locked, in one transaction, and proves that it was committed.
 *
 * psql's own `--single-transaction` commits at the end of its input, so that half a dump would be committed when this process is killed. Here the
 * COMMIT is written after the last byte of the dump, and an input that ends without it is rolled back. A random word that psql must say after the
 * COMMIT and after the unlocking is the proof that nothing in the dump swallowed either.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { interrupted, SnapshotError } from '../../errors.js';
import { type Child, type Exit, start, Tail } from '../child.js';
import type { Connection } from '../connection.js';
import { psqlArguments, wordsOf } from '../psql.js';
import { filterDump } from './dump-filter.js';

/** How a replay is done. */
export interface ReplayOptions {
  /** Absolute path of a psql that knows `\restrict`. */
  psql: string;
  /** The database, as the role that replays. */
  connection: Connection;
  /** 150018. */
  serverVersionNum: number;
  /** Statements of ours to run first in the same transaction; one line. */
  before?: string;
  /** Called when everything has been sent but the COMMIT, with the first line that those statements returned. When it throws, nothing is committed. */
  beforeCommit?: (firstLine: string) => Promise<void>;
  signal?: AbortSignal | undefined;
}

/**
 * Replays a plain dump.
 *
 * @throws `REPLAY_FAILED` with the line of the dump and psql's words; `INTERRUPTED`; whatever the source of the dump throws. Always after psql is gone.
 */
export async function replay(dump: AsyncIterable<Uint8Array>, options: ReplayOptions): Promise<void> {
  const { psql, connection, serverVersionNum, before = '', beforeCommit, signal } = options;
  const key = randomBytes(24).toString('hex');
  const proof = randomBytes(24).toString('hex');
  const opening = `\\restrict ${key}\nBEGIN;${before}\n`;
  const closing = `\nCOMMIT;\n\\unrestrict ${key}\n\\echo ${proof}\n`;

  const child = start(psql, psqlArguments(connection), { env: connection.env, stdio: 'pipe' }, signal);
  const { stdin, stdout, stderr } = child.process;
  if (stdin === null || stdout === null || stderr === null) throw new Error('psql was started without pipes');
  const [said, complaints] = [new Tail(256), new Tail()];
  stdout.on('data', (chunk: Buffer) => said.push(chunk));
  const announce = beforeCommit === undefined ? undefined : announcement(stdout, beforeCommit);
  stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
  const closed = Promise.all([once(stdout, 'close'), once(stderr, 'close')]);
  // psql ends at its first error, with input left: its exit status says why.
  stdin.on('error', () => {});

  let over = false;
  let failure: unknown;
  const feeding = feed(stdin, dump, { opening, closing, serverVersionNum, announce }, child).catch(
    async (error: unknown) => {
      // Letting go of the source ends it, too; that is no failure.
      if (!over) failure = error;
      // What the filter found wrong may be what psql complains about, and psql says it better. Its input ends without a COMMIT.
      if (isReplayFailure(error)) stdin.end();
      else await child.end();
    },
  );
  let exit: Exit;
  try {
    exit = await child.exit;
  } finally {
    over = true;
    letGo(dump);
  }
  if (signal?.aborted) throw interrupted();
  await closed;
  if (failure !== undefined && !(isReplayFailure(failure) && exit.status === 3)) throw failure;
  if (exit.status === 0 && said.toString().trimEnd().endsWith(proof)) return feeding;
  const how =
    exit.status === 0 ? 'the dump swallowed the end of its transaction' : (exit.by ?? `exit status ${exit.status}`);
  throw replayFailed(complaints.toString(), how, opening.split('\n').length - 1);
}

function isReplayFailure(error: unknown): boolean {
  return error instanceof SnapshotError && error.code === 'REPLAY_FAILED';
}

async function feed(
  stdin: Writable,
  dump: AsyncIterable<Uint8Array>,
  {
    opening,
    closing,
    serverVersionNum,
    announce,
  }: { opening: string; closing: string; serverVersionNum: number; announce: (() => Promise<void>) | undefined },
  child: Child,
): Promise<void> {
  const gone = child.exit.then(() => {});
  stdin.write(opening);
  for await (const piece of filterDump(dump, { serverVersionNum })) {
    if (!stdin.writable) return;
    if (!stdin.write(piece)) await Promise.race([once(stdin, 'drain').catch(() => {}), gone]);
  }
  await announce?.();
  stdin.end(closing);
}

/** Waits for the first line that psql says, and passes it on; not if psql ends without. */
function announcement(stdout: Readable, beforeCommit: (firstLine: string) => Promise<void>): () => Promise<void> {
  const firstLine = new Promise<string | null>((resolve) => {
    let text = '';
    const onData = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\n');
      if (end < 0) return;
      stdout.off('data', onData);
      resolve(text.slice(0, end));
    };
    stdout.on('data', onData);
    stdout.once('close', () => resolve(null));
  });
  return async () => {
    const line = await firstLine;
    if (line !== null) await beforeCommit(line);
  };
}

/** Frees the source of the dump when nobody reads it any more: a stream would wait for its reader for ever. */
function letGo(dump: AsyncIterable<Uint8Array>): void {
  if ('destroy' in dump && typeof dump.destroy === 'function') dump.destroy();
}

/** psql numbers the lines of its input; `offset` of them are ours, in front. */
function replayFailed(stderr: string, how: string, offset: number): SnapshotError {
  const error = /^psql:<stdin>:(\d+): (?:ERROR|FATAL|error)[\s\S]*/m.exec(stderr);
  const line = Number(error?.[1] ?? 0) - offset;
  const where = line > 0 ? ` at line ${line} of the dump` : '';
  const words = wordsOf(error?.[0] ?? stderr) || how;
  return new SnapshotError('REPLAY_FAILED', `the dump could not be replayed: psql failed${where}: ${words}`, {
    hint: 'everything that was replayed is undone; if the archive is sound, the message names what the server here lacks',
  });
}
