/**
 * Keeps the lock of psql shut.
 *
 * A locked psql takes one backslash command, `\unrestrict`, and until August 2026 (CVE-2026-18408; 18.6, 17.11, 16.15, 15.19, 14.24) it ran a program
 * named in backquotes while it read that command's argument, before it compared the key. So the command itself must not reach psql, in whatever it
 * may take for SQL. That is checked on the bytes, not on what the scanner makes of them: nobody has to be right about quotes and comments.
 *
 * Genuine dumps pass. COPY data has every backslash doubled or before a letter of its own, never before a `u`; and psql takes a doubled backslash for
 * a command without a name, which the lock refuses. A NUL would let psql join two lines that are apart here; text in PostgreSQL has none.
 */
import { SnapshotError } from '../../errors.js';

const COMMAND = Buffer.from('\\unrestrict');
const BACKSLASH = 0x5c;
const KEPT = COMMAND.length;

/** Looks through everything that is about to be written to psql, across the seams of its pieces. */
export class UnlockGuard {
  /** The last bytes seen: as many as an unfinished command and the byte before it may have. */
  #before: Buffer = Buffer.alloc(0);

  /** @throws `REPLAY_FAILED` when the piece holds the command, or the rest of one that earlier pieces began */
  check(piece: Buffer): void {
    const before = this.#before;
    const seam = Buffer.concat([before, piece.subarray(0, COMMAND.length)]);
    const straddling = Math.max(0, before.length - COMMAND.length + 1);
    if (hasCommand(seam, straddling) || hasCommand(piece, 0, before.at(-1))) {
      throw refused('the command \\unrestrict of psql');
    }
    if (piece.includes(0)) throw refused('a NUL character');
    this.#before = Buffer.concat([before, piece.subarray(-KEPT)]).subarray(-KEPT);
  }
}

function hasCommand(bytes: Buffer, from: number, previous?: number): boolean {
  for (let at = bytes.indexOf(COMMAND, from); at >= 0; at = bytes.indexOf(COMMAND, at + 1)) {
    if ((at === 0 ? previous : bytes[at - 1]) !== BACKSLASH) return true;
  }
  return false;
}

function refused(what: string): SnapshotError {
  return new SnapshotError(
    'REPLAY_FAILED',
    `the dump holds ${what}, which could make psql run a program on this machine`,
    {
      hint: 'the archive was not made by leoflow, or was changed afterwards; nothing of it was run',
    },
  );
}
