#!/bin/sh
# A night: back up, verify, prune. Silent unless something is wrong; the exit status is that of the first step that says so, and 128 + n after signal n.
#
#   LEOFLOW_BACKUPS    directory of the archives (default: ~/leoflow-backups)
#   LEOFLOW_PING_URL   address of a dead man's switch, which the backup pings
#
# Further words go to the backup: nightly.sh --exclude '*.parquet'
set -u
umask 077

# Whoever stops this script may tell nobody else: the stop is passed on to the step, which ends in order, and then the script ends.
step() { "$@" & wait "$!" || return; }
stop() { kill -"$1" "${!:-}" 2> /dev/null; wait; exit $((128 + $1)); }
for signal in 1 2 15; do trap "stop $signal" "$signal"; done # HUP, INT, TERM

backups=${LEOFLOW_BACKUPS:-$HOME/leoflow-backups}
mkdir -p "$backups" || exit 1
archive=$backups/leoflow-backup-$(date -u +%Y-%m-%dT%H%M%SZ).tar.gz

step leoflow lite backup --quiet --start-datastore --output "$archive" "$@"
status=$?
case $status in
  # With 3 there is an archive, but some files are not in it as they should be.
  0 | 3) ;;
  *) exit "$status" ;;
esac

# Old ones go only for a new one that is good; for one that is not complete, prune removes no complete one.
step leoflow lite verify --quiet "$archive" &&
  step leoflow lite prune "$backups" --quiet --keep-daily 7 --keep-weekly 4 --keep-monthly 12
rest=$?
[ "$status" -ne 0 ] || status=$rest
exit "$status"
