#!/bin/bash
# The commands that read, compare, move and show recordings (stat, verify, diff, pack, test, timeline, ls, rm, dump --json), and run --inject.
. "$(dirname "$0")/lib.sh"
require_sandrec
cd "$T" || exit 99

export SANDREC_TRACE_DIR=$T/traces
sandrec() { limited "$T/last" "$SANDREC" "$@" </dev/null; }
ended() { [ "$(cat "$T/last.status")" = "$1" ] || { echo "ended with $(cat "$T/last.status"), not $1"; cat "$T/last.err"; false; }; }
prints() { [ "$(cat "$T/last.out")" = "$1" ] || { echo "printed:"; cat "$T/last.out"; false; }; }
has_line() { grep -qE -- "$1" last.out || { echo "no line $1"; head -n 20 last.out; return 1; }; }
says() { grep -qE -- "$1" last.err || { echo "no message $1"; cat last.err; return 1; }; }
# json EXPRESSION: with the command's output as v, one JSON text
json() { python3 -c "import json, sys; v = json.load(sys.stdin); sys.exit(not ($1))" <"$T/last.out" || { head -c 1500 "$T/last.out"; false; }; }
record() { # record TRACE STATUS PROG...
	limited "$T/run" "$SANDREC" run -o "$1" -- "${@:3}" </dev/null
	[ "$(cat run.status)" = "$2" ] || { diag "$1: $(cat run.status)"; show_file run.err; bail_out "$1 was not recorded"; }
}

echo 'one line' >input
cat >tree.sh <<'SCRIPT'
read line <input
echo "$line"
cat nothing 2>/dev/null
printf 'two\nlines\n' | wc -l
exit 3
SCRIPT
record tree "exit 3" /bin/bash tree.sh
record counter "exit 0" "$top_builddir/tests/tools/counter" 200

### stat
stat_counts() {
	sandrec stat --json counter && ended "exit 0" || return
	json "[c['calls'] for c in v['syscalls'] if c['name'] == 'getppid'] == [200]
and [(c['calls'], c['errors'], c['moved']) for c in v['syscalls'] if c['name'] == 'write'] == [(200, 0, 10 * 2 + 90 * 3 + 100 * 4)]
and v['total']['calls'] == v['events']['syscalls'] == sum(c['calls'] for c in v['syscalls'])
and len(v['threads']) == 1 and v['threads'][0]['calls'] == v['total']['calls']"
}
stat_sums() {
	sandrec stat --json tree && ended "exit 0" || return
	json "all(sum(t[k] for t in v['threads']) == sum(c[k] for c in v['syscalls']) == v['total'][k]
		for k in ('calls', 'errors', 'time_ns', 'moved', 'recorded'))
and len({t['process'] for t in v['threads']}) == 4 and v['total']['errors'] > 0 and v['events']['exits'] == 4"
}
stat_text() {
	sandrec stat --sort=calls counter && ended "exit 0" && has_line '^counter: [0-9]+ events in [0-9.]+ s, 1 process, 1 thread$' &&
		has_line '^ +200 +[0-9]+ +0 +[0-9.]+ +0 +[0-9]+  getppid$' &&
		[ "$(awk '/SYSTEM CALL/ { getline; print $NF }' last.out)" = getppid ]
}
stat_pid() {
	local wc
	wc=$("$SANDREC" ps tree | awk '/wc -l$/ { print $1 }')
	sandrec stat --pid "$wc" tree && ended "exit 0" && has_line '^tree: .* 1 process, 1 thread$' &&
		has_line "  $wc\$" && sandrec stat --pid 1 tree && ended "exit 1"
}
check "stat --json: calls and bytes" stat_counts
check "stat --json: threads and calls add up to the same" stat_sums
check "stat: text, sorted" stat_text
check "stat --pid" stat_pid

