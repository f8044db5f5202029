/** What a whole test run has in common. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The directory that the template of clusters is kept in, once it is made. */
    clusterTemplates: string;
  }
}

/** Vitest's global setup: a place for the template of clusters, gone at the end. */
export default function setup(project: TestProject): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'lftpl-'));
  project.provide('clusterTemplates', directory);
  return () => rmSync(directory, { recursive: true, force: true });
}
