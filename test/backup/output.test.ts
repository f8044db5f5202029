/** Where the archive goes: complete or not at all, never over anything else, and never through what is in the way. */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openFileOutput } from '../../src/engine/archive/index.js';
import { entriesOf, membersOf } from '../support/archive.js';
import { backup, LEOFLOW, lastJson, leoflow, SlowReader, startLeoflow, underModes, until } from '../support/cli.js';
import { expectNothingLeft, failingBackup, spoolsOf, startBackup, told, untilDumpsWait } from '../support/failures.js';
import { bulkSql, createInstall, SAMPLE_SQL, type TestInstall } from '../support/install.js';
import { lockTable } from '../support/lock.js';
import { type Cluster, startCluster } from '../support/postgres.js';
import { isRoot, MIB, put } from '../support/tree.js';

let install: TestInstall;
/** Over TCP: without the rights of root we cannot pass through the home of somebody else's cluster. */
let tcp: Cluster;

beforeAll(async () => {
  [install, tcp] = await Promise.all([
    createInstall({ sql: `${SAMPLE_SQL}${bulkSql(2e6)} CREATE TABLE locked (n int);` }),
    startCluster({ port: 0 }),
  ]);
  put(join(install.workspace, 'noise'), randomBytes(2 * MIB));
});
afterAll(async () => {
  await install?.remove();
  await tcp?.stop();
});
beforeEach(() => mkdirSync(install.out, { recursive: true }));
afterEach(() => rmSync(install.out, { recursive: true, force: true }));

const backUp = (...argv: string[]) => leoflow(['lite', 'backup', '--home', install.home, ...argv]);

/** Fails unless the bytes are a whole archive of the install. */
function expectArchive(bytes: Buffer): void {
  const names = entriesOf(Buffer.concat(membersOf(bytes).map(({ block }) => block))).map(({ name }) => name);
  expect(names).toEqual([
    ...['MANIFEST.json', 'config.yaml', 'setup.json', 'workspace/', 'workspace/noise', 'datastore.sql'],
    ...['INDEX.jsonl', 'SHA256SUMS'],
  ]);
}

describe('an output that cannot be', () => {
  test('its directory is missing', async () => {
    const directory = join(install.out, 'not', 'there');
    const { status, error, hint } = await failingBackup(install, ['-o', join(directory, 'x.tar.gz')]);
    expect({ status, error, hint }).toEqual({
      status: 1,
      error: `the output directory ${directory}: no such file or directory`,
      hint: `create it first: mkdir -p ${directory}`,
    });
  });

  test('its directory is a file', async () => {
    const file = join(install.out, 'file');
    writeFileSync(file, 'x');
    const { status, error } = await failingBackup(install, ['-o', join(file, 'x.tar.gz')]);
    expect({ status, error }).toEqual({ status: 1, error: `the output directory ${file} is not a directory` });
    expect(readFileSync(file, 'utf8')).toBe('x');
  });

  test('it is a directory, or is to be one', async () => {
    for (const output of [install.out, `${install.out}/`, join(install.out, 'new/')]) {
      const { status, error, hint } = await failingBackup(install, ['-o', output]);
      expect({ status, error, hint }).toEqual({
        status: 1,
        error: `the output ${output} is a directory`,
        hint: `name a file in it: --output ${join(output, 'leoflow-backup.tar.gz')}`,
      });
    }
  });

  test('its directory may not be written to', async () => {
    chmodSync(install.out, 0o555);
    const argv = ['--dsn', tcp.tcpUrl];
    const { status, error, hint } = await failingBackup(install, argv, { under: underModes });
    chmodSync(install.out, 0o755);
    expect({ status, error, hint }).toEqual({
      status: 1,
      error: `cannot write to the directory ${install.out}: permission denied`,
      hint: 'choose another --output, or make the directory writable',
    });
  });
});

