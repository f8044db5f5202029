/** `leoflow lite backup` as people run it: a real install, a real process, its streams and its exit status. */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../support/postgres.js';
import { jsonLines, leoflow } from './support.js';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'lfcli-')));
const home = join(base, 'home');
const workspace = join(base, 'flows');
const archive = join(base, 'out', 'snap.tar.gz');
let cluster: Cluster;

beforeAll(async () => {
  mkdirSync(join(workspace, 'dags', '.git'), { recursive: true });
  mkdirSync(join(base, 'out'));
  writeFileSync(join(workspace, 'dags', 'etl.py'), 'print("hello")\n');
  writeFileSync(join(workspace, 'dags', 'run.log'), 'noise\n');
  // Big enough that one worker at level 9 is still at it when a signal comes.
  writeFileSync(join(workspace, 'numbers.csv'), randomBytes(16e6).toString('base64'));
  mkdirSync(home);
  writeFileSync(join(home, 'config.yaml'), `workspace: ${JSON.stringify(workspace)}\n`);
  cluster = await startCluster({ dir: join(home, 'pgdata') });
});

afterAll(async () => {
  await cluster?.stop();
  rmSync(base, { recursive: true, force: true });
});

const backup = (argv: string[], ...more: [env?: Record<string, string>, act?: Parameters<typeof leoflow>[2]]) =>
  leoflow(['lite', 'backup', '--home', home, ...argv], ...more);

/** What lies where the archive goes; no temporary file may stay. */
const left = () => readdirSync(join(base, 'out'));

test('to a file: phases on stderr, the summary on stdout', async () => {
  const { status, stdout, stderr } = await backup(['-o', archive, '--exclude', '*.log']);
  expect(stderr).toBe(
    'Preparing\nPacking the workspace\nDumping the datastore\nWriting the checksums\nFinishing the archive\n',
  );
  expect(status).toBe(0);
  const lines = stdout.split('\n');
  expect(lines[0]).toBe(`Backup written: ${archive}`);
  expect(stdout).toContain(`  workspace  ${workspace}: 2 files, 2 directories, 0 links, 21.3 MB\n`);
  expect(stdout).toMatch(/^ {2}left out {3}(\*\.log \(--exclude\) {2}1 file|\.git +1 directory)$/m);
  expect(left()).toEqual(['snap.tar.gz']);
});

test('--quiet says nothing', async () => {
  expect(await backup(['--quiet', '-o', archive])).toMatchObject({ status: 0, stdout: '', stderr: '' });
});

test('--output -: nothing but the archive on stdout', async () => {
  const { status, bytes, stderr } = await backup(['--output', '-']);
  expect(status).toBe(0);
  expect(gunzipSync(bytes).subarray(0, 13).toString()).toBe('MANIFEST.json');
  expect(stderr).toMatch(/^Backup written: standard output$/m);
  expect(stderr).not.toMatch(/warning/i);
});

test('--output - --json: the lines are on stderr', async () => {
  const { status, bytes, stderr } = await backup(['--output', '-', '--json']);
  expect(status).toBe(0);
  expect(jsonLines(stderr).at(-1)).toMatchObject({ type: 'result', path: null, size: bytes.length, status: 0 });
});

