#!/bin/bash
# Recordings of several processes as the commands show them: ps, info, dump, replay of one process.
. "$(dirname "$0")/lib.sh"
require_sandrec
cd "$T" || exit 99

cat >pipeline.sh <<'EOF'
echo start
printf 'one\ntwo\n' | tr a-z A-Z | wc -l
(echo subshell; exit 3)
echo "subshell: $?"
(kill -TERM $BASHPID)
(kill -KILL $BASHPID)
exit 5
EOF
limited "$T/run" "$SANDREC" run -o tree -- /bin/bash pipeline.sh </dev/null
[ "$(cat run.status)" = "exit 5" ] || { diag "$(cat run.status)"; show_file run.err; bail_out "the pipeline was not recorded"; }

sandrec() { limited "$T/last" "$SANDREC" "$@" </dev/null; }
ended() { [ "$(cat "$T/last.status")" = "$1" ] || { echo "ended with $(cat "$T/last.status"), not $1"; cat "$T/last.err"; false; }; }
prints() { [ "$(cat "$T/last.out")" = "$1" ] || { echo "printed:"; cat "$T/last.out"; false; }; }
# json EXPRESSION: with the command's output as v, one JSON text; jsonl: with a list of the lines
json() { python3 -c "import json, sys; v = json.load(sys.stdin); sys.exit(not ($1))" <"$T/last.out"; }
jsonl() { python3 -c "import json, sys; v = [json.loads(l) for l in sys.stdin]; sys.exit(not ($1))" <"$T/last.out"; }
# stream_of PID: the number of its stream
stream_of() { "$SANDREC" ps --json "${2-tree}" | python3 -c "import json, sys; print([p['number'] for p in json.load(sys.stdin) if p['pid'] == $1][-1])"; }
# pid_of PATTERN: the last process whose line in ps has it
pid_of() { "$SANDREC" ps tree | awk -v pattern="$1" '$0 ~ pattern { print $1 }' | tail -n 1; }

### ps
root=$(pid_of 'exit 5') tr=$(pid_of '_ tr a-z A-Z$') wc=$(pid_of '_ wc -l$') sub=$(pid_of 'exit 3') killed=$(pid_of SIGTERM) dead=$(pid_of SIGKILL)
tree_shape() {
	sandrec ps tree && ended "exit 0" && [ "$(wc -l <last.out)" = 8 ] || { cat last.out; return 1; }
	[ "$(sed -n 2p last.out | awk '{ print $1, $6, $7 }')" = "$root /bin/bash pipeline.sh" ] || { cat last.out; return 1; }
	[ "$(tail -n +3 last.out | awk '{ print $2 }' | sort -u)" = "$root" ] || { echo "parents:"; cat last.out; return 1; }
}
outcomes() {
	[ "$(tail -n +2 last.out | awk '{ print $4 == "exit" ? $4 $5 : $4 }' | sort | uniq -c | awk '{ print $1 ":" $2 }' |
		tr '\n' ' ')" = "1:SIGKILL 1:SIGTERM 3:exit0 1:exit3 1:exit5 " ] || { cat last.out; return 1; }
}
ps_json() {
	sandrec ps --json tree && ended "exit 0" || return
	json "len(v) == 7 and v[0]['pid'] == $root and v[0]['argv'] == ['/bin/bash', 'pipeline.sh'] and v[0]['status'] >> 8 == 5
and all(p['ppid'] == $root for p in v[1:]) and all(p['intact'] and p['events'] > 1 and p['bytes'] > 0 for p in v)
and sorted(p['argv'] for p in v if p['images'])[1:] == [['tr', 'a-z', 'A-Z'], ['wc', '-l']]
and [p['start_ns'] for p in v] == sorted(p['start_ns'] for p in v)"
}
check "ps: the children stand below the process that made them" tree_shape
check "ps: each line says how the process ended" outcomes
check "ps: the command line is that of the last program" [ -n "$tr" -a -n "$wc" ]
check "ps --json: the same for programs" ps_json

### info
info_lists() {
	sandrec info tree && ended "exit 0" && [ "$(grep -c '^process ' last.out)" = 7 ] &&
		grep -qE "^process +$root \(bash\), [0-9]+ events in [0-9.]+K, exited with 5$" last.out || { cat last.out; return 1; }
}
info_json() { sandrec info --json tree && json "len(v['processes']) == 7 and all(p['bytes'] > 0 for p in v['processes'])"; }
check "info: processes with their sizes" info_lists
check "info --json" info_json

### dump
lines() { sandrec dump tree && ended "exit 0" && [ ! -s last.err ]; }
has_line() { grep -qE -- "$1" last.out || { echo "no line $1"; head -n 5 last.out; return 1; }; }
check "dump: a tree" lines
check "dump: the first program image" \
	has_line "^0 \[pid $root\] execve\(\"/bin/bash\", \[\"/bin/bash\", \"pipeline.sh\"\], "
