/**
 * What of an archive is wanted, as it goes to workers: they look at the names in a block, and take what matches.
 */
import type { ArchivePath } from '../archive/index.js';
import { NamePatterns } from '../name-patterns.js';

export interface Selection {
  /** Patterns for names as in the archive. */
  patterns: readonly string[];
  /** The staging tree of files beside the workspace; null to check only. */
  beside: string | null;
}

/** The names that are wanted, and which of the patterns have met any. */
export class Wanted {
  readonly #texts: readonly string[];
  readonly #patterns: NamePatterns;

  /** @throws USAGE */
  constructor(patterns: readonly string[]) {
    this.#texts = patterns;
    this.#patterns = new NamePatterns(patterns);
  }

  /** @param name a directory's ends in `/` */
  takes(name: ArchivePath): boolean {
    return this.#patterns.matches(name);
  }

  /** The patterns that have met something. */
  get met(): string[] {
    const { unmatched } = this.#patterns;
    return unmatched.length === 0 ? [...this.#texts] : this.#texts.filter((text) => !unmatched.includes(text));
  }
}

const WILDCARD = /[*?[\\]/;

/** The part of a pattern that every match begins with, up to a slash: all that matches is that or below it. */
export function literalPart(pattern: string): string {
  const parts = pattern.replace(/\/+$/, '').split('/');
  const wild = parts.findIndex((part) => WILDCARD.test(part));
  return (wild === -1 ? parts : parts.slice(0, wild)).join('/');
}
