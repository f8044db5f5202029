/** The built library: its workers are files of their own, which only a build has. */
import type * as Library from '../../src/index.js';

export const { backup, cat, diff, extract, inspect, list, restore, verify } = (await import(
  new URL('../../dist/index.js', import.meta.url).href
)) as typeof Library;