describe('a disk that is full', () => {
  const mounts: string[] = [];
  afterAll(() => {
    for (const mount of mounts) execFileSync('umount', [mount]);
  });

  /** A way to run with room for this much: on a small file system where we may make one, else under a limit to the size of files. */
  function roomFor(bytes: number): { output: string; under: readonly string[]; text: string } {
    const directory = join(install.base, `small-${mounts.length}`);
    mkdirSync(directory);
    try {
      if (!isRoot) throw new Error('only root mounts');
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory], { stdio: 'ignore' });
      mounts.push(directory);
      return { output: join(directory, 'snap.tar.gz'), under: [], text: 'no space left on device' };
    } catch {
      rmSync(directory, { recursive: true });
      const script = `trap '' XFSZ; ulimit -f ${Math.floor(bytes / 1024)}; exec "$@"`;
      return { output: install.archive, under: ['bash', '-c', script, 'bash'], text: 'file too large' };
    }
  }

  test.each([
    ['while the workspace is packed', 1.5e6, 'noise' as const],
    ['while the dump is spooled', 1.5e6, 'dump' as const],
    ['when the dump is put behind the workspace', 2.5e6, 'noise' as const],
  ])('%s', async (_, bytes, large) => {
    const { home, workspace, dsn } = install.another();
    if (large === 'noise') put(join(workspace, 'noise'), randomBytes(2 * MIB));
    const { output, under, text } = roomFor(bytes);
    const argv = ['lite', 'backup', '--home', home, '--dsn', dsn, '-o', output, '--workers', '1'];
    const { status, error, hint } = told(await leoflow(argv, { under }));
    expect({ status, error, hint }).toEqual({
      status: 1,
      error: `no room to write ${output}: ${text}`,
      hint: 'free some space, or write the archive to another file system with --output',
    });
    expect(readdirSync(join(output, '..'))).toEqual([]);
    await expectNothingLeft(install);
  });

  test('on the other side of stdout, or of a device', async () => {
    const full = openSync('/dev/full', 'w');
    const runs = [
      await leoflow(['lite', 'backup', '--home', install.home, '-o', '-'], { stdout: full }),
      await backUp('-o', '/dev/full'),
    ];
    closeSync(full);
    for (const run of runs) {
      const { status, error } = told(run);
      expect({ status, error }).toEqual({
        status: 1,
        error: 'no room to write the archive: no space left on device',
      });
    }
    expect(lstatSync('/dev/full').isCharacterDevice()).toBe(true);
  });

  test('on the other side of stdout, with room for all but the last bytes', async () => {
    const path = join(install.base, 'redirected.tar.gz');
    const argv = ['lite', 'backup', '--home', install.home, '-o', '-'];
    const run = async (under: readonly string[]) => {
      const file = openSync(path, 'w');
      const ended = await leoflow(argv, { stdout: file, under });
      closeSync(file);
      return { ...ended, size: statSync(path).size };
    };
    const { status, size } = await run([]);
    expect(status).toBe(0);
    // The last write is that of the end of the archive, some fifty bytes; what comes before differs by some bytes from run to run.
    let full = 0;
    for (const missing of [5, 15, 25, 35, 45]) {
      const under = ['bash', '-c', `trap '' XFSZ; exec prlimit --fsize=${size - missing} "$@"`, 'bash'];
      const ended = await run(under);
      if (ended.status === 0) {
        expectArchive(readFileSync(path));
        continue;
      }
      full += 1;
      expect(told(ended)).toMatchObject({ error: 'no room to write the archive: file too large' });
    }
    expect(full).toBeGreaterThan(0);
    rmSync(path);
  });
});

test('a disk that fails in a flush by the way', async () => {
  const { signal } = new AbortController();
  const output = await openFileOutput(install.archive, signal);
  const handle = await open('/dev/null');
  const error = Object.assign(new Error('EIO: i/o error, fdatasync'), { errno: -5, code: 'EIO', syscall: 'fdatasync' });
  const datasync = vi.spyOn(Object.getPrototypeOf(handle), 'datasync').mockRejectedValue(error);
  try {
    const flushed = Buffer.alloc(64 * MIB);
    await output.write(flushed);
    await expect(output.write(flushed)).rejects.toMatchObject({
      code: 'OUTPUT_WRITE',
      message: `cannot write ${install.archive}: i/o error`,
    });
  } finally {
    datasync.mockRestore();
    await handle.close();
    await output.discard();
  }
  expect(install.left()).toEqual([]);
});

