#!/bin/bash
# sandrec test --exec: programs against the world of a recording.
. "$(dirname "$0")/lib.sh"
require_sandrec
export SANDREC_TRACE_DIR=$T/traces
bin=$top_builddir/tests/exec/bin

# record NAME PROG ARG...: in a directory that is gone afterwards.
record() {
	local name=$1
	shift
	rm -rf "$T/rec/$name" "$T/there"
	mkdir -p "$T/rec" "$T/there" && cd "$T/there" || return 1
	printf '%s\n' 'Less is more.' 'Know thyself.' 'All is flux.' 'Nothing in excess.' >quotes.txt
	printf 'pear\napple\nfig\n' >fruit.txt
	gzip -k quotes.txt
	"$SANDREC" run -q -o "$T/rec/$name" -- "$@" >"$T/recorded.out" </dev/null
	cd "$T" && rm -rf "$T/there"
}

run_test() { limited "$T/tested" "$SANDREC" test "$@" </dev/null; }

passes() {
	run_test --exec "$1" "$T/rec/$2"
	[ "$(cat "$T/tested.status")" = "exit 0" ] || { cat "$T/tested.status" "$T/tested.out" "$T/tested.err"; return 1; }
}

# Without the numbers of events and of descriptors, which depend on what was inherited.
changed_lines() { sed -n 's/^# \([-+]\)[0-9]* \(.*\)/\1\2/p' "$T/tested.out" | sed 's/read([0-9]/read(N/; s/close([0-9]/close(N/; s/= [3-9]$/= N/'; }

differs() {
	local prog=$1 expected=$2
	run_test --exec "$prog" "$T/rec/quote"
	[ "$(cat "$T/tested.status")" = "exit 1" ] && [ "$(changed_lines)" = "$expected" ] ||
		{ cat "$T/tested.out" "$T/tested.err"; changed_lines; return 1; }
}

same() { record program "$@" && passes "$1" program; }

check "the example is recorded" record quote "$bin/quote" quotes.txt
quote=$(sed -n 2p "$T/recorded.out") date=$(sed -n 1p "$T/recorded.out")
length=$(wc -c <"$T/recorded.out")
check "the same program does the same, though its file is gone and the date another" passes "$bin/quote" quote
check "another size of read" differs "$bin/quote.READ" \
'-read(N, "Less is more.\nKnow thyself.\nAll "..., 1024) = 60
+read(N, "Less is more.\nKnow thyself.\nAll "..., 512) = 60
-read(N, "", 1024) = 0
+read(N, "", 512) = 0'
check "one more file" differs "$bin/quote.OPEN" \
"+openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY) = $([ -e /etc/hostname ] && echo N || echo '-1 ENOENT (No such file or directory)')
+close($([ -e /etc/hostname ] && echo 'N) = 0' || echo '-1) = -1 EBADF (Bad file descriptor)')"

message() {
	run_test --exec "$bin/quote.MESSAGE" "$T/rec/quote"
	[ "$(changed_lines | grep -c .)" = 2 ] && changed_lines | grep -q '^-write(1, "It is ' &&
		changed_lines | grep -q "^+write(1, \"Today is .* = $((length + 3))\$" || { cat "$T/tested.out"; changed_lines; return 1; }
}
check "another message" message

update() {
	cp -r "$T/rec/quote" "$T/rec/updated" && run_test --exec "$bin/quote.MESSAGE" --update "$T/rec/updated"
	[ "$(cat "$T/tested.status")" = "exit 0" ] && grep -q '^ok 1 - .*(updated)$' "$T/tested.out" || { cat "$T/tested.out"; return 1; }
	passes "$bin/quote.MESSAGE" updated || return 1
	limited "$T/replayed" "$SANDREC" replay "$T/rec/updated" </dev/null
	[ "$(cat "$T/replayed.out")" = "Today is${date#It is}"$'\n'"$quote" ] || { cat "$T/replayed.out" "$T/replayed.err"; return 1; }
	run_test --exec "$bin/quote" "$T/rec/updated"
	[ "$(cat "$T/tested.status")" = "exit 1" ]
}
check "--update: the new behaviour is expected, and replays" update
check "nothing is left behind" [ -z "$(find "$T" -name '.scratch*')" ]

several() {
	record one /bin/sh -c 'cat fruit.txt | sort; exit 0' && run_test --exec /bin/sh "$T/rec/one"
	[ "$(cat "$T/tested.status")" = "exit 1" ] && grep -q 'cannot answer: ' "$T/tested.out" || { cat "$T/tested.out"; return 1; }
}
check "a recording of several processes is refused" several

check "--update without --exec is refused" bash -c '! "$1" test --update "$2" 2>/dev/null' - "$SANDREC" "$T/rec/quote"

# Programs of the system against themselves.
check "sort" same /usr/bin/sort -r fruit.txt
check "cat" same /bin/cat fruit.txt
check "date" same /bin/date +%N
check "ls" same /bin/ls -la /usr/bin
check "wc" same /usr/bin/wc fruit.txt
check "grep" same /bin/grep -n a fruit.txt quotes.txt
check "sed" same /bin/sed 's/a/b/' fruit.txt
check "gzip" same /bin/gzip -dc quotes.txt.gz
check "sha256sum" same /usr/bin/sha256sum fruit.txt
check "find" same /usr/bin/find /etc -maxdepth 1
check "perl" same /usr/bin/perl -e 'print time, rand, $$'
if [ -x /usr/bin/python3 ]; then
	check "python3" same /usr/bin/python3 -c 'import random, time, os; print(random.random(), time.time(), os.getpid(), open("fruit.txt").read())'
else
	skip "python3" "no python3"
fi
done_testing
