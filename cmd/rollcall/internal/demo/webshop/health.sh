# Looks at a release as a customer does.
set -eu
page="$1/index.html"
if [ ! -s "$page" ]; then echo "health check: there is no page"; exit 1; fi
if grep -q '{{' "$page"; then
  echo "health check: the page shows $(grep -c '{{' "$page") placeholders where the teas should be"
  exit 1
fi
echo "health check: the shop is up"
