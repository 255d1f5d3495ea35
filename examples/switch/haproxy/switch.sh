#!/bin/sh
# Has HAProxy send all requests to the release that listens on $HUDDLE_PORT. Fails when HAProxy refuses.
set -eu
cd "$(dirname "$0")"
ask() { echo "$1" | socat stdio unix-connect:haproxy.sock; }

ask "set server shop/release addr 127.0.0.1 port $HUDDLE_PORT"
# It refuses in words only; and the next HAProxy is to begin where this one is.
ask 'show servers state' >haproxy.state.new
grep -q " release 127.0.0.1 .* $HUDDLE_PORT " haproxy.state.new
mv haproxy.state.new haproxy.state
