/** The nightly kit as people use it: its files, and a machine with an install whose datastore is not running. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { processesOf, untilEither } from '../support/cli.js';
import type { Doing, Machine, Machines, Said } from '../support/machine.js';
import { postgresBin } from '../support/postgres.js';

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

/** Starts a command line in an environment that holds this, and nothing else; the process is that of the command. */
export function startInEnvironment(
  machine: Machine,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Doing {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const settings = Object.entries(env).map(([name, value]) => quote(`${name}=${value}`));
  return machine.start(['exec', 'env', '-i', ...settings, ...command.map(quote)].join(' '));
}

/** As {@link startInEnvironment}, to its end. */
export function inEnvironment(
  machine: Machine,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Said> {
  return startInEnvironment(machine, command, env).ended;
}

/** A backup whose pg_dump ends only with its machine, to be stopped in its middle. */
export class EndlessDump {
  /** The directory of that pg_dump, and of a psql: for `LEOFLOW_PG_BIN`, or `PATH`. */
  readonly path: string;
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.path = join(machine.user, 'endless');
  }

  /** Puts the program in its place. */
  async make(): Promise<this> {
    const script = [
      '#!/bin/sh',
      `[ "$1" != --version ] || exec '${postgresBin()}/pg_dump' --version`,
      `: > '${this.path}/runs'`,
      `while [ -e '${this.path}/runs' ]; do sleep 0.1; done`,
    ];
    await place(this.#machine, join(this.path, 'pg_dump'), script.join('\n'), '755');
    await this.#machine.sh(`rm -f endless/runs; ln -sf '${postgresBin()}/psql' endless`);
    return this;
  }

  /**
   * Sends a signal, once pg_dump runs, and expects an end in order: nothing is in the directory of the archives, and no process is left.
   *
   * @param pidOf the process that gets it; default: the one that was started
   */
  async stop(doing: Doing, signal: NodeJS.Signals, backups: string, pidOf = () => doing.child.pid): Promise<Said> {
    await untilEither(() => existsSync(join(this.path, 'runs')), [doing.ended], 'pg_dump to run');
    process.kill(pidOf() as number, signal);
    const said = await doing.ended;
    expect(said.stderr).toContain(`error: interrupted by ${signal}\n`);
    expect(await filesIn(this.#machine, backups)).toEqual([]);
    expect(processesOf(this.#machine.user)).toEqual([]);
    return said;
  }
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
