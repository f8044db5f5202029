/** What a backup that fails must leave: nothing. */
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect } from 'vitest';
import { type Ended, leoflow, processesOf, type RunOptions, startLeoflow, until, untilEither } from './cli.js';
import type { TestInstall } from './install.js';

/** What the user reads: the lines after the phases. */
export interface Told {
  status: number | null;
  error: string;
  hint: string;
  ended: Ended;
}

/** Backs up to the install's archive; it should fail, say why in two lines, and leave nothing behind. */
export async function failingBackup(
  install: TestInstall,
  argv: readonly string[] = [],
  options: RunOptions = {},
): Promise<Told> {
  const before = install.left();
  const ended = await leoflow(['lite', 'backup', ...homeAndOutput(install, argv), ...argv], options);
  expect(ended.stdout.toString()).toBe('');
  await expectNothingLeft(install, before);
  return { ...told(ended), ended };
}

/** Error and hint of a process that has ended. Both are one line, and there is no stack trace. */
export function told(ended: Ended): Told {
  const lines = ended.stderr.trimEnd().split('\n');
  const at = lines.findIndex((line) => line.startsWith('error: '));
  expect(ended.stderr).not.toMatch(/^ +at .*:\d+/m);
  const [error = '', hint = '', ...more] = lines.slice(at);
  expect({ at: at >= 0, more }).toEqual({ at: true, more: [] });
  return { status: ended.status, error: error.slice(7), hint: hint.replace(/^hint: /, ''), ended };
}

/** No archive, no temporary file, no child process, no session at the server. */
export async function expectNothingLeft(install: TestInstall, files: readonly string[] = []): Promise<void> {
  expect(install.left()).toEqual(files);
  expect(processesOf(install.base)).toEqual([]);
  if ((await install.cluster.pid()) === undefined) return;
  // The server takes a moment to notice that its client is gone.
  await until(async () => (await sessions(install)) === 0, 'the server to be left alone');
}

/** Sessions of ours at the server. */
export async function sessions(install: TestInstall, state = 'true'): Promise<number> {
  const sql = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leoflow-snapshot' AND ${state}`;
  return Number(await install.cluster.psql(sql, 'postgres'));
}

/** Waits until the pg_dump of each of these backups waits for a table that is locked. @throws Error when one of them ends before */
export async function untilDumpsWait(install: TestInstall, ...backups: Promise<unknown>[]): Promise<void> {
  const waiting = async () => (await sessions(install, "wait_event_type = 'Lock'")) === backups.length;
  await untilEither(waiting, backups, 'pg_dump to wait');
  if (!(await waiting())) throw new Error('a backup ended before its pg_dump had to wait');
}

/** Spools of a process in the directory for temporary files: where those of `--output -` lie. */
export function spoolsOf(pid: number | undefined): string[] {
  return readdirSync(tmpdir()).filter((name) => name.includes(`-${pid}-`) && name.endsWith('.partial'));
}

/** Starts a backup to the install's archive. */
export function startBackup(install: TestInstall, argv: readonly string[] = [], options: RunOptions = {}) {
  return startLeoflow(['lite', 'backup', ...homeAndOutput(install, argv), ...argv], options);
}

function homeAndOutput(install: TestInstall, argv: readonly string[]): string[] {
  return [
    ...(argv.includes('--home') ? [] : ['--home', install.home]),
    ...(argv.includes('-o') || argv.includes('--output') ? [] : ['-o', install.archive]),
  ];
}
