/**
 * The ignore files on the way to a path, and what the rules say of one that no scan has come to, or that need not exist yet.
 */
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Exclusion, type ExclusionRules, IGNORE_FILE, type IgnoreChain } from './exclusion.js';

/** A larger ignore file is not one. */
const IGNORE_FILE_BYTES = 1 << 20;

/**
 * The ignore files that apply in a directory: its own, and those above.
 *
 * @param directory relative to the workspace; empty for that itself
 * @param onFault hears why its own one counts as none; completes "it is …"
 */
export function ignoresIn(
  root: string,
  directory: string,
  above: IgnoreChain | null,
  onFault: (what: string) => void = () => {},
): IgnoreChain | null {
  const path = join(root, directory, IGNORE_FILE);
  try {
    const stats = lstatSync(path);
    if (stats.isFile() && stats.size <= IGNORE_FILE_BYTES) {
      return { source: { directory, patterns: readFileSync(path, 'utf8') }, above };
    }
    onFault(stats.isFile() ? 'over 1 MiB long' : 'no regular file');
  } catch {
    // There is none, or it is unreadable, which is reported when its own turn comes. Better too much in the archive than too little.
  }
  return above;
}

/** The rule that keeps a file out of the archive, or a directory that it is in; null where it belongs in. @param path relative to the workspace */
export function ruleFor(root: string, rules: ExclusionRules, path: string): string | null {
  const exclusion = new Exclusion(rules);
  let ignores = ignoresIn(root, '', null);
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const directory = path.slice(0, slash);
    const rule = exclusion.judge(directory, true, ignores);
    if (rule !== null) return rule;
    ignores = ignoresIn(root, directory, ignores);
  }
  return exclusion.judge(path, false, ignores);
}
