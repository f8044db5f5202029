/** The bench, from trees to report: what it checks, what it survives, and that it leaves nothing running. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../bench/report/report.mjs';

const BENCH = fileURLToPath(new URL('../../bench/bench.mjs', import.meta.url));

let base: string;
let work: string;
let liars: string;

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'lfb-'));
  // The server's account has to get in.
  chmodSync(base, 0o755);
  [work, liars] = [join(base, 'work'), join(base, 'bin')];
  mkdirSync(liars);
  // A peer that says that all went well.
  writeFileSync(
    join(liars, 'bgzip'),
    '#!/bin/sh\n[ "$1" = --version ] || { cat > /dev/null; tar cf - -T /dev/null | gzip; }\n',
    {
      mode: 0o755,
    },
  );
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Runs the bench; `until` ends it by Ctrl-C when it has said that. */
async function bench(
  args: string[],
  until?: string,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const env = { ...process.env, PATH: `${liars}:${process.env.PATH}` };
  const child = spawn(process.execPath, [BENCH, '--dir', work, ...args], { env });
  const said = { stdout: '', stderr: '' };
  let told = false;
  child.stdout.on('data', (chunk) => {
    said.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said.stderr += chunk;
    if (told || until === undefined || !said.stderr.includes(until)) return;
    told = true;
    child.kill('SIGINT');
  });
  const [status] = await once(child, 'close');
  return { status, ...said };
}

/** What would not be there if everything had been cleared away. */
const leftOvers = () =>
  readdirSync(work, { recursive: true, encoding: 'utf8' }).filter((name) => /^run-|^lock$|postmaster\.pid$/.test(name));

const TINY = [
  '--profile',
  'mixed',
  '--size',
  '2M',
  '--quick',
  '--workers',
  '2',
  '--contender',
  'tar cf',
  '--contender',
  'bgzip',
  '--contender',
  'tar xzf',
];

describe('a tiny bench', () => {
  test('measures, checks and reports, and a peer whose archive is not the tree does not count', async () => {
    const json = join(base, 'report.json');
    const { status, stdout, stderr } = await bench([...TINY, '--json', json]);
    expect(status, stderr).toBe(0);

    const report: Report = JSON.parse(readFileSync(json, 'utf8'));
    const [section] = report.sections;
    if (section === undefined) throw new Error('nothing was measured');
    const outcome = (results: typeof section.backup) => results.map(({ name, failed }) => [name, failed]);
    const lie = expect.stringContaining(`has 0 files of 0 bytes, the tree ${section.tree.files}`);
    expect(outcome(section.backup).slice(0, 3)).toEqual([
      ['tar cf', null],
      ['tar | bgzip -l6', lie],
      ['leoflow lite backup', null],
    ]);
    expect(outcome(section.restore).slice(0, 2)).toEqual([
      ['tar xzf', null],
      ['leoflow lite restore', null],
    ]);
    for (const { ours, failed, size, runs } of section.backup) {
      if (failed !== null) continue;
      expect(size).toBeGreaterThan(1e5);
      expect(runs[0]?.wallMs).toBeGreaterThan(0);
      if (!ours) continue;
      expect(runs[0]?.peakBytes).toBeGreaterThan(20 * 2 ** 20);
      expect(runs[0]?.phases.map(({ phase }) => phase)).toEqual(['prepare', 'pack', 'dump', 'checksums', 'finish']);
    }
    expect(section.limits[0]?.oneCore).toBeGreaterThan(1e6);

    expect(stdout).toMatch(/^▸ leoflow lite backup +\d/m);
    expect(stdout).toContain('tar | bgzip -l6 failed, and does not count');
    const page = readFileSync(join(work, 'results', 'benchmarks.html'), 'utf8');
    expect(page.match(/<svg /g)?.length).toBe(5);
    expect(page).not.toMatch(/<script|NaN|undefined/);
    expect(readFileSync(join(work, 'results', 'benchmarks.md'), 'utf8')).toContain('| **leoflow lite backup** |');
    expect(leftOvers()).toEqual([]);
  });

  test('puts earlier results together without measuring', async () => {
    const json = join(base, 'report.json');
    const { status, stdout } = await bench(['--report', json, '--report', json]);
    expect(status).toBe(0);
    expect(stdout.match(/^Backup, mixed$/gm)?.length).toBe(2);
    expect(stdout).not.toContain('Nothing was in the page cache');
  });

  test('says of a tree that nobody found it in memory', async () => {
    const report: Report = JSON.parse(readFileSync(join(base, 'report.json'), 'utf8'));
    for (const section of report.sections) section.cold = true;
    const json = join(base, 'cold.json');
    writeFileSync(json, JSON.stringify(report));
    expect((await bench(['--report', json])).stdout).toContain('Nothing was in the page cache when a run began.');
  });

  test('says of a series which of its points failed', async () => {
    const report: Report = JSON.parse(readFileSync(join(base, 'report.json'), 'utf8'));
    const [section] = report.sections.splice(0);
    if (section === undefined) throw new Error('nothing was measured');
    for (const result of section.backup) Object.assign(result, { failed: 'no space left', runs: [] });
    report.scaling = [{ name: 'size', points: [{ x: 2e9, section }] }];
    const json = join(base, 'failed.json');
    writeFileSync(json, JSON.stringify(report));
    const { stdout } = await bench(['--report', json]);
    expect(stdout).toContain('size of the tree, GB 2: leoflow lite backup failed, and does not count: no space left');
  });

  test('stops on Ctrl-C, and takes everything with it that it has started', async () => {
    const { status, stderr } = await bench(TINY, 'read once');
    expect(status, stderr).toBe(130);
    expect(stderr).toContain('interrupted by SIGINT');
    expect(leftOvers()).toEqual([]);
  });
});

test('--cold is for those who may empty the page cache', async () => {
  const may = spawnSync('test', ['-w', '/proc/sys/vm/drop_caches']).status === 0;
  expect(await bench(['--cold', '--help'])).toMatchObject(
    may ? { status: 0, stderr: '' } : { status: 2, stderr: expect.stringContaining('which is for root') },
  );
});

test('wrong words on the command line are said, and the status is 2', async () => {
  expect(await bench(['--size', 'much'])).toMatchObject({ status: 2, stderr: expect.stringContaining("not 'much'") });
  expect(await bench(['--profile', 'odd'])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('there are mixed'),
  });
  expect(existsSync(join(base, 'never'))).toBe(false);
});
