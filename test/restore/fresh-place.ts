/** Somewhere to restore to: a directory like a user's home directory, with no install in it yet. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stopCluster } from '../../src/engine/datastore/index.js';
import { postgresBin, serverAccount } from '../support/postgres.js';

/** An archive of the Go implementation, over the install of /home/alice. */
export const REFERENCE = fileURLToPath(new URL('../fixtures/reference-v1.tar.gz', import.meta.url));

export interface FreshPlace {
  /** Belongs to the account that a server may run as: to nobody's but our own, unless we are root. */
  base: string;
  /** `.leoflow` in it; nothing is there. */
  home: string;
  /** Rows of a query in the install's own datastore, which has to run. */
  query(sql: string, database?: string): string;
  /** Runs something with the datastore up, also one that a restore has stopped again. */
  served<T>(work: () => T | Promise<T>): Promise<T>;
  /** Names in the directory, and in the home. */
  names(): { base: string[]; home: string[] };
  remove(): Promise<void>;
}

/** @param parent of the directory. Default: that of temporary files */
export function freshPlace(parent = tmpdir()): FreshPlace {
  const base = realpathSync(mkdtempSync(join(parent, 'lfre-')));
  const home = join(base, '.leoflow');
  const account = serverAccount();
  if (account !== undefined) chownSync(base, account.uid, account.gid);
  const url = (database: string) =>
    `postgres://leoflow@/${database}?host=${encodeURIComponent(join(home, 'pgdata'))}&port=5432`;
  const pgCtl = (...args: string[]) =>
    execFileSync(join(postgresBin(), 'pg_ctl'), ['-D', join(home, 'pgdata'), '-w', ...args], {
      stdio: 'ignore',
      cwd: base,
      ...account,
    });
  return {
    base,
    home,
    query: (sql, database = 'leoflow_dev') =>
      execFileSync(join(postgresBin(), 'psql'), ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', sql, url(database)], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      }).trimEnd(),
    served: async (work) => {
      pgCtl(
        '-l',
        join(base, '.leoflow', 'dev', 'postgres.log'),
        '-o',
        `-c listen_addresses='' -k '${join(home, 'pgdata')}' -p 5432`,
        'start',
      );
      try {
        return await work();
      } finally {
        pgCtl('-m', 'fast', 'stop');
      }
    },
    names: () => {
      const [inBase, inHome] = [base, home].map((directory) => {
        try {
          return readdirSync(directory).sort();
        } catch {
          return [];
        }
      });
      return { base: inBase ?? [], home: inHome ?? [] };
    },
    remove: async () => {
      await stopCluster({ home }).catch(() => {});
      execFileSync('chmod', ['-R', 'u+rwX', base]);
      execFileSync('rm', ['-rf', base]);
    },
  };
}

/** Unpacks the reference archive, lets a test change what is in it, and packs it again: `names` in that order. */
export function repacked(archive: string, change: (tree: string) => void, names?: readonly string[]): string {
  const tree = mkdtempSync(join(dirname(archive), 'repack-'));
  execFileSync('tar', ['xzf', REFERENCE, '-C', tree]);
  change(tree);
  execFileSync('tar', ['czf', archive, '-C', tree, ...(names ?? readdirSync(tree))]);
  rmSync(tree, { recursive: true });
  return archive;
}

/** The reference archive with another dump. */
export function withDump(archive: string, change: (dump: string) => string): string {
  return repacked(archive, (tree) => {
    const path = join(tree, 'datastore.sql');
    writeFileSync(path, change(readFileSync(path, 'latin1')), 'latin1');
  });
}

/** The reference archive with another manifest. */
export function withManifest(archive: string, change: (manifest: Record<string, unknown>) => unknown): string {
  return repacked(archive, (tree) => {
    const path = join(tree, 'MANIFEST.json');
    writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))));
  });
}

/** Makes what `leoflow setup` alone leaves behind. */
export function setUp({ base, home }: FreshPlace): void {
  const workspace = join(base, 'leoflow');
  const config = [
    '# Written by `leoflow setup` (Leoflow Lite).',
    `parser_cmd: "env PYTHONPATH=${home}/pysrc/parser ${home}/python/bin/python3 -m leoflow_parser"`,
    `workspace: ${JSON.stringify(workspace)}`,
    'admin_email: "new@leoflow.local"',
    '',
  ].join('\n');
  const setup = {
    python: `${home}/python/bin/python3`,
    workspace,
    tier: 'subprocess',
    os: 'darwin',
    arch: 'arm64',
    updated_at: new Date().toISOString(),
  };
  for (const path of [home, workspace, join(home, 'python'), join(home, 'pysrc')]) mkdirSync(path, { recursive: true });
  chmodSync(home, 0o700);
  writeFileSync(join(home, 'config.yaml'), config, { mode: 0o600 });
  writeFileSync(join(home, 'setup.json'), JSON.stringify(setup, null, 2));
  writeFileSync(join(home, 'python', 'README'), 'a managed CPython');
  const account = serverAccount();
  if (account !== undefined) execFileSync('chown', ['-R', `${account.uid}:${account.gid}`, base]);
}
