/** Whose install is meant when nobody says. */
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { defaultHome } from '../../src/engine/install/index.js';
import { failure } from './homes.js';

const isRoot = process.geteuid?.() === 0;

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the default home', () => {
  test("is the invoking user's", () => {
    vi.stubEnv('SUDO_USER', undefined);
    vi.stubEnv('HOME', '/home/somebody');
    expect(defaultHome()).toBe('/home/somebody/.leoflow');
  });

  test('does not listen to LEOFLOW_HOME', () => {
    vi.stubEnv('SUDO_USER', undefined);
    vi.stubEnv('LEOFLOW_HOME', '/elsewhere');
    expect(defaultHome()).toBe(join(homedir(), '.leoflow'));
  });

  test('needs an absolute HOME', async () => {
    vi.stubEnv('SUDO_USER', undefined);
    vi.stubEnv('HOME', 'here');
    const error = await failure('HOME_NOT_FOUND', () => defaultHome());
    expect(error.message).toBe('your home directory is unknown: HOME is not set to an absolute path');
    expect(error.hint).toBe('Name the Leoflow home with --home <dir>.');
  });

  test.runIf(isRoot)('through sudo it is that of the person who typed it, whatever HOME says', () => {
    vi.stubEnv('HOME', '/root-of-sudo');
    vi.stubEnv('SUDO_USER', 'nobody');
    const home = defaultHome();
    expect(home).toMatch(/^\/.*\.leoflow$/);
    expect(home).not.toContain('/root-of-sudo');
    vi.stubEnv('SUDO_USER', 'root');
    expect(defaultHome()).toBe(join(userInfo().homedir, '.leoflow'));
  });

  test.runIf(isRoot)('without getent, /etc/passwd is asked', () => {
    vi.stubEnv('SUDO_USER', 'root');
    vi.stubEnv('PATH', '/nowhere');
    expect(defaultHome()).toBe(join(userInfo().homedir, '.leoflow'));
  });

  test.runIf(isRoot).each(['no-such-user', '--help', '0'])(
    'a SUDO_USER that the system does not know: %s',
    async (user) => {
      vi.stubEnv('SUDO_USER', user);
      const error = await failure('HOME_NOT_FOUND', () => defaultHome());
      expect(error.message).toBe(`the home directory of ${user} ($SUDO_USER) could not be found`);
    },
  );

  test.skipIf(isRoot)('SUDO_USER means nothing to an ordinary user', () => {
    vi.stubEnv('SUDO_USER', 'root');
    expect(defaultHome()).toBe(join(homedir(), '.leoflow'));
  });
});
