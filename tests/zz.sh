#!/bin/bash
. "$(dirname "$0")/lib.sh"
require_sandrec
seconds=180
prepare() {
	printf 'first line\nsecond line\n' >text
	mkdir -p dir/sub && : >dir/a && : >dir/b
}
setup=prepare
export SANDREC_FAST_PATH=always
for prog in $ZZ; do
	same_plain "$prog, plain" "$guest_bin/$prog" one 'two words' ''
	same_three "$prog" "$guest_bin/$prog" one 'two words' ''
done
done_testing
