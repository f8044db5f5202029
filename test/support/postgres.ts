/**
 * Real PostgreSQL clusters for tests, made as Leoflow Lite makes its own.
 *
 * The server refuses to run as root, so a test run by root runs it as the account `postgres`. Nothing survives a test that fails: the caller stops the
 * cluster in `afterAll`, and a postmaster still alive when the test process exits is told to quit.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { clusterTemplate } from './cluster-template.js';

/** What a cluster is started with. */
export interface ClusterOptions {
  /** The data directory, which also holds the socket; made where missing. Default: a fresh one, removed by `stop()`. */
  dir?: string;
  /** Also listen on 127.0.0.1; 0 picks a free port. The socket is named after it. Default: no TCP, the socket named 5432. */
  port?: number;
  /** Over TCP the role `leoflow` needs this password (scram). Default: trust. */
  password?: string;
  /** Leave it initialised but not running. */
  stopped?: boolean;
  /** There is a cluster in the directory already: only start it. */
  adopt?: boolean;
}

/** A cluster with the role `leoflow` and the database `leoflow_dev`. */
export interface Cluster {
  /** The data directory. */
  dir: string;
  port: number;
  /** `postgres://leoflow@/leoflow_dev?host=…`: over the socket. */
  url: string;
  /** As `url`, for another database. */
  urlOf(database: string): string;
  /** `postgres://leoflow:…@127.0.0.1:<port>/leoflow_dev`; only of use with `port`. */
  tcpUrl: string;
  /** Runs SQL by psql over the socket and returns its unaligned rows, without the last line break. */
  psql(sql: string, database?: string): Promise<string>;
  start(): Promise<void>;
  /** Stops the server; removes the data directory if `startCluster` made it. */
  stop(): Promise<void>;
  /** The server dies at once, as after a power cut. */
  crash(): Promise<void>;
  /** Process id of the postmaster; undefined when it is not running. */
  pid(): Promise<number | undefined>;
}

