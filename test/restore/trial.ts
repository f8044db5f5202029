/** One install on which restores are tried, back and forth between its two versions, so that none has to be put back by the test. */
import { existsSync } from 'node:fs';
import { expect } from 'vitest';
import { type Fault, restore, runRestore, start } from './faults.js';
import { createTwoInstalls, type TwoInstalls, type Version } from './two-installs.js';

export class Trial {
  readonly install: TwoInstalls;
  /** Which of the two the install is now. */
  now: Version = 'B';

  private constructor(install: TwoInstalls) {
    this.install = install;
  }

  static async begin(): Promise<Trial> {
    return new Trial(await createTwoInstalls());
  }

  get other(): Version {
    return this.now === 'A' ? 'B' : 'A';
  }

  get journal(): string {
    return `${this.install.home}.restore-journal.json`;
  }

  get isBrokenOff(): boolean {
    return existsSync(this.journal);
  }

  /** What restores a version over the present one. */
  request(target: Version) {
    const { home, archives } = this.install;
    return { home, input: archives[target], force: true, discardPrevious: true, workers: 1 };
  }

  /** Restores the other version, with a fault. */
  async attempt(fault: Fault) {
    const target = this.other;
    return { target, ...(await runRestore(this.request(target), { base: this.install.base, fault })) };
  }

  /** Starts to restore the other version, and stops the process at a call. `leaving`: see `ProcessSettings`. */
  async pause({ leaving = false, ...fault }: Fault & { leaving?: boolean }) {
    const target = this.other;
    const process = start('restore', this.request(target), {
      base: this.install.base,
      fault: { ...fault, signal: 'SIGSTOP' },
      leaving,
    });
    await process.stopped();
    return { target, ...process };
  }

  /** Nothing was changed, and nothing is left over. */
  async unchanged(): Promise<void> {
    expect(await this.install.version()).toBe(this.now);
    expect(await this.install.strays()).toEqual([]);
  }

  /** A restore has done all of its work, and left nothing else. */
  async completed(target: Version): Promise<void> {
    this.now = target;
    await this.unchanged();
  }

  /** Runs a restore of the other version without a fault: nothing is left of what came before. */
  async again(): Promise<void> {
    const target = this.other;
    await restore(this.request(target));
    await this.completed(target);
  }
}
