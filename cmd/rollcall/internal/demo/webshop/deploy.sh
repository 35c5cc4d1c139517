# Puts dist where customers see it, and then looks at it as they do.
set -eu
now() { date +%s; }
release="${ROLLCALL_EXECUTION#*#}-$(now)"
mkdir -p "$SHOP/releases"
cp -R dist "$SHOP/releases/$release"
echo "copied release $release"
pace=3
if [ -f "$SHOP/pace" ]; then pace=$(cat "$SHOP/pace"); fi
left=$pace
while [ "$left" -gt 0 ]; do
  echo "warming up, $left"
  sleep 1
  left=$((left - 1))
done
echo "$(now) $release" >> "$SHOP/live"
echo "customers see it now"
if [ "$pace" -gt 0 ]; then sleep 1; fi
sh dist/health.sh "$SHOP/releases/$release"
