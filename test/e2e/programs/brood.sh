#!/bin/sh
# A program whose children leave it: one in a session of its own, one forked twice, one deaf to SIGTERM.
echo "start $$ $(cat version)" >> "$JOURNAL"
child='echo "start $$ child" >> "$JOURNAL"; exec sleep 1000'
setsid sh -c "$child" &
(setsid sh -c "$child" &)
env -u HUDDLE_MARK setsid sh -c "trap '' TERM; $child" &
while :; do sleep 1000 & wait $!; done
