#!/bin/sh
# Tells the journal of its start and stop, and waits.
version=$(cat version)
trap 'echo "stop $$ $version" >> "$JOURNAL"; exit 0' TERM
echo "start $$ $version" >> "$JOURNAL"
while :; do sleep 1000 & wait $!; done