test('a disk that fails when the archive has its name already: the error says that it is there, also to whoever has stopped by then', async () => {
  const handle = await open('/dev/null');
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  const flush = prototype.sync as (this: FileHandle) => Promise<void>;
  for (const stop of [false, true]) {
    writeFileSync(install.archive, 'the archive of yesterday');
    const controller = new AbortController();
    const sync = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
      if (!(await this.stat()).isDirectory()) return flush.call(this);
      if (stop) controller.abort();
      throw Object.assign(new Error('EIO: i/o error, fsync'), { errno: -5, code: 'EIO', syscall: 'fsync' });
    } as never);
    try {
      const run = backup({ home: install.home, output: install.archive, signal: controller.signal });
      await expect(run).rejects.toMatchObject({
        code: 'OUTPUT_WRITE',
        message: `the archive ${install.archive} is whole and in its place, but its directory cannot be flushed to the disk: i/o error`,
        hint: 'after a power cut it may be gone: check the disk, and run the backup again',
      });
    } finally {
      sync.mockRestore();
    }
    expectArchive(readFileSync(install.archive));
    expect(install.left()).toEqual(['snap.tar.gz']);
    // Nobody writes it any more.
    await backup({ home: install.home, output: install.archive });
  }
});

describe('what stands at the output', () => {
  test('is replaced when the archive is complete, whatever its mode', async () => {
    writeFileSync(install.archive, 'old', { mode: 0o444 });
    const release = await lockTable(install.cluster, 'locked');
    const run = startBackup(install);
    await untilDumpsWait(install, run.ended);
    expect(readFileSync(install.archive, 'utf8')).toBe('old');
    const [temporary = ''] = install.left().filter((name) => name.endsWith('.partial'));
    expect((statSync(join(install.out, temporary)).mode & 0o777).toString(8)).toBe('600');
    await release();
    expect((await run.ended).status).toBe(0);
    expectArchive(readFileSync(install.archive));
    expect((statSync(install.archive).mode & 0o777).toString(8)).toBe('600');
    expect(install.left()).toEqual(['snap.tar.gz']);
  });

  test('a link is followed, also one that leads to nothing yet', async () => {
    mkdirSync(join(install.out, 'real'));
    symlinkSync('real/archive', install.archive);
    for (const _ of ['nothing yet', 'the last one']) {
      expect((await backUp('-o', install.archive)).status).toBe(0);
      expect(readlinkSync(install.archive)).toBe('real/archive');
      expectArchive(readFileSync(join(install.out, 'real', 'archive')));
      expect(readdirSync(join(install.out, 'real'))).toEqual(['archive']);
    }
  });

  test('a device is written to, not replaced', async () => {
    const { status, stdout } = await backUp('-o', '/dev/null', '--json');
    expect(status).toBe(0);
    expect(lastJson(stdout.toString())).toMatchObject({ type: 'result', path: null });
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  test('a FIFO is written to, as soon as somebody reads it', async () => {
    execFileSync('mkfifo', [install.archive]);
    const run = startBackup(install);
    await run.said('Preparing');
    const bytes = execFileSync('cat', [install.archive], { maxBuffer: 1 << 28 });
    expect((await run.ended).status).toBe(0);
    expectArchive(bytes);
    expect(lstatSync(install.archive).isFIFO()).toBe(true);
  });

  test('a FIFO that nobody reads keeps nobody from stopping', async () => {
    execFileSync('mkfifo', [install.archive]);
    // It has asked the datastore, so the FIFO is next.
    const asked = join(install.base, 'asked');
    const bin = join(install.base, 'bin');
    mkdirSync(bin);
    const real = (name: string) =>
      execFileSync('bash', ['-c', `ls -v /usr/lib/postgresql/*/bin/${name} | tail -1`], { encoding: 'utf8' }).trim();
    put(join(bin, 'psql'), `#!/bin/sh\n"${real('psql')}" "$@" && echo >> '${asked}'\n`);
    put(join(bin, 'pg_dump'), `#!/bin/sh\nexec "${real('pg_dump')}" "$@"\n`);
    for (const name of ['psql', 'pg_dump']) chmodSync(join(bin, name), 0o755);
    const run = startBackup(install, ['--pg-bin', bin]);
    // --version, the server's facts, the schema version
    await run.reached(
      () => existsSync(asked) && readFileSync(asked, 'utf8').length === 3,
      'the datastore had been asked',
    );
    run.child.kill('SIGTERM');
    expect((await run.ended).status).toBe(143);
    await expectNothingLeft(install, ['snap.tar.gz']);
  });

  test('a socket is refused', async () => {
    execFileSync('python3', ['-c', 'import socket, sys; socket.socket(1).bind(sys.argv[1])', install.archive]);
    const { status, error } = await failingBackup(install);
    expect({ status, error }).toEqual({
      status: 1,
      error: `cannot write ${install.archive}: no such device or address`,
    });
  });
});

describe('names', () => {
  test('the default is made of the time, in the current directory', async () => {
    const before = Math.floor(Date.now() / 1000) * 1000;
    const run = await leoflow(['lite', 'backup', '--home', install.home], { cwd: install.out });
    expect(run.status).toBe(0);
    const [name = '', ...more] = install.left();
    expect(more).toEqual([]);
    const [, date, h, m, s] = /^leoflow-backup-(\d{4}-\d\d-\d\d)T(\d\d)(\d\d)(\d\d)Z\.tar\.gz$/.exec(name) ?? [];
    const time = Date.parse(`${date}T${h}:${m}:${s}Z`);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
    expectArchive(readFileSync(join(install.out, name)));
  });

  test.each([
    ['relative', 'x.tar.gz'],
    ['of 255 bytes', `${'é'.repeat(120)}${'x'.repeat(15)}`],
    ['odd', '[a] {b} *\n "c" \\ $d'],
    ['like a temporary', '.x.partial'],
  ])('%s', async (_, name) => {
    const run = await leoflow(['lite', 'backup', '--home', install.home, '-o', name], { cwd: install.out });
    expect(run).toMatchObject({ status: 0, stderr: expect.not.stringContaining('error') });
    expect(install.left()).toEqual([name]);
    expectArchive(readFileSync(join(install.out, name)));
  });

  test('in a directory that may be written to, but not read', async () => {
    chmodSync(install.out, 0o300);
    const argv = ['lite', 'backup', '--home', install.home, '--dsn', tcp.tcpUrl, '-o', install.archive];
    const run = await leoflow(argv, { under: underModes });
    chmodSync(install.out, 0o700);
    expect(run).toMatchObject({ status: 0, stderr: expect.not.stringContaining('error') });
    expect(install.left()).toEqual(['snap.tar.gz']);
  });
});

describe('--output -', () => {
  test('puts exactly the archive on stdout', async () => {
    const { status, stdout, stderr } = await backUp('-o', '-', '--json');
    expect(status).toBe(0);
    expectArchive(stdout);
    expect(lastJson(stderr)).toMatchObject({ type: 'result', path: null, size: stdout.length });
  });

  test('waits for a slow reader, and says nothing about it', async () => {
    const reader = new SlowReader(install.base);
    const run = startLeoflow(['lite', 'backup', '--home', install.home, '-o', '-'], { stdout: reader.writeEnd });
    reader.started();
    // In little steps: the writer has to wait again and again.
    for (let size = 1000; size < 4 * MIB; size += 64_000) await reader.readTo(size);
    const bytes = await reader.readAll();
    const { status, stderr } = await run.ended;
    expect({ status, warnings: /warning/i.test(stderr) }).toEqual({ status: 0, warnings: false });
    expectArchive(bytes);
    expect(spoolsOf(run.child.pid)).toEqual([]);
    reader.close();
  });

  test('into a file of the shell', async () => {
    const file = openSync(install.archive, 'w');
    const run = await leoflow(['lite', 'backup', '--home', install.home, '-o', '-'], { stdout: file });
    closeSync(file);
    expect(run.status).toBe(0);
    expectArchive(readFileSync(install.archive));
  });

  test('fails when its reader goes away, in two lines', async () => {
    const { home, workspace, dsn } = install.another();
    put(join(workspace, 'noise'), randomBytes(4 * MIB));
    const reader = new SlowReader(install.base);
    const argv = ['lite', 'backup', '--home', home, '--dsn', dsn, '-o', '-'];
    const run = startLeoflow(argv, { stdout: reader.writeEnd });
    reader.started();
    await reader.readTo(100);
    reader.close();
    const { status, error, hint } = told(await run.ended);
    expect({ status, error, hint }).toEqual({
      status: 1,
      error: 'the output stream failed: broken pipe',
      hint: 'the program that reads the archive stopped early; look at its own message',
    });
    expect(spoolsOf(run.child.pid)).toEqual([]);
    await expectNothingLeft(install);
  });

  test('… | head -c 100', async () => {
    const { home, workspace, dsn } = install.another();
    put(join(workspace, 'noise'), randomBytes(4 * MIB));
    const script = 'set -o pipefail; "$0" "$@" | head -c 100';
    const run = await leoflow(['lite', 'backup', '--home', home, '--dsn', dsn, '-o', '-'], {
      under: ['bash', '-c', script],
    });
    expect(run.stdout).toHaveLength(100);
    expect(told(run)).toMatchObject({ status: 1, error: 'the output stream failed: broken pipe' });
  });
});

describe('a stream of the caller', () => {
  test('gets the archive', async () => {
    const stream = new PassThrough();
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    const { path, size } = await backup({ home: install.home, output: stream });
    const bytes = Buffer.concat(chunks);
    expect({ path, size }).toEqual({ path: null, size: bytes.length });
    expectArchive(bytes);
  });

  test.each([
    ['fails', (stream: Writable) => void stream.destroy(new Error('the tape is torn')), 'the tape is torn'],
    ['is closed', (stream: Writable) => void stream.destroy(), 'it was closed'],
  ])('that %s ends the backup', async (_, end, reason) => {
    const stream: Writable = new Writable({ write: (_chunk, _encoding, done) => setImmediate(done) });
    const run = backup({
      home: install.home,
      output: stream,
      onEvent: (event) => {
        if (event.type === 'progress' && event.progress.bytes > 0) end(stream);
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'OUTPUT_WRITE', message: `the output stream failed: ${reason}` });
    await expectNothingLeft(install);
  });
});

describe('two backups at once to the same output', () => {
  const busy = (pid: number | undefined, path: string) => ({
    status: 1,
    error: `another backup (process ${pid}) is writing ${path}`,
    hint: 'wait for it to end, or choose another --output',
  });

  test.each([
    ['', 'snap.tar.gz'],
    [' with a long name', 'x'.repeat(255)],
  ])('the second one is refused, the first one completes%s', async (_, name) => {
    const output = join(install.out, name);
    const release = await lockTable(install.cluster, 'locked');
    try {
      const first = startBackup(install, ['-o', output]);
      await untilDumpsWait(install, first.ended);
      const temporaries = install.left();
      expect(temporaries).toHaveLength(1);
      const second = told(await backUp('-o', output));
      expect({ ...second, ended: undefined }).toEqual(busy(first.child.pid, output));
      expect(install.left()).toEqual(temporaries);
      // Another output in the same directory is nobody's business.
      const other = backUp('-o', join(install.out, 'other'));
      await untilDumpsWait(install, first.ended, other);
      expect(install.left()).toEqual(expect.arrayContaining(temporaries));
      await release();
      expect((await first.ended).status).toBe(0);
      expect((await other).status).toBe(0);
      expect(install.left()).toEqual(['other', name].sort());
      expectArchive(readFileSync(output));
    } finally {
      await release();
    }
  });

  test('in one process too', async () => {
    const release = await lockTable(install.cluster, 'locked');
    try {
      const first = backup({ home: install.home, output: install.archive });
      first.catch(() => {});
      await untilDumpsWait(install, first);
      const second = backup({ home: install.home, output: join(install.out, '..', 'out', 'snap.tar.gz') });
      await expect(second).rejects.toMatchObject({
        code: 'OUTPUT_BUSY',
        message: `another backup (process ${process.pid}) is writing ${install.archive}`,
      });
      await release();
      await first;
      expect(install.left()).toEqual(['snap.tar.gz']);
      // Done: the way is free again.
      await backup({ home: install.home, output: install.archive });
    } finally {
      await release();
    }
  });

  test('in one process, in the very same moment: one has it, until it gives it back', async () => {
    const { signal } = new AbortController();
    const open = () => openFileOutput(install.archive, signal);
    const tries = await Promise.allSettled([open(), open(), open()]);
    const [output, ...more] = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(more).toEqual([]);
    for (const one of tries) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'OUTPUT_BUSY' });
    await output?.discard();
    await (await open()).discard();
    expect(install.left()).toEqual([]);
    // Nor does one that could not be opened keep others from it.
    for (const _ of ['once', 'twice']) {
      await expect(openFileOutput('/proc/snap.tar.gz', signal)).rejects.toMatchObject({ code: 'OUTPUT_WRITE' });
    }
  });

  test('in the very same moment: no archive is damaged, nothing stays', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => backUp('-o', install.archive, '--quiet')));
    const done = runs.filter(({ status }) => status === 0);
    expect(done.length).toBeGreaterThan(0);
    for (const run of runs.filter(({ status }) => status !== 0)) {
      expect(told(run).error).toMatch(/^another backup \(process \d+\) is writing /);
    }
    expect(install.left()).toEqual(['snap.tar.gz']);
    expectArchive(readFileSync(install.archive));
  });
});

