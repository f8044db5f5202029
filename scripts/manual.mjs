import { mkdirSync, writeFileSync } from 'node:fs';
import { packageVersion, programDefinition } from '../dist/cli/program.js';
import { manualPage } from '../dist/cli/reference/manual.js';

const directory = new URL('../dist/man/', import.meta.url);
mkdirSync(directory, { recursive: true });
writeFileSync(new URL('leoflow-lite.1', directory), manualPage(programDefinition(), packageVersion()));