### verify
intact() { sandrec verify tree && ended "exit 0" && has_line '^tree: intact: [0-9]+ events of 4 processes, [0-9]+ files with [0-9.]+M$' && [ ! -s last.err ]; }
intact_json() {
	sandrec verify --json tree && ended "exit 0" &&
		json "v['intact'] and not v['cut'] and v['files'] == v['good_files'] > 2 and len(v['processes']) == 4"
}
# broken NAME MESSAGE COMMAND...: a copy of the recording, changed by COMMAND, is found out
broken() {
	rm -rf broken && cp -a tree broken && (cd broken && "${@:2}") || return
	sandrec verify -q broken && ended "exit 1" && says "^sandrec: broken: $1" && [ ! -s last.out ] &&
		sandrec verify --json broken && ended "exit 1" && json "not v['intact'] and v['problems']"
}
flip() { # flip FILE OFFSET: one bit
	local byte
	chmod u+w "$1" && byte=$(od -An -tu1 -j"$2" -N1 "$1") && printf "\\x$(printf %02x $((byte ^ 16)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
first_stream() { printf '%s\n' events.* | head -n 1; }
biggest_file() { printf 'files/%s\n' "$(ls -S files | head -n 1)"; }
flip_stream() { flip "$(first_stream)" 3000; }
flip_head() { flip "$(first_stream)" 50; }
flip_file() { flip "$(biggest_file)" 70000; }
lose_file() { rm -f "$(biggest_file)"; }
lose_stream() { rm "$(first_stream)"; }
cut_stream() { truncate -s -100 "$(first_stream)"; }
drop_frames() { truncate -s 32 "$(first_stream)"; }
bad_manifest() { echo '{' >manifest; }
check "verify: a whole recording" intact
check "verify --json" intact_json
check "verify: a flipped bit in the events" broken "process [0-9]+: trace damaged" flip_stream
check "verify: a flipped bit in a frame's header" broken "process [0-9]+: trace damaged" flip_head
check "verify: a flipped bit in a file" broken "the recorded copy of /.* is damaged" flip_file
check "verify: a file that is gone" broken "the recorded copy of /.* is missing" lose_file
check "verify: events that are gone" broken "process [0-9]+: its events are missing" lose_stream
check "verify: events cut off" broken "process [0-9]+: recording cut" cut_stream
check "verify: frames cut off" broken "process [0-9]+: 0 events, but the manifest says [0-9]+" drop_frames
check "verify: a damaged manifest" broken "manifest" bad_manifest
mkdir empty && echo '{' >empty/manifest
not_a_trace() { sandrec verify empty; ended "exit 1"; }
check "verify: nothing in it" not_a_trace

### diff
record tree2 "exit 3" /bin/bash tree.sh
cat >family.c <<'SOURCE'
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct timespec t;
		pid_t pid = fork();
		if (pid == 0) {
			clock_gettime(CLOCK_REALTIME, &t);
			execl("/bin/echo", "echo", i == 1 ? "one" : "other", NULL);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid || getpgid(pid) == getpid())
			return 1;
	}
	return 3;
}
SOURCE
cat >words.c <<'SOURCE'
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
	char buf[300];
	int fd = open("words", O_RDONLY);
	ssize_t n = read(fd, buf, SIZE);
	EXTRA
	if (getuid() == 1234567 || write(1, MESSAGE, sizeof(MESSAGE) - 1) < 0)
		return 1;
	return n < 0;
}
SOURCE
words() { cc -O1 -o words.bin words.c -DSIZE="$1" -DEXTRA="$2" -DMESSAGE="$3" && record "$4" "exit 0" ./words.bin; }
has_cc=
if have cc; then
	has_cc=yes
	cc -O1 -o family.bin family.c
	record family1 "exit 3" ./family.bin
	record family2 "exit 3" ./family.bin
	seq 100 >words
	words 200 "" '"hello"' words1
	words 200 "" '"hello"' words2
	words 200 "close(open(\"nothing\",O_RDONLY));" '"hello"' words_open
	words 150 "" '"hello"' words_size
	words 200 "" '"help"' words_message
	seq 50 >words && seq 52 102 >>words
	words 200 "" '"hello"' words_data
