#!/bin/bash
# Process trees of real programs: native = recorded = replayed, twice, with the work directory gone.
# SANDREC_TEST_FULL=1 also runs this project's configure script.
. "$(dirname "$0")/lib.sh"
require_sandrec
seconds=120
export HOME=$T/home GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat PYTHONDONTWRITEBYTECODE=1 PERL_HASH_SEED=0 PYTHONHASHSEED=0
export GIT_AUTHOR_DATE='@1500000000 +0100' GIT_COMMITTER_DATE='@1500000000 +0100'
export GIT_AUTHOR_NAME=Tester GIT_AUTHOR_EMAIL=tester@example.org GIT_COMMITTER_NAME=Tester
export GIT_COMMITTER_EMAIL=tester@example.org
mkdir "$HOME"

program() { if have "$2"; then same_three "$@"; else skip "$1" "no $2 here"; fi; }
replayed() { if have "$2"; then same_replays "$@"; else skip "$1" "no $2 here"; fi; }

### shells
script() { # NAME: bash runs what is on standard input
	cat >"$T/script"
	same_three "bash: $1" bash "$T/script"
}
setup=:
script pipelines <<'END'
seq 2000 | grep 7 | sort -rn | sed 's/7/seven/' | head -n 40 | wc -c
seq 300000 | (read -r a; read -r b; echo "$a $b"; tail -n 1)
set -o pipefail; false | true; echo $?; true | cat; echo "${PIPESTATUS[@]}"
yes | head -n 3; echo "${PIPESTATUS[@]}"
END
script 'subshells and substitutions' <<'END'
x=1; (x=2; echo $x; (x=3; echo $x; exit 4); echo $?); echo $x
echo "$(echo one; echo two | tr a-z A-Z)" "$(< /dev/null)"
diff <(seq 5) <(seq 2 6); echo $?
{ echo err >&2; echo out; } 2>&1 | cat
while read -r n; do s=$((s + n)); done < <(seq 100); echo $s
coproc cat; echo through >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"
END
script here-documents <<'END'
cat <<-A | tr a-z A-Z
	one $((6 * 7)) $(echo two)
	A
cat <<'B'
$not expanded
B
cat <<< "a here-string"
f() { cat >&3; }; f 3>&1 <<C
$(seq 3)
C
END
script 'background jobs and traps' <<'END'
exec 2>/dev/null # bash names its children there
trap 'echo exit trap $?' EXIT
trap 'echo got USR1' USR1
kill -USR1 $$; sleep 0.05 & wait $!; echo $?
(trap 'echo in the subshell; exit 6' TERM; kill -TERM $BASHPID; echo no); echo $?
sleep 10 & kill %1; wait %1; echo $?
for i in 1 2 3 4; do (exit $i) & pids[i]=$!; done
for i in 4 2 1 3; do wait "${pids[i]}"; echo $?; done
(echo first; exec cat /nonexistent) 2>&1; echo $?
bash -c 'kill -9 $$' 2>/dev/null; echo $?; sh -c 'exit 300'; echo $?
ulimit -n 77; bash -c 'ulimit -n'; umask 077; sh -c umask
exit 3
END
script 'errors and PATH' <<'END'
no-such-program; echo $?; /etc/passwd; echo $?; /nonexistent; echo $?
printf 'echo script without a first line $1\n' >plain; chmod +x plain; ./plain arg; PATH=. plain arg
printf '#!/usr/bin/env bash\necho $0 $*; exit 5\n' >env; chmod +x env; ./env 1 2; echo $?
command -v ls; type -t ls; hash -r; env -i A=b env; exec 5<plain; read -r line <&5; echo "$line"; cat <&5
END
program "xargs -P2" sh -c 'seq 40 | xargs -n1 -P2 sh -c "echo \$((\$0 * \$0))" | sort -n'
program "find -exec" sh -c 'mkdir d && touch d/a d/b d/c && find d -type f -exec sh -c "echo file \$0" {} \; | sort; find d -exec echo {} + | wc -w'
program "an orphan that prints" sh -c 'sh -c "(sleep 0.2; echo orphan) & echo parent" | cat'
program "busybox sh" busybox sh -c 'busybox seq 20 | busybox sort -rn | while read n; do echo -n "$n "; done; echo; (exit 7); echo $?'