describe('kill -9', () => {
  test('leaves a temporary, which the next backup to that directory clears', async () => {
    const release = await lockTable(install.cluster, 'locked');
    try {
      const killed = startBackup(install);
      const alive = startBackup(install, ['-o', join(install.out, 'other.tar.gz')]);
      await untilDumpsWait(install, killed.ended, alive.ended);
      const before = install.left();
      expect(before).toHaveLength(2);
      killed.child.kill('SIGKILL');
      await killed.ended;
      expect(install.left()).toEqual(before);

      // Ends before it waits for the lock, but not before it has tidied up.
      const release2 = release();
      expect((await backUp('-o', join(install.out, 'third.tar.gz'))).status).toBe(0);
      await release2;
      expect((await alive.ended).status).toBe(0);
      expect(install.left()).toEqual(['other.tar.gz', 'third.tar.gz']);
    } finally {
      await release();
    }
  });

  test('on another machine of the same name, whose processes are not to be seen, is not cleared here', async () => {
    const hook = join(install.base, 'machine-id.mjs');
    writeFileSync(
      hook,
      `import fs from 'node:fs';
       import { syncBuiltinESMExports } from 'node:module';
       const { readFileSync } = fs;
       fs.readFileSync = (path, ...more) => (path === '/etc/machine-id' ? '${'0123456789abcdef'.repeat(2)}\\n' : readFileSync(path, ...more));
       syncBuiltinESMExports();`,
    );
    const elsewhere = ['env', `NODE_OPTIONS=--import=file://${hook}`];
    const release = await lockTable(install.cluster, 'locked');
    try {
      const other = startBackup(install, [], { under: elsewhere });
      await untilDumpsWait(install, other.ended);
      const [temporary] = install.left();
      other.child.kill('SIGKILL');
      await other.ended;
      await release();
      expect((await backUp('-o', join(install.out, 'other.tar.gz'))).status).toBe(0);
      expect(install.left()).toEqual([temporary, 'other.tar.gz']);
    } finally {
      await release();
    }
  });

  test('the temporaries of the living are not touched', async () => {
    const release = await lockTable(install.cluster, 'locked');
    try {
      const alive = startBackup(install);
      await untilDumpsWait(install, alive.ended);
      const [temporary = ''] = install.left();
      // The same process number at another time, another machine's, and what only looks like one.
      const stale = temporary.replace(/-[0-9a-f]{8}-(\d+)\.partial$/, '-0badf00d-$1.partial');
      const foreign = temporary.replace(/leoflow-[0-9a-f]{8}/, 'leoflow-00000000');
      const others = [stale, foreign, '.x.partial', `${temporary}.txt`];
      for (const name of others) writeFileSync(join(install.out, name), 'x');
      const run = backUp('-o', join(install.out, 'other.tar.gz'));
      await untilDumpsWait(install, alive.ended, run);
      expect(install.left()).toEqual(expect.arrayContaining([temporary, foreign, '.x.partial', `${temporary}.txt`]));
      expect(install.left()).not.toContain(stale);
      await release();
      expect((await alive.ended).status).toBe(0);
      expect((await run).status).toBe(0);
    } finally {
      await release();
    }
  });

  test('a dead process that nobody has buried is dead', async () => {
    const release = await lockTable(install.cluster, 'locked');
    // A parent that collects no children, like the first process of many containers.
    const parent = spawn(
      'bash',
      ['-c', '"$@" > /dev/null 2>&1 & echo $!; exec sleep 600', 'bash', process.execPath, ...zombieWords()],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    try {
      let said = '';
      parent.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
      await untilDumpsWait(install, once(parent, 'close'));
      expect(install.left()).toHaveLength(1);
      const pid = Number(said);
      process.kill(pid, 'SIGKILL');
      await until(() => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1')), 'it to be dead');
      await release();
      expect((await backUp('-o', install.archive)).status).toBe(0);
      expect(install.left()).toEqual(['snap.tar.gz']);
    } finally {
      parent.kill('SIGKILL');
      await release();
    }
  });

  const zombieWords = () => [LEOFLOW, 'lite', 'backup', '--home', install.home, '-o', install.archive];
});
