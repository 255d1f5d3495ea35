#!/bin/sh
# Has Caddy send all requests to the release that listens on $HUDDLE_PORT. Fails, with all as it was, when Caddy refuses.
set -eu
cd "$(dirname "$0")"

cp upstream.caddy upstream.old
trap 'mv upstream.old upstream.caddy' EXIT
echo "reverse_proxy 127.0.0.1:$HUDDLE_PORT" >upstream.new
mv upstream.new upstream.caddy
caddy reload --config Caddyfile
trap - EXIT
