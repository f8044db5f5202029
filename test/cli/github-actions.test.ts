/** GitHub Actions: the summary and the outputs of a backup, in the files that the runner names. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { leoflow } from '../support/cli.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { runnerOutputs } from '../support/runner.js';
import { put } from '../support/tree.js';
import { jsonLines } from './support.js';

let install: TestInstall;
let summary: string;
let outputs: string;
beforeAll(async () => {
  install = await createInstall();
  put(join(install.workspace, 'dag.py'), 'print("hello")\n');
  put(join(install.workspace, 'node_modules', 'x'), '');
  [summary, outputs] = [join(install.base, 'summary.md'), join(install.base, 'output.txt')];
});
afterAll(() => install?.remove());
beforeEach(() => {
  // The runner makes them.
  for (const file of [summary, outputs]) writeFileSync(file, '');
});
afterEach(() => {
  for (const file of install.left()) rmSync(join(install.out, file));
});

async function run(argv: readonly string[] = [], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = await leoflow(['lite', 'backup', '--home', install.home, ...argv], {
    cwd: install.out,
    env: { GITHUB_STEP_SUMMARY: summary, GITHUB_OUTPUT: outputs, ...env },
  });
  return { status, stdout: stdout.toString(), stderr };
}

const read = () => ({ summary: readFileSync(summary, 'utf8'), outputs: runnerOutputs(readFileSync(outputs, 'utf8')) });

describe('a backup', () => {
  test('that succeeds', async () => {
    expect(await run(['-o', install.archive])).toMatchObject({ status: 0 });
    const size = readFileSync(install.archive).length;
    const { summary, outputs } = read();
    expect(outputs).toEqual({ archive: install.archive, size: String(size), files: '1', incomplete: 'false' });
    const lines = summary.split('\n');
    expect(lines.slice(0, 6)).toEqual([
      '',
      '### Backup written',
      '',
      '| | |',
      '| --- | --- |',
      `| archive | ${install.archive} |`,
    ]);
    const rows = [
      /^\| size \| \S+ k?B from \S+ k?B \\\(\S+:1\\\) \|$/,
      /^\| workspace \| .*: 1 file, 1 directory, 0 links, 15 B \|$/,
      /^\| datastore \| .*, dump of \S+ kB \|$/,
      /^\| leoflow \| version unknown, schema 15, PostgreSQL .* \|$/,
      /^\| left out \| node\\_modules +1 directory \|$/,
      /^\| time \| .* \|$/,
    ];
    expect(lines.slice(6, -2)).toEqual(rows.map((row) => expect.stringMatching(row)));
    expect(summary).toMatch(/\|\n\n$/);
    expect(summary).not.toContain('warnings');
  });

  test('with the default name, or to standard output', async () => {
    await run();
    expect(read().outputs.archive).toMatch(new RegExp(`^${install.out}/leoflow-backup-[-0-9TZ]+\\.tar\\.gz$`));
    writeFileSync(outputs, '');
    writeFileSync(summary, '');
    await run(['-o', '-']);
    expect(read().outputs).toMatchObject({ archive: '', incomplete: 'false' });
    expect(read().summary).not.toContain('| archive |');
  });

  test('that is incomplete: the outputs say so, and the summary lists the files', async () => {
    const names = ['caf\xe9', '*a|b`c<d>_\xe9'].map((name) =>
      Buffer.concat([Buffer.from(`${install.workspace}/`), Buffer.from(name, 'latin1')]),
    );
    for (const name of names) writeFileSync(name, 'x');
    expect(await run(['-o', install.archive])).toMatchObject({ status: 3 });
    for (const name of names) rmSync(name);
    const { summary, outputs } = read();
    expect(outputs).toMatchObject({ archive: install.archive, incomplete: 'true' });
    expect(summary).toContain('\n### Backup written, but incomplete\n');
    expect(summary).toContain('| warnings | 2 |\n\n- ');
    expect(summary).toMatch(/^- \/\S*\/caf\\\\xe9: \S.*$/m);
    expect(summary).toContain('/\\*a\\|b\\`c\\<d\\>\\_\\\\xe9: ');
  });

  test('with many warnings lists twenty', async () => {
    const directory = join(install.workspace, 'many');
    mkdirSync(directory);
    for (let n = 0; n < 25; n += 1)
      writeFileSync(Buffer.concat([Buffer.from(`${directory}/${n}`), Buffer.from([0xe9])]), '');
    await run(['-o', install.archive]);
    rmSync(directory, { recursive: true });
    expect(read().summary.match(/^- \//gm)).toHaveLength(20);
    expect(read().summary).toMatch(/\n- and 5 more warnings\n\n$/);
  });

  test('to a name with line breaks, which is one output all the same; and one with every other strange character', async () => {
    for (const name of ['two\nlines=x\nsize=0.tar.gz', 'a\rb.tar.gz', ' a|b`c*[d](e)<f>&amp;=~.tar.gz ']) {
      writeFileSync(outputs, '');
      writeFileSync(summary, '');
      const path = join(install.out, name);
      expect(await run(['-o', path])).toMatchObject({ status: 0 });
      const { archive, size, ...others } = read().outputs;
      expect({ archive, size, others }).toEqual({
        archive: path,
        size: String(readFileSync(path).length),
        others: { files: '1', incomplete: 'false' },
      });
      expect(read().summary.match(/^\| archive \| .* \|$/m)).toHaveLength(1);
    }
    expect(read().summary).toContain('/ a\\|b\\`c\\*\\[d\\]\\(e\\)\\<f\\>\\&amp;\\=\\~.tar.gz  |');
  });

  test('that fails: what failed, and what to do; no outputs', async () => {
    const { status, stderr } = await run(['--home', join(install.base, 'no_where')]);
    expect(status).toBe(1);
    const [, message = '', hint = ''] = /error: (.*)\nhint: (.*)\n$/.exec(stderr) ?? [];
    const escaped = (text: string) => text.replace(/[`<>_]/g, '\\$&');
    expect(read()).toEqual({
      summary: `\n### Backup failed\n\n**HOME\\_NOT\\_FOUND**: ${escaped(message)}\n\nHint: ${escaped(hint)}\n\nExit status 1.\n\n`,
      outputs: {},
    });
    expect(message).toContain('no_where');
  });
});

describe('the files', () => {
  test('keep what is in them', async () => {
    writeFileSync(summary, '# Mine');
    writeFileSync(outputs, 'mine=1\n');
    await run(['-o', install.archive]);
    expect(read().summary).toMatch(/^# Mine\n### Backup written\n/);
    expect(read().outputs).toMatchObject({ mine: '1', archive: install.archive });
  });

  test('are written one without the other, and not at all where they are not named', async () => {
    await run(['-o', install.archive], { GITHUB_OUTPUT: '' });
    expect(read()).toMatchObject({ summary: expect.stringContaining('### Backup written'), outputs: {} });
    writeFileSync(summary, '');
    await run(['-o', install.archive], { GITHUB_STEP_SUMMARY: '', GITHUB_OUTPUT: '' });
    expect(read()).toEqual({ summary: '', outputs: {} });
  });

  test('that cannot be written are warnings; the backup is as good as ever', async () => {
    const env = { GITHUB_STEP_SUMMARY: install.base, GITHUB_OUTPUT: join(install.base, 'no', 'where') };
    const { status, stdout, stderr } = await run(['--quiet', '-o', install.archive], env);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toBe(
      `warning: ${env.GITHUB_STEP_SUMMARY}: cannot be written, as GITHUB_STEP_SUMMARY asks for (EISDIR)\n` +
        `warning: ${env.GITHUB_OUTPUT}: cannot be written, as GITHUB_OUTPUT asks for (ENOENT)\n`,
    );
    expect(install.left()).toEqual(['snap.tar.gz']);

    const json = await run(['--quiet', '--json', '-o', install.archive], env);
    expect({ status: json.status, stderr: json.stderr }).toEqual({ status: 0, stderr: '' });
    expect(jsonLines(json.stdout)).toMatchObject([
      { type: 'warning', warning: { code: 'report', path: env.GITHUB_STEP_SUMMARY, incomplete: false } },
      { type: 'warning', warning: { code: 'report', path: env.GITHUB_OUTPUT } },
      { type: 'result', warningCount: 0, status: 0 },
    ]);
  });

  test('that cannot be written make a failure no other one', async () => {
    const env = { GITHUB_STEP_SUMMARY: '/dev/full' };
    const { status, stderr } = await run(['--quiet', '--home', join(install.base, 'nowhere')], env);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^warning: \/dev\/full: cannot be written, .*\(ENOSPC\)\nerror: .*\nhint: .*\n$/);
  });

  test('that nobody reads are not waited for', async () => {
    const fifo = join(install.base, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const { status, stderr } = await run(['--quiet', '-o', install.archive], { GITHUB_STEP_SUMMARY: fifo });
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining('(ENXIO)') });
  });
});