fi
same() { sandrec diff "$@" && ended "exit 0" && prints ""; }
# differs N LINE... -- ARG...: exit 1, N differences, and these lines
differs() {
	local n=$1 line
	shift
	local lines=()
	while [ "$1" != -- ]; do lines+=("$1"); shift; done
	shift
	sandrec diff "$@"
	ended "exit 1" || return
	for line in "^$n differences? in [0-9]+ process(es)?: - " "${lines[@]}"; do has_line "$line" || { cat last.out; return 1; }; done
}
only() { [ "$(grep -c '^[-+]' last.out)" = "$1" ] || { echo "lines that differ:"; grep '^[-+]' last.out; return 1; }; }
check "diff: a recording and itself" same tree tree
pids_count() { sandrec diff --pids family1 family2; ended "exit 1" && has_line '^[-]([0-9]+) clone\(' && has_line '^[+]([0-9]+) clone\('; }
times_count() { sandrec diff --times -q tree tree2; [ "$(cat last.status)" != "exit 2" ] && prints ""; }
check "diff --times -q: prints nothing" times_count
json_same() { sandrec diff --json family1 family2 && ended "exit 0" && json "v['same'] and not v['runs'] and v['differences'] == 0"; }
if [ -n "$has_cc" ]; then
	one_open() { differs 1 '^\+[0-9]+ openat\(AT_FDCWD, "nothing", O_RDONLY\) = -1 ENOENT' '^\+[0-9]+ close\(-1\)' -- --no-data words1 words_open && only 2; }
	check "diff: the same program twice" same words1 words2
	check "diff: the same processes twice: their numbers and times do not count" same family1 family2
	check "diff --pids: unless asked for" pids_count
	check "diff --json: no difference" json_same
	size() { differs 1 '^-[0-9]+ read\([0-9]+, .*, 200\) = 200' '^\+[0-9]+ read\([0-9]+, .*, 150\) = 150' -- --no-data words1 words_size && only 2; }
	text() { differs 1 '^-[0-9]+ write\(1, "hello", 5\) = 5' '^\+[0-9]+ write\(1, "help", 4\) = 4' -- --syscall=write words1 words_message && only 2; }
	data() { differs 1 '^-    \.\.\..*n50.n51.n' '^\+    \.\.\..*n50.n52.n' -- --syscall=read words1 words_data; }
	data_ignored() { sandrec diff --no-data --syscall=read words1 words_data; ended "exit 0"; }
	run_json() {
		sandrec diff --json --syscall=write words1 words_message; ended "exit 1" &&
			json "not v['same'] and len(v['runs']) == 1 and v['runs'][0]['removed'][0]['text'].startswith('write(1, \"hello\"')
and v['runs'][0]['added'][0]['text'].startswith('write(1, \"help\"') and v['runs'][0]['thread'] == 1"
	}
	context() { sandrec diff --no-data --context=0 words1 words_size; ended "exit 1" && ! grep '^ ' last.out; }
	check "diff: one more open" one_open
	check "diff: another size" size
	check "diff: another message" text
	check "diff: a difference deep in a buffer is shown" data
	check "diff --no-data: it does not count" data_ignored
	check "diff --json: a difference" run_json
	check "diff --context=0: nothing else" context
else
	skip "diff: changed programs" "no compiler"
fi
child_only() { sandrec diff tree counter; ended "exit 1" && has_line '^-process [0-9]+ \(wc -l\): only in tree, [0-9]+ events$'; }
no_such_trace() { sandrec diff tree nowhere; ended "exit 2" && says 'no such recording'; }
damaged_side() { cp -a tree damaged && (cd damaged && flip_stream) && sandrec diff tree damaged; ended "exit 2"; }
check "diff: a process without counterpart" child_only
check "diff: trouble is status 2" no_such_trace
check "diff: a damaged recording is trouble, not a difference" damaged_side

