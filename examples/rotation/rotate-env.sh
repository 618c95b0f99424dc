#!/bin/sh
# Rotation where keys are in an environment variable, which a process reads once: each change is a deploy.
#
#   rotate-env.sh FILE COMMAND…
#
# FILE holds the value of SIGNET_KEYS that is deployed now, and COMMAND deploys the value that it gets on stdin and
# returns when no instance runs with the old one. Set propagation in the value to how long that takes, at most.
# Run it once a day: the first deploy of a rotation publishes the next key, which seals by the clock when
# everybody has it, and the second, a period and a session's life later, drops the old one.
set -eu
umask 077
file=$1
shift
signet keys rotate - < "$file" > "$file.next"
if cmp -s "$file" "$file.next"; then
	rm "$file.next"
	exit 0
fi
# Says, among the rest, when a deploy that drops a key is safe; fails if this one is not.
signet keys check "$file" "$file.next"
"$@" < "$file.next"
mv "$file.next" "$file"
