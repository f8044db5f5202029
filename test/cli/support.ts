/** What the tests of the command line share: streams that remember, a made-up result, and the built executable. */
import { spawn } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/cli/program.js';
import type { Surroundings, TextStream } from '../../src/cli/streams.js';
import type { BackupResult, RestoreResult, Warning } from '../../src/index.js';
import { checkJson } from '../support/json-lines.js';
import { expectOneVoiceOf } from '../support/voice.js';

/** A stream that keeps what is written to it. */
export class Recorder extends Writable {
  text = '';
  writes = 0;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    this.writes++;
    done();
  }
}

/** A recorder that says it is a terminal of this size. */
export function recordingTerminal(columns: number, rows = 24): Recorder & TextStream {
  return Object.assign(new Recorder(), { isTTY: true, columns, rows });
}

/** A process to run a command in: nothing on stdin, no terminal, an empty environment. */
export function surroundings(part: Partial<Surroundings> = {}): Surroundings & { stdout: Recorder; stderr: Recorder } {
  const stdout = new Recorder();
  const stderr = new Recorder();
  return { stdin: Readable.from([]), stdout, stderr, env: {}, ...part } as Surroundings & {
    stdout: Recorder;
    stderr: Recorder;
  };
}

/** Runs a command line in this process. What it prints must be in one voice, and as JSON as the schema says. */
export async function command(argv: readonly string[], part: Partial<Surroundings> = {}) {
  const around = surroundings(part);
  const status = await run(argv, around);
  checkJson(argv, status, around.stdout.text, around.stderr.text);
  expectOneVoiceOf(around.stderr.text);
  return { status, stdout: around.stdout.text, stderr: around.stderr.text };
}

/** The built executable. */
export const LEOFLOW = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/**
 * Runs the built executable to its end; `act` may do something with it meanwhile.
 *
 * @param stdin a file descriptor. Default: nothing to read
 */
export async function leoflow(
  argv: readonly string[],
  env: Record<string, string> = {},
  act: (child: ReturnType<typeof spawn>) => void = () => undefined,
  stdin: number | 'ignore' = 'ignore',
) {
  const child = spawn(process.execPath, [LEOFLOW, ...argv], {
    env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', ...env },
    stdio: [stdin, 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  act(child);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const bytes = Buffer.concat(stdout);
  const ended = { status, bytes, stdout: bytes.toString(), stderr: Buffer.concat(stderr).toString() };
  // Whoever has stopped reading has not read the last line.
  if (child.stdout?.readableEnded) checkJson(argv, status, ended.stdout, ended.stderr);
  expectOneVoiceOf(ended.stderr);
  return ended;
}

/** The JSON lines of a text. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** A backup that went well. */
export function result(part: Partial<BackupResult> = {}): BackupResult {
  return {
    path: '/home/alice/snap.tar.gz',
    size: 312_000_000,
    manifest: {
      manifest_version: 1,
      leoflow_version: 'v0.0.1-prealpha.20',
      schema_version: 15,
      postgres_version: 'postgres (PostgreSQL) 16.13',
      created_at: '2026-05-28T14:30:45Z',
    },
    workspace: { path: '/home/alice/leoflow', files: 50_120, directories: 3210, symlinks: 1, bytes: 1_720_000_000 },
    datastore: { source: '/home/alice/.leoflow/pgdata/.s.PGSQL.5432', bytes: 212_000_000, cluster: 'running' },
    leftOut: [],
    warnings: [],
    warningCount: 0,
    incomplete: false,
    durationMs: 8200,
    workers: 2,
    ...part,
  };
}

/** A restore that went well, to another user's home on another machine. */
export function restored(part: Partial<RestoreResult> = {}): RestoreResult {
  return {
    dryRun: false,
    manifest: result().manifest,
    home: '/home/bob/.leoflow',
    parts: ['config', 'workspace', 'datastore'],
    incomplete: 0,
    config: ['config.yaml', 'setup.json'],
    workspace: { path: '/home/bob/leoflow', files: 50_120, directories: 3210, links: 1, bytes: 1_720_000_000 },
    datastore: {
      source: '/home/bob/.leoflow/pgdata/.s.PGSQL.5432',
      bytes: 212_000_000,
      cluster: 'provisioned',
      inPlace: false,
    },
    changes: [{ file: 'config.yaml', key: 'workspace', from: '/home/alice/leoflow', to: '/home/bob/leoflow' }],
    previous: [],
    discarded: [],
    carriedOver: 0,
    durationMs: 8200,
    workers: 2,
    ...part,
  };
}

/** A warning about a file that is not in the archive. */
export function unreadable(path: string): Warning {
  return { code: 'unreadable', path, message: 'cannot be read: permission denied', incomplete: true };
}