### pack
packs() { sandrec pack -o tree.sandrec tree && ended "exit 0" && has_line '^tree.sandrec: 4 processes, [0-9]+ files, [0-9.]+[KM]$'; }
reads_the_same() { # ARGS...: the command says the same of the pack as of the directory
	sandrec "$@" tree && ended "exit 0" && cp last.out of_tree && sandrec "$@" moved/x && ended "exit 0" &&
		diff <(sed 's/^tree:/X:/; s/"tree"/"X"/' of_tree) <(sed 's/^moved.x:/X:/; s/"moved.x"/"X"/' last.out)
}
replays() {
	(cd "$T/elsewhere" && limited "$T/last" env -i PATH=/nowhere HOME=/nowhere "$SANDREC" replay "$T/moved/x" </dev/null)
	ended "exit 3" && prints $'one line\n2' && [ ! -s last.err ] || { cat last.err; return 1; }
}
one_process() { sandrec replay -p "$("$SANDREC" ps moved/x | awk '/wc -l$/ { print $1 }')" moved/x && ended "exit 0" && prints 2; }
no_overwrite() {
	sandrec pack -o tree.sandrec tree; ended "exit 1" && says 'exists' && sandrec pack -f -q -o tree.sandrec tree && ended "exit 0" && prints ""
}
twice() { sandrec pack -q -o again.sandrec moved/x && ended "exit 0" && cmp again.sandrec moved/x; }
no_traces_left() { ! ls ./*.tmp 2>/dev/null; }
named() { mkdir -p named && (cd named && limited "$T/last" "$SANDREC" pack -q ../tree </dev/null) && ended "exit 0" && [ -s named/tree.sandrec ]; }
not_damaged_ones() { sandrec pack -o bad.sandrec damaged; ended "exit 1" && says 'only a whole recording' && [ ! -e bad.sandrec ]; }
listed() { cp tree.sandrec "$SANDREC_TRACE_DIR/packed" && sandrec ls && has_line '^packed .* exit 3 +/bin/bash tree.sh$'; }
removed() { sandrec rm packed && ended "exit 0" && [ ! -e "$SANDREC_TRACE_DIR/packed" ]; }
# flipped OFFSET MESSAGE: a changed byte is found by verify
flipped() {
	cp moved/x flipped && flip flipped "$1" && sandrec verify flipped
	ended "exit 1" && says "$2"
}
truncated() { head -c 100000 moved/x >cut.sandrec && sandrec replay cut.sandrec; ended "exit 1" && says 'cut.sandrec: the packed recording is damaged or not all there'; }
no_pack() { echo hello >hello && sandrec replay ./hello; ended "exit 1" && ! grep -q hello last.out; }
part_at() { # the offset in the pack of 60 bytes inside of the part whose name is $1
	python3 - "$1" moved/x <<-'PYTHON'
		import struct, sys
		b = open(sys.argv[2], "rb").read()
		at, n = struct.unpack_from("<QQ", b, 16)
		end = at + n
		while at < end:
		    where, stored, size, _, _, name = struct.unpack_from("<QQQQII", b, at)
		    if b[at + 40:at + 40 + name].decode() == sys.argv[1]:
		        print(where + 60)
		    at += 40 + (name + 7) // 8 * 8
	PYTHON
}
mkdir moved elsewhere
check "pack: one file" packs
mv tree.sandrec moved/x && mv tree hidden
check "pack: it replays where nothing else is left" replays
mv hidden tree && cp moved/x tree.sandrec
for c in dump "dump --json" ps stat "stat --json" verify "verify --json"; do
	# shellcheck disable=SC2086
	check "pack: $c says the same" reads_the_same $c
done
check "pack: one process replays" one_process
check "pack: info" sandrec info moved/x
check "pack: diff of the directory and the file" same tree moved/x
check "pack: a file is not replaced unasked" no_overwrite
check "pack: a pack of a pack is the same" twice
check "pack: the default name" named
check "pack: a damaged recording is refused" not_damaged_ones
check "pack: no half files are left" no_traces_left
check "pack: listed, and removed" eval 'listed && removed'
check "pack: a changed byte in the header" flipped 20 'the packed recording is damaged'
check "pack: a changed byte in the manifest" flipped "$(part_at manifest)" 'manifest damaged: wrong checksum'
check "pack: a changed byte in events" flipped "$(part_at events.1)" 'process [0-9]+: '
check "pack: a file cut off" truncated
check "pack: a file that is no pack" no_pack
# Nothing but the program, the pack, /dev/kvm and /proc: no libraries, no recording's directory.
in_empty_root() {
	mkdir -p empty_root/dev empty_root/proc && cp "$SANDREC" empty_root/sandrec && cp moved/x empty_root/trace && touch empty_root/dev/kvm || return
	limited "$T/last" unshare -mpf sh -c 'mount --bind /dev/kvm empty_root/dev/kvm && mount -t proc proc empty_root/proc && exec chroot empty_root /sandrec replay /trace' </dev/null
	ended "exit 3" && prints $'one line\n2'
}
if unshare -mpf true 2>/dev/null; then
	check "pack: it replays in an empty root" in_empty_root
else
	skip "pack: it replays in an empty root" "no permission to unshare"
fi

### test
check_ok() { sandrec replay --check tree && ended "exit 0" && prints "" && [ ! -s last.err ]; }
trace_edit() { "$top_builddir/tests/tools/trace_edit" "$@"; }
mkdir suite && cp -a tree suite/tree-2 && cp -a counter suite/tree-10 && cp tree.sandrec suite/tree-3 && echo no >suite/README
all_pass() {
	sandrec test "$@" suite && ended "exit 0" || { cat last.out; return 1; }
	[ "$(grep -v '^#' last.out)" = $'TAP version 13\n1..3\nok 1 - suite/tree-2\nok 2 - suite/tree-3\nok 3 - suite/tree-10' ] || { cat last.out; return 1; }
	has_line '^# 3 recordings: 3 passed, 0 failed, in [0-9.]+ s$'
}
junit() { # EXPRESSION over r, the root element
	python3 -c "import sys, xml.etree.ElementTree as e; r = e.parse('$T/junit.xml').getroot(); sys.exit(not ($1))" || { cat "$T/junit.xml"; false; }
}
junit_pass() { sandrec test --junit=junit.xml suite/tree-2 && ended "exit 0" && junit "r.get('tests') == '1' and r.get('failures') == '0' and r[0][0].get('name') == 'suite/tree-2' and len(r[0][0]) == 0"; }
by_name() { sandrec run -q -- /bin/true && sandrec test true-1 && ended "exit 0" && has_line '^ok 1 - .*/true-1$'; }
nothing_there() { mkdir -p none && sandrec test none; ended "exit 1" && says 'none: no recording'; }
check "replay --check: exit status 0 for a program that ended with 3" check_ok
check "test: a directory, in natural order" all_pass
check "test -j3: the same" all_pass -j3
check "test --junit" junit_pass
check "test: a recording by its name" by_name
check "test: no recordings" nothing_there
# One that goes another way, one that is damaged, one that takes too long.
cp -a counter suite/tree-4 && diverge=$("$SANDREC" dump --syscall getppid counter | sed -n '3s/ .*//p') && trace_edit suite/tree-4 setreg "$diverge" rsi 77
cp -a tree suite/tree-5 && (cd suite/tree-5 && flip_file)
some_fail() {
	sandrec test -j2 --junit=junit.xml suite; ended "exit 1" && has_line '^1..5$' && has_line '^ok 1 - suite/tree-2$' && has_line '^not ok 3 - suite/tree-4$' &&
		has_line '^# it did something else than was recorded$' && has_line "^# divergence at event $diverge " && has_line '^not ok 4 - suite/tree-5$' &&
		has_line '^# it cannot be replayed$' && has_line '^ok 5 - suite/tree-10$' && has_line '^# 5 recordings: 3 passed, 2 failed'
}
junit_fail() { junit "r.get('failures') == '2' and len(r[0]) == 5 and r[0][2][0].tag == 'failure' and 'divergence at event $diverge' in r[0][2][0].text"; }
check_diverges() { sandrec replay --check suite/tree-4; ended "exit 70"; }
check "replay --check: a divergence is exit status 70" check_diverges
check "test: failures" some_fail
check "test --junit: failures" junit_fail
cat >long.sh <<'SCRIPT'
i=0; while [ $i -lt 1500000 ]; do i=$((i + 1)); done
SCRIPT
record endless "exit 0" /bin/bash long.sh
too_long() { sandrec test --timeout=1 endless tree; ended "exit 1" && has_line '^# it took more than 1 s$' && has_line '^not ok 1' && has_line '^ok 2'; }
check "test --timeout" too_long

### timeline
chrome_json() {
	sandrec timeline -o tree.json tree && ended "exit 0" && prints "" || return
	python3 - tree.json "$("$SANDREC" stat --json tree | python3 -c 'import json, sys; v = json.load(sys.stdin); print(v["events"]["syscalls"] - v["events"]["images"] + 1)')" <<-'PYTHON'
		import json, sys
		events = json.load(open(sys.argv[1]))["traceEvents"]
		phases = {"X": {"ts", "dur"}, "i": {"ts", "s"}, "M": {"args"}, "s": {"id", "ts"}, "f": {"id", "ts", "bp"}}
		for e in events:
		    need = phases[e["ph"]] | {"pid", "tid", "name"}
		    assert need <= e.keys() and type(e["pid"]) == type(e["tid"]) == int, e
		    assert e.get("dur", 0) >= 0 and e.get("ts", 0) >= 0, e
		calls = [e for e in events if e.get("cat") in ("syscall", "wait", "error")]
		assert len(calls) == int(sys.argv[2]), len(calls)
		assert [e["args"]["text"] for e in calls if e["name"] == "exit_group"][-1].startswith("exit_group("), calls[-1]
		names = [e["args"]["name"] for e in events if e["name"] == "process_name"]
		assert sum("wc -l (pid " in n for n in names) == 1 and len(names) == 5, names
		assert sum(e["ph"] == "s" for e in events) == sum(e["ph"] == "f" for e in events) == 3
		for lane in {(e["pid"], e["tid"]) for e in calls}:
		    bars = [e for e in calls if (e["pid"], e["tid"]) == lane]
		    assert all(a["ts"] + a["dur"] <= b["ts"] + 0.002 for a, b in zip(bars, bars[1:])), lane
	PYTHON
}
page_data() { # EXPRESSION over v, the data in the page
	python3 - "$1" page.html <<-'PYTHON'
		import json, re, sys
		page = open(sys.argv[2]).read()
		text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1)
		v = json.loads(text)
		if "<" in text or re.search(r"(src|href)=|https?://", page.replace(text, "")) or not eval("(" + sys.argv[1] + ")"):
		    print(text[:1500])
		    sys.exit(1)
	PYTHON
}
page() {
	sandrec timeline -o page.html tree && ended "exit 0" && page_data "len(v['processes']) == 4 and len(v['births']) == 3 and not v['cut']
and sorted(p['command'] for p in v['processes'])[-1] == 'wc -l' and all(len(e) == 6 and e[0] <= e[1] for p in v['processes'] for t in p['threads'] for e in t['events'])"
}
awkward() { # what a program may be called
	record awkward "exit 0" /bin/echo '</script><script>x' '<!--' $'\xff\x01' && sandrec timeline -o page.html awkward && ended "exit 0" &&
		page_data "'</script>' in v['command']"
}
limited_page() { sandrec timeline --limit=10 -o page.html tree && ended "exit 0" && says 'first 10 events' && page_data "v['cut'] and sum(len(t['events']) for p in v['processes'] for t in p['threads']) == 10"; }
one_lane() { sandrec timeline --pid "$("$SANDREC" ps tree | awk '/wc -l$/ { print $1 }')" -o page.html tree && ended "exit 0" && page_data "len(v['processes']) == 1"; }
bad_name() { sandrec timeline -o page.txt tree; ended "exit 2" && says 'FILE.html or FILE.json'; }
in_browser() { # FRAGMENT PATTERN...: what the page says when it has been opened
	local pattern seconds=180
	limited "$T/browser" chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$T/chromium" --virtual-time-budget=20000 \
		--dump-dom "file://$T/page.html#$1" </dev/null
	for pattern in "${@:2}"; do
		grep -qE "$pattern" browser.out || { grep -o '<output.*</output>' browser.out; tail -n 5 browser.err; return 1; }
	done
}
check "timeline: JSON for Perfetto" chrome_json
check "timeline: a page" page
if have chromium; then
	check "timeline: the page in a browser" in_browser "" '<output id="state">[0-9]+ events, 4 processes, 4 lanes<' '<b id="title">/bin/bash tree.sh<'
	check "timeline: searching" in_browser "one%20line" '<output id="found">[1-9][0-9]* found<' 'process [0-9]+, thread [0-9]+, event [0-9]+: '
