/**
 * A machine with nothing but Node.js and PostgreSQL, and an ordinary user on it who has `leoflow` on `PATH`: a home directory of its own.
 *
 * PostgreSQL refuses root. A suite that root runs has its ordinary user in the account `postgres`.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './cli.js';
import { expectDocumented } from './json-lines.js';
import { postgresBin, serverAccount } from './postgres.js';

const { placeProgram } = (await import(new URL('../../scripts/sample/program.mjs', import.meta.url).href)) as {
  placeProgram(directory: string, account: { uid: number; gid: number } | null): string;
};
const ON_TERMINAL = fileURLToPath(new URL('on-terminal.py', import.meta.url));

/** How a command line ended. */
export interface Said {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A command line that is under way. */
export interface Doing {
  child: ChildProcess;
  /** All it has said so far. */
  said(): string;
  ended: Promise<Said>;
}

export interface DoOptions {
  env?: Record<string, string>;
  /** What is typed, once a text is on the screen; null closes the terminal. Without it there is no terminal, and nothing to read. */
  types?: readonly (readonly [text: string, keys: string | null])[];
}

export interface Machine {
  /** `~` */
  user: string;
  /** `~/.leoflow` */
  home: string;
  /** `~/leoflow` */
  workspace: string;
  /** A directory in front of all others on `PATH`; empty. */
  ownBin: string;
  /** Runs a command line to its end, in `~`. */
  sh(line: string, options?: DoOptions): Promise<Said>;
  /** Starts one. */
  start(line: string, options?: DoOptions): Doing;
  /** Starts `leoflow lite`, and waits until the datastore runs. */
  lite(): Promise<Doing>;
  /** Runs SQL in the install's database. @returns bare rows */
  psql(sql: string): Promise<string>;
  /** The number of the server's process; undefined where none runs. */
  serverPid(): Promise<number | undefined>;
  /** Keeps a copy of `~`, in which nothing runs. @returns puts all of it back, whatever has become of it */
  keep(): () => void;
}

/** Some machines, and one directory that they have in common. */
export class Machines {
  readonly base: string;
  readonly #account = serverAccount();
  readonly #bin: string;
  readonly #made: Machine[] = [];
  readonly #doing = new Set<ChildProcess>();

  constructor() {
    this.base = realpathSync(mkdtempSync(join(tmpdir(), 'lfm-')));
    chmodSync(this.base, 0o755);
    if (this.#account !== undefined) chownSync(this.base, this.#account.uid, this.#account.gid);
    this.#bin = placeProgram(this.base, this.#account ?? null);
    cpSync(ON_TERMINAL, join(this.base, 'on-terminal.py'));
  }

  /** Sets up a machine. */
  make(name: string): Machine {
    const user = join(this.base, name);
    const ownBin = join(this.base, `${name}-bin`);
    for (const directory of [user, ownBin]) {
      mkdirSync(directory);
      if (this.#account !== undefined) chownSync(directory, this.#account.uid, this.#account.gid);
    }
    const home = join(user, '.leoflow');
    const env = { HOME: user, PATH: [ownBin, this.#bin, '/usr/bin', '/bin', postgresBin()].join(':'), TERM: 'dumb' };
    const start = (line: string, options: DoOptions = {}) =>
      this.#start(line, { ...env, ...options.env }, user, options);
    const machine: Machine = {
      user,
      home,
      workspace: join(user, 'leoflow'),
      ownBin,
      start,
      sh: (line, options) => start(line, options).ended,
      lite: async () => {
        const doing = start('exec leoflow lite');
        let over = false;
        void doing.ended.then(() => {
          over = true;
        });
        await until(() => over || doing.said().includes('Ctrl-C stops it'), 'the datastore to run');
        if (over) throw new Error(`leoflow lite ended: ${doing.said()}`);
        return doing;
      },
      psql: async (sql) => {
        const socket = `host=${join(home, 'pgdata')} user=leoflow dbname=leoflow_dev`;
        const { status, stdout, stderr } = await machine.sh('psql -XAtq -v ON_ERROR_STOP=1 -d "$DB" -c "$SQL"', {
          env: { DB: socket, SQL: sql },
        });
        if (status !== 0) throw new Error(stderr);
        return stdout.trimEnd();
      },
      serverPid: async () => {
        const { stdout } = await machine.sh('head -n 1 .leoflow/pgdata/postmaster.pid 2> /dev/null');
        return stdout === '' ? undefined : Number(stdout);
      },
      keep: () => {
        const kept = mkdtempSync(join(this.base, `${name}-kept-`));
        execFileSync('cp', ['-a', `${user}/.`, kept]);
        return () => {
          // Root removes what it cannot enter; nobody else does.
          const clear = 'chmod -R u+rwX "$@" && find "$@" -mindepth 1 -delete';
          execFileSync('sh', ['-c', clear, 'sh', user, ownBin]);
          execFileSync('cp', ['-a', `${kept}/.`, user]);
        };
      },
    };
    this.#made.push(machine);
    return machine;
  }

  /** Ends whatever runs, and removes everything. */
  async remove(): Promise<void> {
    for (const child of this.#doing) child.kill('SIGKILL');
    for (const machine of this.#made) {
      if ((await machine.serverPid()) !== undefined) await machine.sh('pg_ctl -D .leoflow/pgdata -m immediate -w stop');
    }
    await rm(this.base, { recursive: true, force: true });
  }

  #start(line: string, env: Record<string, string>, cwd: string, { types }: DoOptions): Doing {
    const shell = ['sh', '-c', line];
    const [command = 'sh', ...args] =
      types === undefined ? shell : ['python3', join(this.base, 'on-terminal.py'), JSON.stringify(types), ...shell];
    const child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'], ...this.#account });
    this.#doing.add(child);
    const said = { stdout: '', stderr: '', all: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
        said.all += text;
      });
    }
    const ended = new Promise<Said>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) => {
        this.#doing.delete(child);
        try {
          // A command line may be of several commands, of which some tell programs.
          const json = said.stdout.split('\n').filter((text) => text.startsWith('{"type":'));
          expectDocumented(json.map((text) => `${text}\n`).join(''), json.length === 1 && status === 0);
          resolve({ status, signal, stdout: said.stdout, stderr: said.stderr });
        } catch (error) {
          reject(error);
        }
      });
    });
    return { child, said: () => said.all, ended };
  }
}
