/** What chance and malice can do to the bytes of an archive. */
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { member, plainGzip } from '../../support/forge/members.js';

/** A good archive, and its members where it has any. */
export interface Donor {
  bytes: Buffer;
  members: Buffer[] | null;
}

/** Places are shares of what there is, so that one mutation suits archives of any length. */
type Share = number;

type ByteMutation =
  | { op: 'flip'; at: Share; bit: number }
  | { op: 'overwrite'; at: Share; bytes: Uint8Array }
  | { op: 'insert'; at: Share; bytes: Uint8Array }
  | { op: 'cut'; at: Share }
  | { op: 'remove'; at: Share; length: number }
  | { op: 'repeat'; at: Share; length: number }
  | { op: 'splice'; at: Share; length: number; donor: number; from: Share };

type MemberMutation =
  | { op: 'drop'; at: Share }
  | { op: 'double'; at: Share }
  | { op: 'move'; at: Share; to: Share }
  | { op: 'foreign'; at: Share; donor: number; from: Share };

export type Mutation =
  /** to the bytes as they lie on a disk */
  | { level: 'bytes'; changes: ByteMutation[] }
  /** whole members, each as it was */
  | { level: 'members'; changes: MemberMutation[] }
  /** to the tar inside, deflated again with right checksums; with `repaired` those of the tar headers are right too */
  | { level: 'tar'; at: Share; changes: ByteMutation[]; repaired: boolean };

const share = fc.nat((1 << 24) - 1).map((value) => value / (1 << 24));
const length = fc.oneof(
  fc.integer({ min: 1, max: 16 }),
  fc.integer({ min: 1, max: 64 }).map((n) => n * 512),
  fc.nat(100_000),
);
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 24 }),
  fc.constantFrom(...['../', '\0', '/', 'x', '7', '\xff'].map((text) => Buffer.from(text, 'latin1'))),
);
const donor = fc.nat(9);

const byteMutation: fc.Arbitrary<ByteMutation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('flip' as const), at: share, bit: fc.nat(7) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('overwrite' as const), at: share, bytes }) },
  fc.record({ op: fc.constant('insert' as const), at: share, bytes }),
  fc.record({ op: fc.constant('cut' as const), at: share }),
  fc.record({ op: fc.constant('remove' as const), at: share, length }),
  fc.record({ op: fc.constant('repeat' as const), at: share, length }),
  fc.record({ op: fc.constant('splice' as const), at: share, length, donor, from: share }),
);
const memberMutation: fc.Arbitrary<MemberMutation> = fc.oneof(
  fc.record({ op: fc.constant('drop' as const), at: share }),
  fc.record({ op: fc.constant('double' as const), at: share }),
  fc.record({ op: fc.constant('move' as const), at: share, to: share }),
  fc.record({ op: fc.constant('foreign' as const), at: share, donor, from: share }),
);
const some = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 4 });

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ level: fc.constant('bytes' as const), changes: some(byteMutation) }),
  fc.record({ level: fc.constant('members' as const), changes: some(memberMutation) }),
  fc.record({ level: fc.constant('tar' as const), at: share, changes: some(byteMutation), repaired: fc.boolean() }),
);

/** The archive after a mutation. */
export function mutate(archive: Donor, mutation: Mutation, donors: readonly Donor[]): Buffer {
  const other = (index: number) => donors[index % donors.length] as Donor;
  if (mutation.level === 'bytes') {
    return mutation.changes.reduce<Buffer>(
      (bytes, change) => changeBytes(bytes, change, (index) => other(index).bytes),
      archive.bytes,
    );
  }
  const tarOf = (index: number) => gunzipSync(other(index).bytes);
  if (archive.members === null) {
    // What is one member to its reader is moved about in records.
    const changes = mutation.level === 'tar' ? mutation.changes : mutation.changes.map(asRecords);
    const tar = changes.reduce<Buffer>((bytes, change) => changeBytes(bytes, change, tarOf), gunzipSync(archive.bytes));
    return plainGzip(mutation.level === 'tar' && mutation.repaired ? repair(tar) : tar);
  }
  if (mutation.level === 'members') {
    const foreign = (index: number) => other(index).members ?? [other(index).bytes];
    return Buffer.concat(
      mutation.changes.reduce((list, change) => changeMembers(list, change, foreign), archive.members),
    );
  }
  const members = [...archive.members];
  const index = Math.floor(mutation.at * members.length);
  const chosen = members[index] as Buffer;
  const block = mutation.changes.reduce<Buffer>(
    (bytes, change) => changeBytes(bytes, change, tarOf),
    gunzipSync(chosen),
  );
  const whole = Buffer.concat([block, Buffer.alloc(-block.length & 511)]);
  members[index] = member(mutation.repaired ? repair(whole) : whole, { kind: chosen.toString('latin1', 24, 25) });
  return Buffer.concat(members);
}

function changeBytes(bytes: Buffer, change: ByteMutation, donor: (index: number) => Buffer): Buffer {
  const at = Math.floor(change.at * bytes.length);
  const insert = (piece: Uint8Array, instead = 0) =>
    Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + instead)]);
  switch (change.op) {
    case 'flip': {
      const flipped = Buffer.from(bytes);
      if (flipped.length > 0) flipped[at] = (flipped[at] as number) ^ (1 << change.bit);
      return flipped;
    }
    case 'overwrite':
      return insert(change.bytes, change.bytes.length);
    case 'insert':
      return insert(change.bytes);
    case 'cut':
      return bytes.subarray(0, at);
    case 'remove':
      return insert(Buffer.alloc(0), change.length);
    case 'repeat':
      return insert(bytes.subarray(at, at + change.length));
    case 'splice': {
      const source = donor(change.donor);
      const from = Math.floor(change.from * source.length);
      return insert(source.subarray(from, from + change.length), change.length);
    }
  }
}

function changeMembers(list: Buffer[], change: MemberMutation, foreign: (index: number) => Buffer[]): Buffer[] {
  const at = Math.floor(change.at * list.length);
  const one = list[at];
  if (one === undefined) return list;
  switch (change.op) {
    case 'drop':
      return list.toSpliced(at, 1);
    case 'double':
      return list.toSpliced(at, 0, one);
    case 'move':
      return list.toSpliced(at, 1).toSpliced(Math.floor(change.to * list.length), 0, one);
    case 'foreign': {
      const source = foreign(change.donor);
      return list.toSpliced(at, 1, source[Math.floor(change.from * source.length)] ?? Buffer.alloc(0));
    }
  }
}

function asRecords(change: MemberMutation): ByteMutation {
  const { at } = change;
  if (change.op === 'drop') return { op: 'remove', at, length: 512 };
  if (change.op === 'double') return { op: 'repeat', at, length: 1024 };
  if (change.op === 'move') return { op: 'remove', at: change.to, length: 2048 };
  return { op: 'splice', at, length: 1536, donor: change.donor, from: change.from };
}

/** Makes the checksums of all tar headers right. */
function repair(tar: Buffer): Buffer {
  const repaired = Buffer.from(tar);
  for (let at = 0; at + 512 <= repaired.length; at += 512) {
    const record = repaired.subarray(at, at + 512);
    if (record.toString('latin1', 257, 262) !== 'ustar') continue;
    record.fill(0x20, 148, 156);
    const sum = record.reduce((total, byte) => total + byte, 0);
    record.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
  return repaired;
}