else
	skip "timeline: the page in a browser" "no chromium"
	skip "timeline: searching" "no chromium"
fi
check "timeline: awkward names" awkward
if have chromium; then
	check "timeline: awkward names in a browser" in_browser "" '<output id="state">[0-9]+ events, 1 process, 1 lane<'
else
	skip "timeline: awkward names in a browser" "no chromium"
fi
check "timeline --limit" limited_page
check "timeline --pid" one_lane
check "timeline: another suffix" bad_name

### ls, rm
rm -rf "$SANDREC_TRACE_DIR" && mkdir "$SANDREC_TRACE_DIR"
cp -a tree "$SANDREC_TRACE_DIR/old" && cp -a tree "$SANDREC_TRACE_DIR/new" && cp -a tree "$SANDREC_TRACE_DIR/growing" && cp moved/x "$SANDREC_TRACE_DIR/old.sandrec"
set_start() { # TRACE SECONDS: when it says it began
	python3 -c 'import json, sys; v = json.load(open(sys.argv[1])); v["start"][0] = int(sys.argv[2]); json.dump(v, open(sys.argv[1], "w"))' "$SANDREC_TRACE_DIR/$1/manifest" "$2"
}
now=$(date +%s)
set_start old $((now - 86400 * 40 - 100)) && set_start new $((now - 7300))
find "$SANDREC_TRACE_DIR"/old* "$SANDREC_TRACE_DIR/growing" -exec touch -d "@$((now - 86400 * 40))" {} + && touch "$SANDREC_TRACE_DIR/growing/events.1"
ages() { sandrec ls && ended "exit 0" && has_line '^NAME +STARTED +AGE +TOOK +SIZE +OUTCOME +COMMAND$' && has_line '^old +.* 40d +[0-9.]+ s +[0-9.]+M  exit 3 ' && has_line '^new .* 2h '; }
ages_json() { sandrec ls --json && ended "exit 0" && json "[40 * 86400 < r['age_s'] < 41 * 86400 for r in v if r['name'] == 'old'] == [True] and all(r['bytes'] > 0 for r in v)"; }
dry_run() { sandrec rm -n --older-than=30d && ended "exit 0" && prints "$SANDREC_TRACE_DIR/old"$'\n'"$SANDREC_TRACE_DIR/old.sandrec" && [ -d "$SANDREC_TRACE_DIR/old" ]; }
old_go() { sandrec rm --older-than=30d && ended "exit 0" && [ "$(ls "$SANDREC_TRACE_DIR")" = $'growing\nnew' ]; }
rm_line() { sandrec rm "$@"; ended "exit 2" && [ "$(ls "$SANDREC_TRACE_DIR")" = $'growing\nnew' ]; }
check "ls: ages and sizes" ages
check "ls --json" ages_json
check "rm --older-than --dry-run" dry_run
check "rm --older-than: not what was written since" old_go
check "rm: nothing named" rm_line
check "rm: an age without a unit" rm_line --older-than=30
check "rm: ages and names do not mix" rm_line --older-than=30d new
rm_named() { sandrec rm new && ended "exit 0" && [ "$(ls "$SANDREC_TRACE_DIR")" = growing ]; }
check "rm: by name" rm_named

