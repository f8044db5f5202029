/** Archives that nobody honest writes: nothing of them gets out of its place, and nothing is left. docs/format.md, "Safety of readers". */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { everyWay } from '../restore/hostile/arena.js';
import {
  blocksOf,
  directory,
  type Forged,
  file,
  hardlink,
  indexed,
  largeFile,
  membersOf,
  raw,
  streamed,
  symlink,
} from '../support/forge/archive.js';
import { pax, records } from '../support/forge/tar.js';
import { lendWorkers } from '../support/lent-workers.js';
import { failure, goodBlocks, Place } from './support.js';

lendWorkers();

let place: Place;
beforeAll(() => {
  place = new Place();
});
afterAll(() => place.remove());

/** Tests that whoever extracts all of it, in whatever way it is stored, is refused. */
function refused(name: string, entries: () => Forged[], says: string | RegExp): void {
  test(name, async () => {
    for (const archive of Object.values(everyWay(entries())))
      await place.refuses(
        archive,
        ['.'],
        { code: 'ARCHIVE_UNSAFE', says, kind: 'refused' },
        { to: join(place.base, 'fresh') },
      );
  });
}

describe('names', () => {
  refused('that climb out', () => [raw(records({ name: 'workspace/../../outside/planted' }, 'x'))], 'climbs out');
  refused('that are absolute', () => [raw(records({ name: `${place.outside}/planted` }, 'x'))], 'is absolute');
  refused('of directories that climb out', () => [directory('workspace/../')], 'climbs out');
  refused('that stand twice', () => [file('workspace/x', '1'), file('workspace/x', '2')], /twice/);
  refused(
    'below a link',
    () => [symlink('workspace/x', place.outside), file('workspace/x/planted', 'x')],
    /twice|out of order|as a file and as the directory/,
  );
  refused(
    'below a link, which comes last',
    () => [file('workspace/x/planted', 'x'), symlink('workspace/x', place.outside)],
    /twice|out of order|as a file and as the directory/,
  );
});

describe('links', () => {
  refused(
    'hard ones that lead out',
    () => [hardlink('workspace/x', '../outside/canary')],
    /climbs out|outside of the workspace/,
  );
  refused(
    'with a target that no system takes',
    () => [raw(pax({ linkpath: 'x'.repeat(4096) }), records({ name: 'workspace/x', type: '2' }))],
    'the target of the link "workspace/x" is longer',
  );
  refused('devices', () => [raw(records({ name: 'workspace/x', type: '3' }))], 'is a device');

  test('symbolic ones may lead anywhere, and nothing goes through them', async () => {
    const blocks = blocksOf({ workspace: [[directory('workspace/'), symlink('workspace/x', place.outside)]] });
    for (const archive of [indexed(blocks), streamed(blocks)]) {
      const to = join(place.base, `links-${archive.length}`);
      await place.extract(archive, ['x'], { to });
      await place.refuses(
        indexed(blocksOf({ workspace: [[directory('workspace/'), file('workspace/x/planted', '')]] })),
        ['x'],
        {
          ...{ code: 'TARGET_EXISTS', says: 'no directory' },
        },
        { to, force: true },
      );
    }
    expect(readdirSync(place.outside).sort()).toEqual(['canary']);
  });
});

describe('what is not whole', () => {
  const large = () =>
    blocksOf({
      workspace: [
        [directory('workspace/'), file('workspace/a', 'aaaa')],
        [largeFile('workspace/big', Buffer.alloc(3 << 20, 'x'))],
      ],
    });

  test('a checksum that is wrong, missing, or there twice', async () => {
    const change = (sums: (right: string) => string | null) =>
      blocksOf({ workspace: [[directory('workspace/'), file('workspace/a', 'aaaa')]], sums });
    const line = /^\w{64} {2}workspace\/a\n/m;
    const cases = [
      {
        says: '"workspace/a" differs',
        sums: (right: string) => right.replace(line, `${'0'.repeat(64)}  workspace/a\n`),
      },
      { says: '"workspace/a" is not listed', sums: (right: string) => right.replace(line, '') },
      { says: '"workspace/a" is listed twice', sums: (right: string) => right + (line.exec(right)?.[0] ?? '') },
    ];
    for (const { says, sums } of cases) {
      for (const archive of [indexed(change(sums)), streamed(change(sums))])
        await place.refuses(archive, ['a'], { code: 'CHECKSUM_MISMATCH', says, kind: 'failed' });
    }
    for (const archive of [indexed(change(() => null)), streamed(change(() => null))]) {
      // The manifest of the forge promises one.
      await place.refuses(archive, ['a'], { code: 'ARCHIVE_TRUNCATED', says: 'though its manifest promises one' });
    }
  });

  test('a bit in a member that holds it', async () => {
    const members = membersOf(large());
    for (const index of [1, 2, 3, 4]) {
      const bent = members.map((member, at) => (at === index ? flipped(member) : member));
      await place.refuses(Buffer.concat(bent), ['a', 'big'], { code: 'ARCHIVE_DAMAGED', says: 'member at byte' });
    }
  });

  test('a bit in another member is nobody’s business here: what is whole can be had', async () => {
    const members = membersOf(goodBlocks());
    // Of the dump, behind its header.
    const bent = members.map((member, at) => (at === members.length - 4 ? flipped(member) : member));
    const result = await place.extract(Buffer.concat(bent), ['dags'], { to: join(place.base, 'whole') });
    expect(result).toMatchObject({ files: 4, checksums: true });
  });

  test('an archive that is cut off', async () => {
    const archives = [indexed(large()), streamed(large())];
    for (const archive of archives) {
      for (const part of [0.3, 0.9, 0.999]) {
        const { code } = await failure(place.extract(archive.subarray(0, archive.length * part), ['a']));
        expect(['ARCHIVE_TRUNCATED', 'ARCHIVE_DAMAGED', 'MANIFEST_MISSING']).toContain(code);
      }
    }
    expect(place.left()).not.toContain('a');
  });

  test('members that are out of order: nothing is taken from where it cannot be', async () => {
    const [first, ...rest] = membersOf(large());
    const mixed = Buffer.concat([first as Buffer, ...rest.slice(1, 5), rest[0] as Buffer, ...rest.slice(5)]);
    const error = await failure(place.extract(mixed, ['a', 'big']));
    expect(['ENTRY_NOT_FOUND', 'ARCHIVE_UNSAFE', 'ARCHIVE_DAMAGED']).toContain(error.code);
  });
});

test('nothing has got out', () => {
  expect(readdirSync(place.outside)).toEqual(['canary']);
  expect(existsSync(join(place.base, 'planted'))).toBe(false);
  expect(readdirSync(place.base).filter((name) => name.includes('partial') || name.includes('journal'))).toEqual([]);
});

function flipped(member: Buffer): Buffer {
  const bytes = Buffer.from(member);
  // In its CRC: elsewhere a bit may make no difference.
  const at = bytes.length - 6;
  bytes[at] = (bytes[at] as number) ^ 0x10;
  return bytes;
}