### compilers
make_project() {
	local i
	for ((i = 0; i < 30; i++)); do
		printf '#include <stdio.h>\n#include "all.h"\nint f%d(int n) { return n * %d + (int)sizeof(FILE) %% 2; }\n' $i $i >f$i.c
		printf 'int f%d(int n);\n' $i >>all.h
	done
	{ echo '#include <stdio.h>'; echo '#include "all.h"'; echo 'int main(void) { int s = 0;'
	  for ((i = 0; i < 30; i++)); do echo "s += f$i($i);"; done; echo 'printf("%d\n", s); return 0; }'; } >main.c
	cat >Makefile <<-'MAKE'
	objects := $(patsubst %.c,%.o,$(sort $(wildcard *.c)))
	prog: $(objects)
		@$(CC) -o $@ $(objects)
		@./prog; echo done
	%.o: %.c all.h
		@$(CC) -O1 -c -o $@ $<
	MAKE
}
setup=make_project
program "make -j2 with 30 files" make -s -j2
program "gcc -v -save-temps" sh -c 'gcc -save-temps -c f1.c && ls f1.* && gcc -c nonexistent.c; echo $?'
setup=:

### programs that make processes
program "perl: fork and waitpid" perl -e '$| = 1; for $i (1..5) { if (!($p = fork)) { print "child $i\n"; exit $i } waitpid $p, 0; print $? >> 8, "\n" }
	print `echo back-ticks`; open P, "|-", "tr a-z A-Z"; print P "to a pipe\n"; close P; system "exit 3"; print $? >> 8, "\n"; exec "echo", "the end"'
program "python3: subprocess" python3 -c '
import subprocess as s, sys, os
print(s.run(["echo", "one"], capture_output=True).stdout, s.call("exit 3", shell=True))
print(s.run([sys.executable, "-c", "import sys; print(sys.stdin.read().upper())"], input="text", text=True, capture_output=True).stdout)
try: s.run(["/nonexistent"])
except FileNotFoundError as e: print(e)
p = s.Popen(["cat"], stdin=s.PIPE, stdout=s.PIPE, close_fds=True, start_new_session=True); print(p.communicate(b"x" * 100)[0][:5])
for i in range(20): p = s.Popen(["sleep", "10"]); p.kill(); p.wait()
print(p.returncode); print(os.system("exit 9"), os.popen("echo popen").read())'
tests() {
	cat >test_processes.py <<-'PY'
	import multiprocessing, os, subprocess, sys, unittest
	def square(n): return n * n
	def put(pipe): pipe.send([os.getpid() != 0, "from a process"]); sys.exit(4)
	class Processes(unittest.TestCase):
	    def test_fork(self):
	        pid = os.fork()
	        if not pid: os._exit(5)
	        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 5)
	    def test_subprocess(self):
	        self.assertEqual(subprocess.check_output("echo a | tr a b", shell=True), b"b\n")
	    def test_spawn(self):
	        pid = os.posix_spawn("/bin/true", ["true"], os.environ)
	        self.assertEqual(os.waitpid(pid, 0)[1], 0)
	    def method(self, name):
	        c = multiprocessing.get_context(name)
	        here, there = c.Pipe()
	        p = c.Process(target=put, args=(there,)); p.start()
	        self.assertEqual(here.recv(), [True, "from a process"]); p.join(); self.assertEqual(p.exitcode, 4)
	    def test_multiprocessing_fork(self): self.method("fork")
	    def test_multiprocessing_spawn(self): self.method("spawn")
	PY
}
setup=tests
program "python3 -m unittest" sh -c 'python3 -m unittest -v test_processes 2>&1 | sed "s/ in [0-9.]*s$//"'
setup=:
program "tar, gzip and tar" sh -c 'tar -cf - --sort=name -C /usr/include linux | gzip -c1 | (mkdir x && tar -xzf - -C x) && ls x/linux | wc -l && tar -czf a.tgz -C x linux && tar -tzf a.tgz | wc -l'
replayed "ssh-keygen" sh -c 'ssh-keygen -q -t ed25519 -N "" -f key && cat key.pub && ssh-keygen -lf key.pub'
program "sqlite3, two processes" sh -c 'sqlite3 db "create table t (a)"; for i in 1 2 3 4 5; do
	sqlite3 -cmd ".timeout 20000" db "insert into t values ($i)" & sqlite3 -cmd ".timeout 20000" db "insert into t values (10 * $i)"; wait; done; sqlite3 db "select sum(a), count(*) from t"'

### git
make_repository() {
	git init -q -b main "$T/repository" && cd "$T/repository" || return 1
	for i in $(seq 20); do seq "$((i * 10))" >"file$((i % 4))" && git add . && git commit -qm "Change number $i" || return 1; done
}
if have git && (make_repository) >/dev/null 2>&1; then
	program "git clone, commit, gc, log" bash -c 'git clone -q --no-hardlinks '"$T/repository"' c 2>&1; cd c; echo more >file1
		git commit -qam "One more"; git -c pack.threads=1 gc -q; git --no-pager log --oneline | tail -n 3; git fsck 2>&1; git status --short | wc -l'
	program "git rebase" bash -c 'git clone -q '"$T/repository"' c 2>&1; cd c; git checkout -q -b side HEAD~3; echo x >new; git add new
		git commit -qm Side; git rebase -q main 2>&1; git --no-pager log --format=%s | head -n 3; git stash list; git show --stat HEAD | cat'
