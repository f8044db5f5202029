/**
 * What is not in an archive, as texts: what rules left out, and what the backup could not take.
 */
import type { LeftOut } from '../../index.js';
import { formatCount, formatDirectories, printable } from '../format.js';
import { columns } from './table.js';

/** As many rules are listed without `--verbose`. */
const RULES_SHOWN = 10;

/** A text per rule. @param none what to say where there is none; empty for nothing at all */
export function leftOutTexts(leftOut: readonly LeftOut[], verbose: boolean, none = ''): string[] {
  if (leftOut.length === 0 && none !== '') return [none];
  const shown = verbose ? leftOut : leftOut.slice(0, RULES_SHOWN);
  const texts = columns(shown.map((rule) => [printable(rule.rule), amountText(rule)]));
  const hidden = leftOut.length - shown.length;
  return hidden > 0 ? [...texts, `and ${formatCount(hidden, 'more rule')}; --verbose lists all`] : texts;
}

/** What an archive lacks that is not complete. @param paths at least 1 */
export function incompleteText(paths: number): string {
  const which = paths === 1 ? '1 path is' : `${formatCount(paths, 'path')} are`;
  return `${which} missing from the archive, or changed while being read`;
}

function amountText({ directories, files }: LeftOut): string {
  const parts: string[] = [];
  if (directories > 0) parts.push(formatDirectories(directories));
  if (files > 0) parts.push(formatCount(files, 'file'));
  return parts.join(', ');
}