### dump --json
schema() { sandrec dump --json "$1" && ended "exit 0" && python3 "$top_srcdir/tests/tools/json_schema.py" "$top_srcdir/doc/dump.schema.json" <last.out; }
other_schema() { ! echo "$1" | python3 "$top_srcdir/tests/tools/json_schema.py" "$top_srcdir/doc/dump.schema.json"; }
[ -x "$guest_bin/thread_basic" ] && record threads "exit 0" "$guest_bin/thread_basic"
record signals "exit 0" "$guest_bin/sig_realtime"
for t in tree counter awkward signals $([ -d threads ] && echo threads); do check "dump --json is as its schema says: $t" schema $t; done
check "the schema refuses what it should" other_schema '{"event": 0, "process": 1, "pid": 1, "tid": 1, "time_ns": 1, "type": "tsc", "result": 5}'
check "the schema refuses what it does not know" other_schema '{"event": 0, "process": 1, "pid": 1, "tid": 1, "time_ns": 1, "type": "tsc", "result": "0x5", "more": 1}'

### run --inject
counter=$top_builddir/tests/tools/counter
# injected NAME STATUS OUTPUT LINES RULE... -- PROG...: the program sees it, dump says so, replay and verify agree
injected() {
	local name=$1 status=$2 out=$3 lines=$4 rules=()
	shift 4
	while [ "$1" != -- ]; do rules+=("--inject=$1"); shift; done
	rm -rf injected
	limited "$T/run" "$SANDREC" run -o injected "${rules[@]}" "$@" </dev/null
	[ "$(cat run.status)" = "$status" ] && [ "$(cat run.out)" = "$out" ] || { echo "run: $(cat run.status)"; cat run.out run.err; return 1; }
	sandrec dump injected && [ "$(grep -c ' (INJECTED)$' last.out)" = "$lines" ] || { grep INJECTED last.out; return 1; }
	sandrec replay injected && ended "$status" && prints "$out" && sandrec replay --check injected && ended "exit 0" && sandrec verify -q injected && ended "exit 0"
}
c_injected() { check "run --inject: $1" injected "$@"; }
c_injected "an error" "exit 1" "0" 1 "getppid:errno=EIO:when=2" -- "$counter" 3
c_injected "errors from one call on" "exit 1" "0" 1 "write,pwrite64:error=5:when=2+" -- "$counter" 3
c_injected "a value" "exit 0" $'1\n2' 1 "write:retval=2:when=1" -- "$counter" 3
c_injected "a mapping that fails" "exit 0" $'0\n1\n2' 1 "mmap:errno=ENOMEM:when=2" -- "$counter" 3
c_injected "mprotect that fails" "exit 127" "" 1 "mprotect:errno=EACCES:when=1" -- "$counter" 3
c_injected "each process counts for itself" "exit 1" $'0\n0' 2 "getppid:errno=EIO:when=2" -- /bin/sh -c "$counter 2; $counter 2"
c_injected "over execve" "exit 1" "0" 1 "getppid:errno=EIO:when=3" -- /bin/sh -c "exec $counter 3"
c_injected "several rules" "exit 1" "0" 2 "getppid:retval=7:when=1" "getppid:errno=EPERM:when=2" -- "$counter" 3
c_injected "a signal" "signal 10" "0" 0 "getppid:signal=USR1:when=2" -- "$counter" 3
c_injected "a signal that is caught" "exit 0" $'one\ngot USR1\ntwo' 0 "write:signal=SIGUSR1:when=1" -- /bin/sh -c 'trap "echo got USR1" USR1; echo one; echo two'
c_injected "a delay" "exit 0" "0" 0 "write:delay=300ms" -- "$counter" 1
delay_seen() { sandrec stat --json injected && json "[c['time_ns'] > 290000000 for c in v['syscalls'] if c['name'] == 'write'] == [True]"; }
check "run --inject: the delay shows in the times" delay_seen
injected_json() { injected json "exit 1" "0" 1 "getppid:errno=EACCES:when=2" -- "$counter" 3 && schema injected && grep -q '"error":"EACCES","text":"-1 EACCES (Permission denied) (INJECTED)","injected":true' last.out; }
check "run --inject: in JSON" injected_json
bad_rule() { sandrec run --inject="$1" -- /bin/true; ended "exit 125" && says "$2" && [ "$(wc -l <last.err)" = 2 ]; }
check "run --inject: no such call" bad_rule "opeat:errno=EIO" 'there is no call named `opeat`'
check "run --inject: nothing said" bad_rule "openat" 'does not say what is to happen'
check "run --inject: a wrong error" bad_rule "openat:errno=EFOO" '`errno=EFOO` is none of'
unrecorded() { sandrec run --no-record --inject=getppid:errno=EIO:when=2 -- "$counter" 3; ended "exit 1" && prints 0; }
check "run --no-record --inject" unrecorded

done_testing