else
	skip "git clone, commit, gc, log" "no git here"
fi

### job control in a terminal
# The transcript of the terminal is the output; carriage returns are the line discipline's.
in_terminal() {
	"$limit_tool" 60 "$T/tty.status" python3 "$top_srcdir/tests/tools/pty_session.py" "$@" | tr -d '\r'
}
interactive() {
	local transcript lines=('sleep 30 &>/dev/null & disown -h' 'seq 3 | tac' 'jobs | wc -l' 'kill %1; wait %1 2>/dev/null; echo $?'
		'sh -c "kill -STOP \$\$; echo continued"' 'fg' 'bash -c "exit 9"; echo $?' 'stty -a | grep -c isig' 'exit 5')
	fresh_work
	in_terminal "${lines[@]}" -- bash --norc --noprofile >"$T/native.out"
	cp "$T/tty.status" "$T/native.status"
	fresh_work
	in_terminal "${lines[@]}" -- "$SANDREC" run -q -o "$T/trace" -- bash --norc --noprofile >"$T/recorded.out"
	cp "$T/tty.status" "$T/recorded.status"
	: >"$T/native.err" >"$T/recorded.err" >"$T/replay1.err"
	# The numbers of processes are in what bash says about jobs.
	sed -i 's/^\(\[[0-9]*\]\) [0-9]*$/\1/' "$T/native.out" "$T/recorded.out"
	# What was typed before bash read it has been echoed by the terminal: how much of it is chance.
	printf '%s\n' "${lines[@]}" >"$T/typed"
	for transcript in native recorded; do
		grep -vxF -f "$T/typed" "$T/$transcript.out" >"$T/filtered"
		mv "$T/filtered" "$T/$transcript.out"
	done
	same_output "$T/native" "$T/recorded" || return 1
	"$limit_tool" 60 "$T/replay1.status" "$SANDREC" replay "$T/trace" </dev/null 2>&1 | tr -d '\r' |
		sed 's/^\(\[[0-9]*\]\) [0-9]*$/\1/' | grep -vxF -f "$T/typed" >"$T/replay1.out"
	same_output "$T/native" "$T/replay1"
}
if have python3; then
	export HISTFILE=/dev/null TERM=dumb INPUTRC=/dev/null
	check "bash: job control in a terminal" interactive
	rm -rf "$T/trace"
else
	skip "bash: job control in a terminal" "no python3 here"
fi

### a server
# nginx as root would change its user; its worker answers curl, which runs natively.
nginx_files() {
	mkdir -p www logs && seq 5000 >www/page
	cat >nginx.conf <<-END
	daemon off; master_process on; worker_processes 1; user root; pid $work/pid; error_log stderr error;
	events { worker_connections 64; }
	http { access_log off; client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3;
	uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
	server { listen unix:$work/socket; root $work/www; } }
	END
}
serve() {
	local i server ok=0
	rm -rf "$T/trace"
	fresh_work && nginx_files
	"$limit_tool" 60 "$T/recorded.status" "$SANDREC" run -o "$T/trace" -- nginx -p "$work" -c "$work/nginx.conf" \
		>"$T/recorded.out" 2>"$T/recorded.err" </dev/null &
	server=$!
	for ((i = 0; i < 100; i++)); do [ -S "$work/socket" ] && break; sleep 0.1; done
	for ((i = 0; i < 200; i++)); do
		curl -sS --max-time 10 --unix-socket "$work/socket" http://localhost/page | cmp -s - "$work/www/page" && ok=$((ok + 1))
	done
	kill -QUIT "$(cat "$work/pid")"
	wait $server
	cd "$T" || return 1
	[ $ok = 200 ] || { echo "$ok of 200 requests were answered"; cat "$T/recorded.err"; return 1; }
	run_replays && same_output "$T/recorded" "$T/replay1" && same_output "$T/recorded" "$T/replay2"
}
if have nginx && have curl; then check "nginx, 200 requests" serve; else skip "nginx, 200 requests" "no nginx or no curl here"; fi
rm -rf "$T/trace"

