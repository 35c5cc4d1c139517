# total PRICE PERCENT: what a customer pays, in cents.
total() { echo $(($1 - $1 * $2 / 100)); }
# euros CENTS
euros() { printf '%d.%02d' $(($1 / 100)) $(($1 % 100)); }
