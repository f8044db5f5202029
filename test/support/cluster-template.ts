/**
 * A cluster as `initdb` makes it, made once in a test run and copied from then on: that takes a tenth of the time, of which a run would spend minutes.
 */
import { existsSync, mkdtempSync } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';

/**
 * The template's data directory.
 *
 * @param make makes a cluster in a directory that does not exist yet; it must not be running afterwards
 */
export async function clusterTemplate(make: (directory: string) => Promise<void>): Promise<string> {
  const directory = inject('clusterTemplates');
  const template = join(directory, 'pgdata');
  if (existsSync(template)) return template;
  // Two test files may come here at once; the first one's stays.
  const parent = mkdtempSync(join(directory, 'new-'));
  for (const passed of [directory, parent]) await chmod(passed, 0o755);
  const made = join(parent, 'pgdata');
  await make(made);
  await rename(made, template).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  await rm(parent, { recursive: true, force: true });
  return template;
}