# redis-server saves in a child that shares its memory copy-on-write, while it goes on answering.
redis_session() {
	local i server cli="redis-cli -s $work/socket"
	rm -rf "$T/trace"
	fresh_work
	"$limit_tool" 100 "$T/recorded.status" "$SANDREC" run -o "$T/trace" -- redis-server --port 0 --unixsocket "$work/socket" \
		--save '' --dir "$work" >"$T/recorded.out" 2>"$T/recorded.err" </dev/null &
	server=$!
	for ((i = 0; i < 300; i++)); do [ -S "$work/socket" ] && $cli ping >/dev/null 2>&1 && break; sleep 0.1; done
	for ((i = 0; i < 50; i++)); do echo "set key:$i $i"; done | $cli >/dev/null
	$cli bgsave >/dev/null
	for ((i = 50; i < 100; i++)); do echo "set key:$i $i"; done | $cli >/dev/null
	for ((i = 0; i < 300; i++)); do $cli info persistence | grep -q 'rdb_bgsave_in_progress:0' && break; sleep 0.1; done
	[ "$($cli dbsize)" = 100 ] && [ "$($cli get key:77)" = 77 ] && [ -s "$work/dump.rdb" ] || { echo "no answers"; kill $server; return 1; }
	$cli shutdown nosave
	wait $server
	cd "$T" || return 1
	run_replays && same_output "$T/recorded" "$T/replay1" && same_output "$T/recorded" "$T/replay2"
}
if have redis-server && have redis-cli; then
	check "redis-server with a background save" redis_session
else
	skip "redis-server with a background save" "no redis here"
fi
rm -rf "$T/trace"

### killed
# Whatever was recorded before a tree was killed replays.
RANDOM=1234
killed_tree() {
	local supervisor wait
	rm -rf "$T/trace"
	fresh_work
	"$SANDREC" run -o "$T/trace" -- bash -c 'for ((i = 0; ; i++)); do echo $i | cat; (echo sub $i; true) & done' >/dev/null 2>&1 </dev/null &
	supervisor=$!
	wait=$((RANDOM % 700))
	sleep "$(printf '0.%03d' $wait)"
	if [ "$1" = supervisor ]; then
		kill -9 $supervisor
	else
		read -r first _ <"/proc/$supervisor/task/$supervisor/children"
		kill -9 "${first:-$supervisor}"
	fi
	wait $supervisor 2>/dev/null
	[ -d "$T/trace" ] && [ -n "$(find "$T/trace" -name 'manifest*')" ] || return 0
	limited "$T/replay1" "$SANDREC" replay "$T/trace" </dev/null
	case $(cat "$T/replay1.status") in
	'exit 70' | timeout | 'signal 11' | 'signal 6') echo "killed after $wait ms: $(cat "$T/replay1.status")"; head -n 5 "$T/replay1.err"; return 1 ;;
	esac
}
killed_trees() {
	local i bad=0
	for ((i = 0; i < 10; i++)); do killed_tree "$1" || bad=$((bad + 1)); done
	[ $bad = 0 ]
}
check "a tree whose first process is killed, 10 times" killed_trees program
check "a tree whose supervisor is killed, 10 times" killed_trees supervisor

# Processes that outlive the supervisor, and those they make then, go on, with more to log than a ring holds.
outlive() {
	local supervisor i
	rm -rf "$T/trace"
	fresh_work
	"$SANDREC" run -o "$T/trace" -- sh -c '(while [ ! -e go ]; do sleep 0.05; done
		for i in 1 2 3 4 5 6 7 8; do head -c 3000000 /dev/zero | wc -c; done >counts; mv counts finished) & echo >started; while [ ! -e finished ]; do sleep 0.1; done' \
		>/dev/null 2>"$T/recorded.err" </dev/null &
	supervisor=$!
	for ((i = 0; i < 600; i++)); do [ -e started ] && break; sleep 0.1; done
	kill -9 $supervisor
	wait $supervisor 2>/dev/null
	: >go
	for ((i = 0; i < 600; i++)); do [ -e finished ] && break; sleep 0.1; done
	[ "$(grep -c '^3000000$' finished)" = 8 ] || { echo "after 60 s:"; ls; cat "$T/recorded.err"; return 1; }
	limited "$T/replay1" "$SANDREC" replay "$T/trace" </dev/null
	case $(cat "$T/replay1.status") in
	'exit 70' | timeout | 'signal 11' | 'signal 6') cat "$T/replay1.status"; head -n 5 "$T/replay1.err"; return 1 ;;
	esac
}
check "processes go on without the supervisor, and make others" outlive

### this project's own configure
if [ "${SANDREC_TEST_FULL-}" = 1 ] && [ -x "$top_srcdir/configure" ]; then
	seconds=600
	replayed "configure" bash "$(cd "$top_srcdir" && pwd)/configure" --quiet
else
	skip "configure" "only with SANDREC_TEST_FULL=1"
fi
done_testing
