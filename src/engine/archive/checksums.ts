/**
 * `SHA256SUMS`: one line per regular entry, as `sha256sum` writes and `sha256sum -c` reads it, so that a copy can be proved with no tool of ours.
 */
import type { ArchivePath } from './names.js';

/**
 * The line of one entry. A name with a newline, a carriage return (as the last character it would be taken for a part of the line's end) or
 * a backslash is escaped as coreutils does: the line then begins with a backslash.
 */
export function checksumLine(sha256: string, name: ArchivePath): string {
  if (!/[\\\n\r]/.test(name)) return `${sha256}  ${name}\n`;
  return `\\${sha256}  ${name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}\n`;
}
