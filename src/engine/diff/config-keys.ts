/**
 * Which keys of config.yaml and setup.json differ. Values are compared and never told: the file holds secrets.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Difference } from '../diff-options.js';
import { parseConfig } from '../install/index.js';

/** Deeper ones count as a part of the key above them. */
const MAX_DEPTH = 8;

/** Differences of one file, and how many keys are the same. Null stands for a file that is not there. */
export function compareKeys(
  file: 'config.yaml' | 'setup.json',
  from: Buffer | null,
  to: Buffer | null,
): { differences: Difference[]; same: number } {
  const whole = (change: 'added' | 'removed' | 'changed') => ({
    differences: [{ part: 'config' as const, change, file, key: null }],
    same: 0,
  });
  if (from === null && to === null) return { differences: [], same: 0 };
  if (from === null) return whole('added');
  if (to === null) return whole('removed');
  const [before, after] = [keysOf(file, from), keysOf(file, to)];
  if (before === null || after === null) return from.equals(to) ? { differences: [], same: 1 } : whole('changed');
  const differences: Difference[] = [];
  let same = 0;
  for (const [key, value] of before) {
    if (!after.has(key)) differences.push({ part: 'config', change: 'removed', file, key });
    else if (isDeepStrictEqual(after.get(key), value)) same += 1;
    else differences.push({ part: 'config', change: 'changed', file, key });
  }
  for (const key of after.keys()) {
    if (!before.has(key)) differences.push({ part: 'config', change: 'added', file, key });
  }
  return { differences, same };
}

/** Its keys, those of nested mappings with dots in between; null where it cannot be understood. */
function keysOf(file: 'config.yaml' | 'setup.json', content: Buffer): Map<string, unknown> | null {
  try {
    const value: unknown =
      file === 'config.yaml' ? parseConfig(content, file).document.toJS() : JSON.parse(content.toString());
    if (!isMapping(value)) return null;
    const keys = new Map<string, unknown>();
    flatten(value, '', keys, 1);
    return keys;
  } catch {
    return null;
  }
}

function flatten(mapping: object, prefix: string, keys: Map<string, unknown>, depth: number): void {
  for (const [name, value] of Object.entries(mapping)) {
    if (depth < MAX_DEPTH && isMapping(value)) flatten(value, `${prefix}${name}.`, keys, depth + 1);
    else keys.set(prefix + name, value);
  }
}

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
}
