# Counts what it has done; goes on where it was when it comes back.
count=$(cat count 2>/dev/null || echo 0)
while :; do
  count=$((count + 1))
  echo "$count" > count.new && mv count.new count
  sleep 1
done
