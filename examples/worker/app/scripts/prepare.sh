# After each pull: what a build would do.
echo "prepared $HUDDLE_REVISION" > prepared
