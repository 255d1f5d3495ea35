# Before each pull: keep a copy of what the worker has done so far. Nothing is there before the first one.
if [ -e count ]; then cp count saved; fi
