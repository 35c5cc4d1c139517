#!/bin/sh
# Makes the repository that the quickstart pipeline builds: a shop of one page.
set -eu
home=/tmp/rollcall-quickstart
mkdir -p "$home/shop"
if [ -e "$home/work" ]; then echo "$home is there already"; exit 0; fi
git init -q --bare -b main "$home/webshop.git"
git init -q -b main "$home/work"
cd "$home/work"
git config user.name Ana
git config user.email ana@acme.example
echo 1.0 > VERSION
echo '<h1>The shop</h1>' > index.html
echo 'grep -q "<h1>" index.html' > test.sh
cat > deploy.sh <<'D'
# Puts the page where people see it, then looks at it, as a health check would.
cp dist/index.html "$SHOP/index.html"
if grep -q broken "$SHOP/index.html"; then echo "the shop answers 500"; exit 1; fi
echo "the shop is up"
D
git add . && git commit -qm "Open the shop" && git push -q "$home/webshop.git" main
git remote add origin "$home/webshop.git"
echo "made $home/webshop.git; push to it from $home/work"