/** Directory of the newest PostgreSQL's programs. */
export function postgresBin(): string {
  const root = '/usr/lib/postgresql';
  const releases = listed(root)
    .sort((a, b) => Number(b) - Number(a))
    .map((release) => join(root, release, 'bin'));
  const found = [...releases, ...(process.env.PATH ?? '').split(delimiter)].find((directory) => {
    try {
      accessSync(join(directory, 'initdb'), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error('these tests need PostgreSQL (Debian: apt install postgresql)');
  return found;
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** The account that servers run as: nobody else's when the tests are not run by root. */
export function serverAccount(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** The environment without anything that speaks of locales or of PostgreSQL. */
export function plainEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(LC_|LANG|PG)/.test(name));
  return Object.fromEntries(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** Makes and starts a cluster. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const bin = postgresBin();
  const account = serverAccount();
  const dir = options.dir ?? join(await mkdtemp(join(tmpdir(), 'lfpg-')), 'pgdata');
  const port = options.port === 0 ? await freePort() : (options.port ?? 5432);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await letIn(dir, account);

  const server = (program: string, ...args: string[]) =>
    output(join(bin, program), args, { env: plainEnvironment(), cwd: '/', ...account });
  const url = (database: string) => `postgres://leoflow@/${database}?host=${encodeURIComponent(dir)}&port=${port}`;
  const postmaster = async () => {
    const file = await readFile(join(dir, 'postmaster.pid'), 'utf8').catch(() => '');
    return file === '' ? undefined : Number.parseInt(file, 10);
  };
  const ensureDead = { pid: undefined as number | undefined };
  const atExit = () => {
    if (ensureDead.pid !== undefined) quit(ensureDead.pid);
  };
  const dead = () => {
    ensureDead.pid = undefined;
    process.removeListener('exit', atExit);
  };

  const cluster: Cluster = {
    dir,
    port,
    url: url('leoflow_dev'),
    urlOf: url,
    tcpUrl: `postgres://leoflow:${encodeURIComponent(options.password ?? '')}@127.0.0.1:${port}/leoflow_dev`,
    psql: (sql, database = 'leoflow_dev') =>
      output(join(bin, 'psql'), ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', url(database), '-f', '-'], {
        env: plainEnvironment(),
        input: sql,
      }),
    pid: postmaster,
    start: async () => {
      const listen = options.port === undefined ? "''" : '127.0.0.1';
      const settings = `-c listen_addresses=${listen} -c fsync=off -k ${dir} -p ${port}`;
      await server('pg_ctl', '-D', dir, '-l', join(dir, 'server.log'), '-o', settings, '-t', '90', '-w', 'start');
      ensureDead.pid = await postmaster();
      process.removeListener('exit', atExit);
      process.once('exit', atExit);
    },
    stop: async () => {
      if ((await postmaster()) !== undefined) await server('pg_ctl', '-D', dir, '-m', 'fast', '-w', 'stop');
      dead();
      if (options.dir === undefined) await rm(dirname(dir), { recursive: true, force: true });
    },
    crash: async () => {
      if ((await postmaster()) !== undefined) await server('pg_ctl', '-D', dir, '-m', 'immediate', '-w', 'stop');
      dead();
    },
  };

  if (options.adopt) {
    await cluster.start();
    return cluster;
  }
  const template = await clusterTemplate(async (made) => {
    await mkdir(made, { mode: 0o700 });
    if (account !== undefined) await chown(made, account.uid, account.gid);
    await server('initdb', '-D', made, '-U', 'leoflow', '-A', 'trust', '--encoding=UTF8', '--locale=C', '--no-sync');
    await output(join(bin, 'postgres'), ['--single', '-D', made, '-c', 'fsync=off', 'postgres'], {
      env: plainEnvironment(),
      cwd: '/',
      ...account,
      input: 'CREATE DATABASE leoflow_dev\n',
    });
  });
  await output('cp', ['-a', `${template}/.`, dir], { env: plainEnvironment() });
  await cluster.start();
  try {
    if (options.password !== undefined) await demandPassword(cluster, options.password, account);
    if (options.stopped) await server('pg_ctl', '-D', dir, '-m', 'fast', '-w', 'stop');
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

async function demandPassword(cluster: Cluster, password: string, account: { uid: number; gid: number } | undefined) {
  await cluster.psql(`ALTER ROLE leoflow PASSWORD '${password.replaceAll("'", "''")}'`);
  const rules = join(cluster.dir, 'pg_hba.conf');
  await writeFile(rules, 'local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n');
  if (account !== undefined) await chown(rules, account.uid, account.gid);
  await cluster.psql('SELECT pg_reload_conf()');
}

/** Gives the directory to the server's account, and lets that account pass through the directories above it. */
async function letIn(dir: string, account: { uid: number; gid: number } | undefined): Promise<void> {
  if (account === undefined) return;
  await chown(dir, account.uid, account.gid);
  for (let above = dirname(dir); above.startsWith(`${tmpdir()}/`); above = dirname(above)) {
    await chmod(above, (await stat(above)).mode | 0o011);
  }
}

/** A TCP port of 127.0.0.1 that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function quit(pid: number): void {
  try {
    process.kill(pid, 'SIGQUIT');
  } catch {
    // it is gone already
  }
}

interface OutputOptions {
  env: Record<string, string>;
  cwd?: string;
  uid?: number;
  gid?: number;
  input?: string;
}

/** Runs a program to its end and returns its stdout; rejects with its stderr. */
function output(command: string, args: string[], { input = '', ...options }: OutputOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    // pg_ctl's server would inherit a pipe and keep it open: its output goes nowhere.
    if (command.endsWith('pg_ctl')) {
      const child = spawn(command, args, { ...options, stdio: 'ignore' });
      child.once('error', reject);
      child.once('exit', (status) =>
        status === 0 ? resolve('') : reject(new Error(`pg_ctl ${args.at(-1)}: ${status}`)),
      );
      return;
    }
    const child = execFile(
      command,
      args,
      { ...options, encoding: 'utf8', maxBuffer: 1 << 28 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${command}: ${stderr || error.message}`));
        else resolve(stdout.trimEnd());
      },
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}
