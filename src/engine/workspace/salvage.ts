/**
 * Salvaging, in a worker: what can still be had of a member, damaged or not, to find out which entries are.
 */
import { crc32, createInflateRaw, constants as zlib } from 'node:zlib';
import {
  checkBlockBytes,
  checkSeal,
  HEADER_BYTES,
  inflateMember,
  MAX_BLOCK_BYTES,
  type Member,
  parseHeader,
  RECORD_BYTES,
  readMember,
  TRAILER_BYTES,
} from '../archive/index.js';
import { type ErrorCode, SnapshotError } from '../errors.js';

/** A member, or a stretch of the file that should be one. */
export interface SalvageTask {
  fd: number;
  member: Member;
}

export interface SalvageResult {
  /** As much of the block as can be inflated; nobody vouches for it where there is a problem. Given away. */
  block: Uint8Array<ArrayBuffer>;
  /** Whether it has the length and the CRC that stand in the trailer. */
  proven: boolean;
  /** Null where the member is as it should be. */
  problem: { code: ErrorCode; message: string } | null;
}

/** Inflates a member, or what is left of it. */
export async function salvageMember({ fd, member }: SalvageTask): Promise<SalvageResult> {
  const bytes = readMember(fd, member);
  let block: Buffer | null = null;
  let problem: SalvageResult['problem'] = null;
  try {
    checkBlockBytes(member);
    block = inflateMember(bytes, member);
    checkSeal(bytes, member);
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    problem = { code: error.code, message: error.message };
  }
  block ??= await inflatePrefix(bytes.subarray(parseHeader(bytes)?.bytes ?? HEADER_BYTES, -TRAILER_BYTES));
  const [crc, length] = [bytes.readUInt32LE(bytes.length - 8), bytes.readUInt32LE(bytes.length - 4)];
  return { block: new Uint8Array(block), proven: block.length === length && crc32(block) === crc, problem };
}

/** What comes of deflated bytes before the first one that makes no sense, to a record. */
function inflatePrefix(deflated: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const inflate = createInflateRaw({ chunkSize: RECORD_BYTES, finishFlush: zlib.Z_SYNC_FLUSH });
    const chunks: Buffer[] = [];
    let length = 0;
    const done = () => {
      inflate.destroy();
      resolve(Buffer.concat(chunks));
    };
    inflate.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= MAX_BLOCK_BYTES) done();
    });
    inflate.on('error', done);
    inflate.on('end', done);
    inflate.end(deflated);
  });
}
