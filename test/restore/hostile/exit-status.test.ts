/** What a hostile or broken archive looks like on the command line: docs/cli.md. */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lastJson, leoflow } from '../../support/cli.js';
import { told } from '../../support/failures.js';
import { blocksOf, file, indexed, streamed, symlink } from '../../support/forge/archive.js';
import { Arena } from './arena.js';

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
});
afterAll(() => arena?.remove());

const planted = blocksOf({ workspace: [[file('workspace/../planted')]] });
const beneath = blocksOf({ workspace: [[symlink('workspace/a', '/tmp'), symlink('workspace/a/b', 'x')]] });
const good = indexed(blocksOf());
const cases: [string, () => Buffer, number, string, RegExp][] = [
  ['one that climbs out', () => streamed(planted), 4, 'ARCHIVE_UNSAFE', /climbs out with "\.\."/],
  ['one with an entry beneath a link, in members', () => indexed(beneath), 4, 'ARCHIVE_UNSAFE', /"a/],
  ['one that is cut off', () => good.subarray(0, -20), 1, 'ARCHIVE_TRUNCATED', /the archive is cut off/],
  [
    'one with a wrong checksum',
    () => indexed(blocksOf({ sums: (right) => right.replace('hello', 'hallo') })),
    1,
    'CHECKSUM_MISMATCH',
    /hallo/,
  ],
  ['one that is none', () => Buffer.from('text'), 1, 'NOT_AN_ARCHIVE', /it is not gzip/],
];

test.each(cases)('%s', async (_, archive, status, code, message) => {
  writeFileSync(arena.archive, archive());
  const before = arena.look();
  const argv = [
    'lite',
    'restore',
    '--home',
    arena.home,
    '--force',
    '--only',
    'workspace',
    '--only',
    'config',
    '-i',
    arena.archive,
  ];
  for (const more of [[], ['--dry-run']]) {
    const ended = await leoflow([...argv, ...more], { env: { TMPDIR: process.env.TMPDIR ?? '' } });
    const { error, hint } = told(ended);
    expect({ status: ended.status, error, hint }).toEqual({
      status,
      error: expect.stringMatching(message),
      hint: expect.stringMatching(/\w/),
    });
    const json = await leoflow([...argv, ...more, '--json'], { env: { TMPDIR: process.env.TMPDIR ?? '' } });
    expect({ status: json.status, ...lastJson(json.stdout.toString()) }).toMatchObject({
      status,
      error: { code, message: expect.stringMatching(message), hint: expect.stringMatching(/\w/) },
    });
    expect(arena.look()).toEqual(before);
  }
});
