# Puts the shop's page into dist.
set -eu
. ./shop.sh
. ./theme
rm -rf dist
mkdir dist
row='<li><span class="icon">%s</span><h2>%s</h2><p>%s</p><footer><b>€ %s</b><button type="button">Add</button></footer></li>\n'
{
  sed -e "s/ACCENT/$accent/g" page/head.html
  if [ -f coupons.txt ]; then cat page/coupons.html; fi
  echo '<ul class="shelf">'
  while IFS='|' read -r icon name cents about; do
    printf "$row" "$icon" "$name" "$about" "$(euros "$cents")"
  done < products.txt
  echo '</ul>'
  cat page/foot.html
} > dist/index.html
cp deploy.sh health.sh dist/
if [ -f coupons.txt ]; then cp coupons.txt dist/; fi
echo "built $(wc -l < products.txt) teas into dist"
