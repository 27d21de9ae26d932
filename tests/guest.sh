#!/bin/bash
# Every program of tests/guest/, compared with itself: native, in the VM, recorded, replayed.
. "$(dirname "$0")/lib.sh"
require_sandrec

# A program may need a working directory with something in it; none may need more than these.
prepare() {
	printf 'first line\nsecond line\n' >text
	mkdir -p dir/sub && : >dir/a && : >dir/b
}
setup=prepare
# Some take most of a minute where leaving the machine is slow and its processors are busy.
seconds=180

for prog in "$guest_bin"/*; do
	[ -x "$prog" ] || bail_out "no guest programs have been built"
	name=${prog##*/}
	case $name in
	any_*) same_replays "$name" "$prog"; continue ;;
	esac
	same_plain "$name, without recording" "$prog" one 'two words' ''
	same_three "$name" "$prog" one 'two words' ''
done

# Started by nohup: what is ignored from the beginning, and what is pending while it is blocked, outlives each exec.
trap '' HUP
same_plain "exec_state with SIGHUP ignored, without recording" "$guest_bin/exec_state"
same_three "exec_state with SIGHUP ignored" "$guest_bin/exec_state"
trap 'exit 99' HUP
done_testing
