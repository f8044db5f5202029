/** The archive is a .tar.gz like any other: everybody's tools read it, and so does whoever knows manifest_version 1 and no more. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readArchive, type TarEntry, V1_READER } from '../support/archive.js';
import { backup } from '../support/cli.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { plainEnvironment, postgresBin } from '../support/postgres.js';
import { growExcluded, growOddTree, look } from '../support/tree.js';

let install: TestInstall;
let entries: TarEntry[];

beforeAll(async () => {
  install = await createInstall();
  growOddTree(install.workspace, 500);
  growExcluded(install.workspace);
  await backup({ home: install.home, output: install.archive });
  entries = readArchive(install.archive);
});
afterAll(() => install?.remove());

/** Runs a program that should have nothing to complain of. @returns its stdout */
function quietly(command: string, ...args: string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(command, args, { maxBuffer: 1 << 28 });
  expect({ command, status, stderr: stderr.toString() }).toEqual({ command, status: 0, stderr: '' });
  return stdout;
}

test('tar lists it', () => {
  const listed = quietly('tar', 'tzf', install.archive, '--quoting-style=literal', '--show-transformed-names');
  expect(listed.toString()).toBe(entries.map(({ name }) => `${name}\n`).join(''));
});

test.each(['gzip', 'pigz'])('%s -t passes', (program) => {
  quietly(program, '-t', install.archive);
});

test('gzip and pigz give the same tar', () => {
  const tar = quietly('gzip', '-dc', install.archive);
  expect(quietly('pigz', '-dc', install.archive).equals(tar)).toBe(true);
  expect(tar.length % 512).toBe(0);
});

describe('Python', () => {
  test('reads every entry as it is', () => {
    const script = `
import json, os, sys, tarfile
for e in tarfile.open(sys.argv[1], 'r:gz'):
    print(json.dumps([os.fsencode(e.name).decode(), e.type.decode(), e.mode, e.uid, e.gid, e.uname, e.gname, e.size, int(e.mtime), os.fsencode(e.linkname).decode()]))`;
    const read = quietly('python3', '-X', 'utf8', '-c', script, install.archive).toString().trimEnd().split('\n');
    expect(read.map((line) => JSON.parse(line) as unknown)).toEqual(
      entries.map(({ name, type, mode, uid, gid, size, mtime, linkname }) => [
        type === '5' ? name.replace(/\/$/, '') : name,
        ...[type, mode, uid, gid, '', '', size, mtime, linkname],
      ]),
    );
  });

  test('extracts it', () => {
    const target = join(install.base, 'python');
    // Newer ones refuse links that lead out, unless told that the archive is trusted.
    const script = `
import sys, tarfile
trust = {'filter': 'fully_trusted'} if hasattr(tarfile, 'fully_trusted_filter') else {}
tarfile.open(sys.argv[1]).extractall(sys.argv[2], **trust)`;
    quietly('python3', '-X', 'utf8', '-c', script, install.archive, target);
    const copy = look(join(target, 'workspace'));
    const wrong = entries
      .filter(({ name }) => name.startsWith('workspace/'))
      .flatMap(({ name, type, mode, mtime, linkname }) => {
        const path = name.slice(10).replace(/\/$/, '');
        const seen = copy.get(path);
        const same =
          type === '2'
            ? seen?.kind === 'link' && seen.content === Buffer.from(linkname).toString('latin1')
            : seen?.mode === mode.toString(8) && seen.mtime === mtime;
        return same ? [] : [{ path, seen, mode: mode.toString(8), mtime }];
      });
    expect(wrong).toEqual([]);
  });
});

describe('a reader that knows only manifest_version 1', () => {
  let target: string;
  beforeAll(() => {
    target = join(install.base, 'v1');
    quietly('python3', '-X', 'utf8', V1_READER, install.archive, target);
  });

  test('is 30 lines long at most', () => {
    expect(readFileSync(V1_READER, 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(30);
  });

  test('gets every file of the workspace, byte for byte', () => {
    const isFile = (path: string, tree: ReturnType<typeof look>) => tree.get(path)?.kind === 'file';
    const copy = look(join(target, 'workspace'));
    const tree = look(
      install.workspace,
      (path) =>
        /^(\.git|\.hg|\.svn|excluded)$/.test(path) ||
        /^(\.?venv|node_modules|__pycache__|\.\w+_cache|\.tox)$/.test(path),
    );
    const files = [...tree.keys()].filter((path) => isFile(path, tree));
    expect([...copy.keys()].filter((path) => isFile(path, copy)).sort()).toEqual(files.sort());
    expect(files.filter((path) => copy.get(path)?.content !== tree.get(path)?.content)).toEqual([]);
    expect(files.length).toBeGreaterThan(800);
  });

  test('gets the configuration and the manifest', () => {
    for (const name of ['config.yaml', 'setup.json']) {
      expect(readFileSync(join(target, name))).toEqual(readFileSync(join(install.home, name)));
    }
    const manifest: unknown = JSON.parse(readFileSync(join(target, 'MANIFEST.json'), 'utf8'));
    expect(manifest).toMatchObject({ manifest_version: 1, schema_version: 15 });
  });

  test('gets the same database', async () => {
    await install.cluster.psql('CREATE DATABASE v1', 'postgres');
    const options = { env: plainEnvironment(), encoding: 'utf8', maxBuffer: 1 << 28 } as const;
    const psql = [
      '-Xq',
      '-v',
      'ON_ERROR_STOP=1',
      '-d',
      install.cluster.urlOf('v1'),
      '-f',
      join(target, 'datastore.sql'),
    ];
    execFileSync(join(postgresBin(), 'psql'), psql, { ...options, stdio: ['ignore', 'ignore', 'ignore'] });
    const [source, copy] = ['leoflow_dev', 'v1'].map((database) =>
      execFileSync(join(postgresBin(), 'pg_dump'), ['-d', install.cluster.urlOf(database)], options).replaceAll(
        /^\\(un)?restrict .*$/gm,
        '',
      ),
    );
    expect(copy).toBe(source);
  });
});

test('who asks for one file gets it, from a stream', () => {
  const script = 'gzip -dc < "$1" | tar xO workspace/kept/files/venv';
  expect(quietly('bash', '-c', script, 'bash', install.archive).toString()).toBe('a file called venv');
});
