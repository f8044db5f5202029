/** The nightly kit as people use it: its files, and a machine with an install whose datastore is not running. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect } from 'vitest';
import type { Machine, Machines, Said } from '../support/machine.js';

/** A file of the kit, as it is in the package. */
export function kitFile(name: string): string {
  return readFileSync(new URL(`../../docs/nightly/${name}`, import.meta.url), 'utf8');
}

/** A machine whose user has run `leoflow setup` and, once, `leoflow lite`, and has a workflow. */
export async function machineWithInstall(machines: Machines, name: string): Promise<Machine> {
  const machine = machines.make(name);
  expect(await machine.sh('leoflow setup')).toMatchObject({ status: 0 });
  const lite = await machine.lite();
  await machine.psql('CREATE TABLE dag (id text)');
  lite.child.kill('SIGINT');
  await lite.ended;
  await place(machine, 'leoflow/dags/etl.py', 'print("hello")\n');
  return machine;
}

/** Writes a file as the machine's user, with directories above it; one with a mode can be run. */
export async function place(machine: Machine, path: string, content: string, mode = '644'): Promise<void> {
  const line = 'mkdir -p "$(dirname "$FILE")" && printf %s "$CONTENT" > "$FILE" && chmod "$MODE" "$FILE"';
  expect(await machine.sh(line, { env: { FILE: path, CONTENT: content, MODE: mode } })).toMatchObject({ status: 0 });
}

/** Where the machine's `leoflow` and `node` are: what a user writes instead of `/usr/local/bin` where it is another directory. */
export async function programsOf(machine: Machine): Promise<string> {
  return dirname((await machine.sh('command -v leoflow')).stdout.trim());
}

/** Runs a command line in an environment that holds this, and nothing else. */
export function inEnvironment(
  machine: Machine,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Said> {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const settings = Object.entries(env).map(([name, value]) => quote(`${name}=${value}`));
  return machine.sh(['exec', 'env', '-i', ...settings, ...command.map(quote)].join(' '));
}

/** What lies in a directory of the machine's user. */
export async function filesIn(machine: Machine, directory: string): Promise<string[]> {
  const { stdout } = await machine.sh('cd "$DIR" && ls -A', { env: { DIR: directory } });
  return stdout.split('\n').filter((name) => name !== '');
}

/** The archive is good, and the datastore is stopped again. */
export async function expectGoodNight(machine: Machine, archive: string): Promise<void> {
  expect(await machine.sh('leoflow lite verify --quiet "$A"', { env: { A: archive } })).toMatchObject({ status: 0 });
  const { stdout } = await machine.sh('tar xzOf "$A" datastore.sql workspace/dags/etl.py', { env: { A: archive } });
  expect(stdout).toContain('CREATE TABLE public.dag');
  expect(stdout).toContain('print("hello")');
  expect(await machine.serverPid()).toBeUndefined();
}

/** The name of an archive as the kit gives it. */
export const ARCHIVE = /^leoflow-backup-\d{4}-\d\d-\d\dT\d{6}Z\.tar\.gz$/;