check "dump: a process that was made" has_line "^0 \[pid $tr\] --- made by process $root ---$"
check "dump: a program image in a child" \
	has_line "^[0-9]+ \[pid $tr\] execve\(\".*/tr\", \[\"tr\", \"a-z\", \"A-Z\"\], .* = 0$"
check "dump: the call that made it" has_line "^[0-9]+ \[pid $root\] clone\(.*\) = $tr$"
check "dump: how its end is heard of" has_line "^[0-9]+ \[pid $root\] --- SIGCHLD .*si_pid=[0-9]+.* ---$"
check "dump: an end" has_line "^[0-9]+ \[pid $root\] \+\+\+ exited with 5 \+\+\+$"
check "dump: a death" has_line "^[0-9]+ \[pid $killed\] \+\+\+ killed by SIGTERM \+\+\+$"
one_exec() { [ "$(grep -c "\[pid $tr\] execve(.* = 0$" last.out)" = 1 ] || { grep "execve(" last.out; return 1; }; }
check "dump: an execve is one line" one_exec
by_time() {
	sandrec dump --json tree && ended "exit 0" || return
	jsonl "[e['time_ns'] for e in v] == sorted(e['time_ns'] for e in v) and {e['type'] for e in v} >= {'fork', 'exec', 'exit'}
and all(e['parent'] == $root for e in v if e['type'] == 'fork') and len({e['pid'] for e in v}) == 7"
}
numbered() { jsonl "sorted(e['order'] for e in v if 'order' in e) == list(range(6))"; }
whole() {
	python3 - last.out <<-'EOF'
		import collections, json, sys
		events = collections.defaultdict(list)
		for line in open(sys.argv[1]):
		    e = json.loads(line)
		    events[e["pid"]].append(e["event"])
		sys.exit(any(n != list(range(len(n))) for n in events.values()))
	EOF
}
check "dump --json: the processes are merged by time" by_time
check "dump --json: output is numbered over all processes" numbered
check "dump --json: no event of any process is left out" whole
one_pid() {
	sandrec dump --pid "$wc" tree && ended "exit 0" && [ "$(awk '{ print $2 }' last.out | sort -u)" = "$wc" ] &&
		has_line "^0 $wc --- made by process $root ---$"
}
range() { sandrec dump --from 1 --to 2 tree && [ "$(wc -l <last.out)" = 14 ] || { cat last.out; return 1; }; }
execs() { sandrec dump --syscall execve tree && [ "$(wc -l <last.out)" -ge 3 ] && ! grep -v 'execve(' last.out; }
nobody() { sandrec dump --pid 1 tree; ended "exit 1" && grep -q 'no process 1$' last.err; }
check "dump --pid: one process, without brackets" one_pid
check "dump --from, --to: event numbers of each process" range
check "dump --syscall execve: program images" execs
check "dump --pid: no such process" nobody

### replay of one process
mkdir elsewhere && mv pipeline.sh elsewhere/
whole_replay() { sandrec replay tree && ended "exit 5" && prints $'start\n2\nsubshell\nsubshell: 3'; }
alone() { sandrec replay -p "$1" tree && ended "$2" && prints "$3" && ! grep sandrec last.err || { cat last.err; return 1; }; }
check "replay: all processes" whole_replay
check "replay -p: the first process" alone "$root" "exit 5" $'start\nsubshell: 3'
check "replay -p: a program at the end of a pipe" alone "$wc" "exit 0" 2
check "replay -p: one that wrote into a pipe" alone "$tr" "exit 0" ""
check "replay -p: a subshell" alone "$sub" "exit 3" subshell
check "replay -p: one that was killed" alone "$killed" "signal 15" ""
no_such() { sandrec replay -p 1 tree; ended "exit 1" && grep -q 'no process 1$' last.err; }
check "replay -p: one that was killed for good" alone "$dead" "signal 9" ""
check "replay -p: no such process" no_such
without_others() { cp -a tree less && rm "less/events.$(stream_of "$tr")" && sandrec replay -p "$wc" less && ended "exit 0" && prints 2; }
check "replay -p: what it does not need may be missing" without_others

### damage in one process
damaged() {
	cp -a tree damaged && printf '\0\0\0' | dd of="damaged/events.$(stream_of "$wc")" bs=1 seek=2000 conv=notrunc status=none
	sandrec replay damaged; ended "exit 1" && grep -q "^sandrec: process $wc: trace damaged" last.err || { cat last.err; return 1; }
	sandrec ps damaged && grep -q "^ *$wc .* damaged .*_ " last.out || { cat last.out; return 1; }
	sandrec replay -p "$sub" damaged && ended "exit 3" && prints subshell
}
missing() { sandrec replay less; ended "exit 1" && grep -q "^sandrec: process $tr: " last.err || { cat last.err; return 1; }; }
check "a damaged stream: replay fails and names the process; others can be replayed" damaged
check "a missing stream: replay fails and names the process" missing

# A child in its parent's memory (vfork) has to run though nobody asked for it.
cat >spawn.py <<'EOF'
import subprocess
print(subprocess.run(["/bin/echo", "from the child"]).returncode, flush=True)
raise SystemExit(7)
EOF
limited "$T/run" "$SANDREC" run -o spawned -- /usr/bin/python3 -S spawn.py </dev/null
parent=$("$SANDREC" ps spawned | awk 'NR == 2 { print $1 }') child=$("$SANDREC" ps spawned | awk 'NR == 3 { print $1 }')
vforks() { [ "$(cat run.status)" = "exit 7" ] && sandrec dump --pid "$parent" spawned && has_line "vfork\(|CLONE_VFORK"; }
spawned() { sandrec replay -p "$1" spawned && ended "$2" && prints "$3"; }
if [ -x /usr/bin/python3 ]; then
	check "python3 uses vfork" vforks
	check "replay -p: the parent of a vfork" spawned "$parent" "exit 7" 0
	check "replay -p: the child of a vfork" spawned "$child" "exit 0" "from the child"
else
	skip "replay -p: the parent and the child of a vfork" "no python3"
fi

### a pid that several processes have, one after the other
cat >again.py <<'EOF'
import os, sys
def child(n):
    pid = os.fork()
    if not pid:
        print("child", n, flush=True)
        os._exit(n)
    os.waitpid(pid, 0)
    return pid
first, n = child(1), 1
while n < 4:
    for i in range(500):
        with open("/proc/sys/kernel/ns_last_pid", "w") as f:
            f.write(str(first - 1))
        pid = os.fork()
        if not pid:
            if os.getpid() == first:
                print("child", n + 1, flush=True)
                os._exit(n + 1)
            os._exit(0)
        os.waitpid(pid, 0)
        if pid == first:
            break
    else:
        sys.exit("the pid was always taken")
    n += 1
print(first)
EOF
names_of() { "$SANDREC" ps again | awk -v pid="$1" 'index($1, pid ".") == 1 { print $1, $5 }' | sort | tr '\n' ' '; }
thrice() {
	pid=$(tail -n 1 run.out)
	[ "$(names_of "$pid")" = "$pid.1 1 $pid.2 2 $pid.3 3 $pid.4 4 " ] || { "$SANDREC" ps again; return 1; }
	sandrec replay again && ended "exit 0" && cmp run.out last.out
}
by_name() {
	sandrec replay -p "$pid" again && ended "exit 4" && prints "child 4" || return
	sandrec replay -p "$pid.2" again && ended "exit 2" && prints "child 2" || return
	sandrec dump --pid "$pid.3" again && ended "exit 0" && has_line "exit_group\\(3\\)" || return
	sandrec dump again && has_line "\\[pid $pid\\.1\\] " || return
	sandrec replay -p "$pid.5" again; ended "exit 1" && grep -q "no process $pid.5$" last.err || return
	sandrec dump --pid x again; ended "exit 1" && grep -q "not a process" last.err
}
limited "$T/run" "$SANDREC" run -o again -- /usr/bin/python3 -S again.py </dev/null
if [ "$(cat run.status)" = "exit 0" ]; then
	check "a pid used four times: ps tells them apart, replay runs all" thrice
	check "replay -p, dump --pid: PID is the last, PID.N the Nth" by_name
else
	skip "a pid used four times" "$(tail -n 1 run.err)"
fi

### a terminal sees how far a long replay is; a pipe does not
printf 'import os\nfor i in range(%d): os.getppid()\nprint("done")\n' 30000 >long.py
limited "$T/run" "$SANDREC" run -o long -- /bin/bash -c '/usr/bin/python3 -S long.py; exit 9' </dev/null
quiet_pipe() { sandrec replay long && ended "exit 9" && prints done && [ ! -s last.err ]; }
on_terminal() {
	local start=${EPOCHREALTIME/./}
	TERM=xterm script -qec "$SANDREC replay long" typescript </dev/null >/dev/null
	if ((${EPOCHREALTIME/./} - start > 1800000)); then
		grep -aq 'sandrec: replaying: [0-9]* of [0-9]* events, [0-9]* %' typescript || { echo "no progress"; cat -A typescript; return 1; }
	fi
	grep -aqE $'(^|\r\e\[K)done\r$' typescript || { echo "not wiped"; cat -A typescript; return 1; }
}
check "replay: nothing but the program's output on a pipe" quiet_pipe
if have script; then check "replay: progress on a terminal" on_terminal; else skip "replay: progress on a terminal" "no script"; fi
cut_short() {
	local child
	child=$("$SANDREC" ps long | awk 'NR == 3 { print $1 }')
	truncate -s -9 "long/events.$(stream_of "$child" long)"
	# How much was in the last frame, which the cut has damaged, depends on the time: the output is whole or absent.
	sandrec replay -p "$child" long && ended "exit 0" && { prints "" || prints done; } && grep -q '^sandrec: .*long ends after event ' last.err ||
		{ cat last.err; return 1; }
	sandrec ps long && grep -q 'cut short .*_ /usr/bin/python3' last.out
}
check "replay -p, ps: a recording that was cut says so" cut_short
done_testing
