#!/bin/sh
# Starts, says so, and ends with an exit code, 3 where $CODE says nothing else.
echo "start $$ $(cat version)" >> "$JOURNAL"
exit "${CODE:-3}"
