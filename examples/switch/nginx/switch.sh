#!/bin/sh
# Has nginx send all requests to the release that listens on $HUDDLE_PORT. Fails, with all as it was, when nginx refuses.
set -eu
cd "$(dirname "$0")"
# The one of the system is just `nginx`, its pid in /run/nginx.pid.
nginx() { command nginx -p "$PWD" -c nginx.conf "$@"; }
master=$(cat nginx.pid)

cp upstream.conf upstream.old
trap 'mv upstream.old upstream.conf' EXIT
echo "upstream shop { server 127.0.0.1:$HUDDLE_PORT; }" >upstream.new
mv upstream.new upstream.conf
nginx -t -q
workers=$(cat "/proc/$master/task/$master/children")
nginx -s reload

# That only asks for it. Until the workers of before have answered what they have and are gone, they send requests to the
# release of before, which must not be stopped yet.
tries=350
for worker in $workers; do
  while [ -e "/proc/$worker" ]; do
    if [ $((tries -= 1)) -lt 0 ]; then
      echo 'nginx has not taken up its new configuration; its error log says why' >&2
      exit 1
    fi
    sleep 0.1
  done
done
trap - EXIT