test('--json: events, then the result with every field of the library', async () => {
  const { status, stdout, stderr } = await backup(['--json', '-o', archive, '--level', '1', '--workers', '1']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const lines = jsonLines(stdout);
  const phases = lines.filter((line) => line.type === 'phase').map((line) => line.phase);
  expect(phases).toEqual(['prepare', 'pack', 'dump', 'checksums', 'finish']);
  const last = lines.at(-1);
  expect(last).toMatchObject({
    type: 'result',
    command: 'backup',
    path: archive,
    size: readFileSync(archive).length,
    workspace: { path: workspace, files: 3, directories: 2, symlinks: 0 },
    leftOut: [{ rule: '.git', directories: 1, files: 0 }],
    warnings: [],
    warningCount: 0,
    incomplete: false,
    workers: 1,
    status: 0,
  });
  expect(Object.keys(last ?? {}).sort()).toEqual(
    'command datastore durationMs format incomplete leftOut manifest path size status type warningCount warnings workers workspace'.split(
      ' ',
    ),
  );
});

describe('a file that cannot go in', () => {
  const odd = Buffer.concat([Buffer.from(join(workspace, 'dags', 'caf')), Buffer.from([0xe9])]);
  beforeAll(() => writeFileSync(odd, 'x'));
  afterAll(() => rmSync(odd));

  test('is told, and the status is 3', async () => {
    const { status, stdout, stderr } = await backup(['-o', archive]);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^warning: .*caf\\xe9: /m);
    expect(stdout).toMatch(/^Backup written, but incomplete: /);
    expect(stdout).toMatch(/\nIncomplete: 1 path is missing from the archive, or changed while being read\.\n$/);
  });

  test('in JSON too', async () => {
    const { status, stdout } = await backup(['--json', '-o', archive]);
    expect(status).toBe(3);
    const lines = jsonLines(stdout);
    expect(lines.find((line) => line.type === 'warning')).toMatchObject({
      warning: { code: 'not-utf8', path: `${workspace}/dags/caf\\xe9`, incomplete: true },
    });
    expect(lines.at(-1)).toMatchObject({ type: 'result', incomplete: true, warningCount: 1, status: 3 });
  });
});

describe('what fails', () => {
  test('says so in two lines, status 1', async () => {
    const { status, stdout, stderr } = await leoflow(['lite', 'backup', '--home', join(base, 'nowhere')]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^Preparing\nerror: .*nowhere.*\nhint: .*\n$/);
  });

  test('in JSON as one object', async () => {
    const { status, stdout, stderr } = await leoflow(['lite', 'backup', '--json', '--home', join(base, 'nowhere')]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'error', error: { code: 'HOME_NOT_FOUND' }, status: 1 });
  });
});

describe('the environment', () => {
  test('LEOFLOW_DATABASE_URL and LEOFLOW_PG_BIN stand for options that are not given', async () => {
    const dsn = await backup(['--quiet', '-o', archive], { LEOFLOW_DATABASE_URL: 'nonsense://x' });
    expect(dsn).toMatchObject({ status: 2, stderr: expect.stringMatching(/^error: /) });
    const bin = await backup(['--quiet', '-o', archive], { LEOFLOW_PG_BIN: join(base, 'nowhere') });
    expect(bin).toMatchObject({ status: 1, stderr: expect.stringMatching(/^error: /) });
  });

  test('options win over it', async () => {
    const env = { LEOFLOW_DATABASE_URL: 'nonsense://x' };
    expect(await backup(['--quiet', '-o', archive, '--dsn', cluster.url], env)).toMatchObject({ status: 0 });
  });

  test('empty variables count as unset', async () => {
    const env = { LEOFLOW_DATABASE_URL: '', LEOFLOW_PG_BIN: '' };
    expect(await backup(['--quiet', '-o', archive], env)).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('readers and signals', () => {
  test('who reads the JSON lines may stop reading: the backup goes on', async () => {
    rmSync(archive, { force: true });
    const { status, stderr } = await backup(['--json', '-o', archive], {}, (child) => {
      child.stdout?.once('data', () => child.stdout?.destroy());
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(existsSync(archive)).toBe(true);
  });

  test('who reads the archive may not: status 1, and no stack trace', async () => {
    const { status, stderr } = await backup(['--quiet', '-o', '-'], {}, (child) => {
      child.stdout?.once('data', () => child.stdout?.destroy());
    });
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^error: .*\n(hint: .*\n)?$/) });
  });

  test.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends it with %d and leaves nothing behind', async (signal, status) => {
    rmSync(archive, { force: true });
    const argv = ['-o', archive, '--workers', '1', '--level', '9'];
    const interrupted = await backup(argv, {}, (child) => {
      child.stderr?.on('data', (text: Buffer) => {
        if (text.toString().includes('Packing')) child.kill(signal);
      });
    });
    expect(interrupted.status).toBe(status);
    expect(interrupted.stdout).toBe('');
    expect(interrupted.stderr).toMatch(
      new RegExp(
        `${signal}: stopping and cleaning up; once more stops at once\n(.*\n)*error: interrupted by ${signal}\n$`,
      ),
    );
    expect(left()).toEqual([]);
  });
});
