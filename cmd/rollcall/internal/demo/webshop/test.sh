# What must hold before the shop may be released.
set -eu
. ./shop.sh
fail() { echo "FAIL  $1"; exit 1; }

[ "$(total 890 0)" = 890 ] || fail "without a coupon the price stays"
[ "$(total 1000 10)" = 900 ] || fail "a coupon takes its percentage off"
[ "$(euros 805)" = 8.05 ] || fail "prices have two digits"
echo "ok    totals"
while IFS='|' read -r icon name cents about; do
  [ "$cents" -gt 0 ] || fail "$name has no price"
done < products.txt
echo "ok    every tea has a price"
if [ -f coupons.txt ]; then
  while IFS='|' read -r code percent; do
    [ -n "$percent" ] || fail "coupon $code takes nothing off"
  done < coupons.txt
  echo "ok    every coupon takes something off"
fi
