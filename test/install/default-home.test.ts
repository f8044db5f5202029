/** Whose install is meant when nobody says. */
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultHome } from '../../src/engine/install/index.js';
import { asOrdinaryUser, failure } from './homes.js';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
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
    expect(error.hint).toBe('name the Leoflow home with --home <dir>');
  });

  test('SUDO_USER means nothing to an ordinary user', () =>
    asOrdinaryUser(() => {
      vi.stubEnv('SUDO_USER', 'root');
      vi.stubEnv('HOME', '/home/somebody');
      expect(defaultHome()).toBe('/home/somebody/.leoflow');
    }));
});

describe('the default home through sudo', () => {
  // Somebody whom the system knows, also where this is not run by root.
  const { username, homedir: directory } = userInfo();
  beforeEach(() => {
    vi.stubEnv('HOME', '/root-of-sudo');
    // An ordinary user cannot become root: then only the answer to "are we root?" is changed, which is all that is asked.
    vi.spyOn(process, 'geteuid').mockReturnValue(0);
  });

  test('is that of the person who typed it, whatever HOME says', () => {
    vi.stubEnv('SUDO_USER', username);
    expect(defaultHome()).toBe(join(directory, '.leoflow'));
    vi.stubEnv('SUDO_USER', 'nobody');
    expect(defaultHome()).toMatch(/^\/.*\.leoflow$/);
    expect(defaultHome()).not.toContain('/root-of-sudo');
  });

  test('without getent, /etc/passwd is asked', () => {
    vi.stubEnv('SUDO_USER', username);
    vi.stubEnv('PATH', '/nowhere');
    expect(defaultHome()).toBe(join(directory, '.leoflow'));
  });

  test.each(['no-such-user', '--help', '0'])('of a user that the system does not know: %s', async (user) => {
    vi.stubEnv('SUDO_USER', user);
    const error = await failure('HOME_NOT_FOUND', () => defaultHome());
    expect(error.message).toBe(`the home directory of ${user} ($SUDO_USER) could not be found`);
  });
});
