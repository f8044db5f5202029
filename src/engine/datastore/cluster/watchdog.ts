/**
 * What ends a cluster that is only there for this process, where the process can no longer do it itself (`kill -9`, out of memory): a shell at the other end
 * of a pipe, which closes with the process, however that ends.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** The server removes its postmaster.pid as the last thing; one that does not within the time below is left to notice that its directory is gone. */
const SCRIPT = `
read -r over && exit
pidfile=$1/pgdata/postmaster.pid
if pid=$(head -n 1 "$pidfile"); then
  kill -QUIT "$pid"
  for second in 1 2 3 4 5 6 7 8 9 10; do
    [ -e "$pidfile" ] && sleep 1
  done
fi
rm -rf "$1"`;

/**
 * Watches over the cluster of a temporary home: when this process is gone, the server is stopped and the home is removed.
 *
 * @param account whom the home belongs to; undefined where that is ourselves
 * @returns calls it off, once everything is gone
 */
export function watchOver(home: string, account: { uid: number; gid: number } | undefined): () => Promise<void> {
  // A session of its own: what ends everything in ours must not end this.
  const options = { cwd: '/', detached: true, ...account };
  const shell = spawn('sh', ['-c', SCRIPT, 'sh', home], { ...options, stdio: ['pipe', 'ignore', 'ignore'] });
  // Without a shell there is no watch: nothing that should keep anybody from verifying.
  const ended = once(shell, 'close').catch(() => {});
  shell.stdin.on('error', () => {});
  return async () => {
    shell.stdin.end('over\n');
    await ended;
  };
}
