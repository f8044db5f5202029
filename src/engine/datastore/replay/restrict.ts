/**
 * A psql that can be locked.
 *
 * `\restrict <key>` (CVE-2025-8714, August 2025) makes psql refuse every backslash command until `\unrestrict` with the same key. Without it a line of
 * a dump could run a program on this machine, so an older psql replays nothing. (What was still open until August 2026, unlock-guard.ts shuts.)
 */
import { SnapshotError } from '../../errors.js';
import { findTool, type Tool, type ToolSearch, toolMissing } from '../tools.js';

/** The first minor release of each major one that knows `\restrict`; later major releases all do. */
const FIRST_MINOR: Readonly<Record<number, number>> = { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 };

/** Whether this psql knows `\restrict`. */
export function knowsRestrict({ major, minor }: Pick<Tool, 'major' | 'minor'>): boolean {
  return major >= 18 || minor >= (FIRST_MINOR[major] ?? Number.POSITIVE_INFINITY);
}

/**
 * The first psql of the search that can be locked. What it claims by its version is proven by the replay itself, whose first line is the lock.
 *
 * @throws `TOOL_NOT_FOUND`, `TOOL_TOO_OLD`
 */
export async function requirePsqlWithRestrict(search: ToolSearch): Promise<Tool> {
  const found = await findTool('psql', search, knowsRestrict);
  if (found.tool !== undefined) return found.tool;
  const [first] = found.unfit.sort((a, b) => b.major - a.major || b.minor - a.minor);
  if (first === undefined) throw toolMissing('psql', search);
  const enough = FIRST_MINOR[first.major];
  const wanted = enough === undefined ? '18' : `${first.major}.${enough}`;
  throw new SnapshotError(
    'TOOL_TOO_OLD',
    `psql ${first.version} (${first.path}) cannot be locked against commands in a dump: it does not know \\restrict`,
    {
      hint: `update the PostgreSQL client to ${wanted} or newer (releases since August 2025 know it), or name its directory with --pg-bin`,
    },
  );
}
