#!/bin/bash
# Programs of a Debian system: native = recorded = replayed.
# SANDREC_TEST_FULL=1 walks all of /usr/share instead of a part of it.
. "$(dirname "$0")/lib.sh"
require_sandrec
seconds=300
export HOME=$T/home GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat PYTHONDONTWRITEBYTECODE=1
mkdir "$HOME"
if [ "${SANDREC_TEST_FULL-}" = 1 ]; then tree=/usr/share; else tree=/usr/share/doc; fi

# program NAME PROG ARG...: same_three, if PROG is there; replayed NAME PROG ARG...: same_replays.
program() { if have "$2"; then same_three "$@"; else skip "$1" "no $2 here"; fi; }
replayed() { if have "$2"; then same_replays "$@"; else skip "$1" "no $2 here"; fi; }

# 50 MB that compress like text, and 100 MB that do not.
make_big() {
	awk 'BEGIN { srand(7); for (n = 0; n < 50e6; n += length(s) + 1) {
		s = sprintf("%d line %s of a file, value %.6f", i++, i % 7 ? "plain" : "seventh", rand()); print s } }' >"$T/big"
	head -c 100000000 /dev/urandom >"$T/random"
}
make_big
link_big() { ln "$T/big" big; }
link_random() { ln "$T/random" random; }

### python3
setup=:
program "python3: a computation" python3 -c '
def sieve(n):
    s = bytearray([1]) * n
    for i in range(2, int(n ** .5) + 1):
        if s[i]: s[i*i::i] = bytes(len(s[i*i::i]))
    return sum(s) - 2
print(sieve(3000000)); x = 1
for i in range(6000000): x = (x * 1103515245 + 12345) & 0xffffffff
print(x)'
program "python3: json" python3 -c '
import json
d = {str(i): [i, i / 7, "x" * (i % 50), None, True] for i in range(20000)}
s = json.dumps(d, sort_keys=True, indent=1)
assert json.loads(s) == d; print(len(s)); print(s[:500])'
program "python3: the sqlite3 module" python3 -c '
import sqlite3
c = sqlite3.connect("db"); c.execute("create table t (a integer primary key, b text)")
c.executemany("insert into t values (?, ?)", ((i, "row %d" % i) for i in range(20000))); c.commit()
print(c.execute("select count(*), sum(a), max(b) from t").fetchall())'
program "python3: random with a seed" python3 -c '
import random; random.seed(1); print([random.random() for i in range(5)])'
program "python3: an exception" python3 -c 'import sys; print("out"); sys.stdout.flush(); raise ValueError("as expected")'
program "python3: exit status" python3 -c 'raise SystemExit(42)'
replayed "python3: time, random, urandom, pid" python3 -c '
import os, random, time, uuid, tempfile
print(time.time_ns(), time.perf_counter_ns(), time.localtime(), random.random(), os.urandom(16), os.getpid(), uuid.uuid4())
print(id(object()), hash("text"), tempfile.mkdtemp(dir="."), os.stat("."), os.times()); time.sleep(0.05); print(time.monotonic())'
setup=link_random
program "python3: a 100 MB read" python3 -c '
import zlib
d = open("random", "rb").read(); print(len(d), zlib.crc32(d))'

### compression
setup=link_big
program "gzip, 50 MB" gzip -c big
program "xz, 50 MB" xz -1 -T1 -c big
program "zstd, 50 MB" zstd --single-thread --no-asyncio -q -c big
packed() { gzip -1c "$T/big" >big.gz; }
setup=packed
program "gzip -d, 50 MB" gzip -dc big.gz

### data bases and texts
setup=:
inserts() { echo "create table t (a integer primary key, b text, c real); begin;"
	awk 'BEGIN { for (i = 0; i < 200000; i++) printf "insert into t values (%d, %crow %d%c, %d.5);\n", i, 39, i * 7 % 1000, 39, i }'
	echo "commit; create index x on t (b); select count(*), sum(a), avg(c), max(b) from t; select * from t where b = 'row 77' limit 3;"; }
inserts >"$T/inserts.sql"
input=$T/inserts.sql
program "sqlite3, 200,000 inserts on disk" sqlite3 test.db
program "sqlite3, 200,000 inserts in memory" sqlite3 :memory:
input=/dev/null
setup=link_big
program "sort" sort --parallel=1 -k 6 -t ' ' -o sorted big
program "grep" grep -c 'seventh.*99' big
program "awk" awk '{ n[$3]++; s += $NF } END { for (k in n) print k, n[k]; print s }' big
program "perl" perl -ne '$n{$1}++ if /value 0\.(\d\d)/; END { print map { "$_ $n{$_}\n" } sort keys %n }' big
setup=:
program "perl: a computation" perl -e '$x = 1; for (1..3000000) { $x = ($x * 69069 + 1) % 4294967296 } print "$x\n"; print sprintf("%.10f\n", atan2(1, 1) * 4)'
input=$T/bc; echo 'scale = 600; 4 * a(1); e(1); 2 ^ 1000' >"$T/bc"
program "bc" bc -lq
input=/dev/null

### the file system
program "ls -lR $tree" ls -lR "$tree"
program "find" find "$tree" -type f -size +40k -printf '%s %P\n'
program "grep -r" grep -rIc --include=copyright Debian /usr/share/doc
program "tar, creating" tar -cf - --sort=name -C /usr/share/perl5 .
program "tar, listing" tar -cvf /dev/null --sort=name -C /usr/share/perl5 .
archive() { tar -cf archive.tar -C /usr/include linux; }
setup=archive
program "tar, extracting" tar -xvf archive.tar
setup=:
program "du" du -sb /usr/include
program "stat" stat -c '%A %s %U %n' /etc/passwd /usr/bin/env /tmp
program "cp -a and its errors" cp -a /etc/passwd /nonexistent .

### git
make_repository() {
	git init -q "$T/repository" && cd "$T/repository" || return 1
	git config user.name Tester && git config user.email tester@example.org
	for i in $(seq 30); do
		seq "$((i * 10))" >"file$((i % 4))" && git add . && GIT_AUTHOR_DATE="@$((1500000000 + i * 4000)) +0100" \
			GIT_COMMITTER_DATE="@$((1500000000 + i * 4000)) +0100" git commit -qm "Change number $i" || return 1
	done
}
if have git && (make_repository) >/dev/null 2>&1; then
	clone() { cp -a "$T/repository" r && cd r; }
	setup=clone
	program "git log" git --no-pager log
	program "git log --stat -p" git --no-pager log --stat -p --no-color
	program "git diff" git --no-pager diff HEAD~9 --no-color
	program "git status" git status
	program "git fsck" git fsck --no-progress
	program "git blame" git --no-pager blame file1
else
	skip "git log" "no git here"
fi

### openssl
setup=link_big
program "openssl dgst" openssl dgst -sha256 -sha3-256 big
program "openssl enc" openssl enc -aes-256-ctr -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 00 -in big -out enc
setup=:
replayed "openssl speed" openssl speed -seconds 1 -bytes 1024 sha256
replayed "openssl genrsa" openssl genrsa 1024

### busybox, musl, tools
if have busybox; then
	applets() { seq 5000 >numbers; }
	setup=applets
	for applet in 'cat numbers' 'wc numbers' 'md5sum numbers' 'sha512sum numbers' 'sort -rn numbers' 'tac numbers' \
		'grep -c 9 numbers' 'sed -n s/7/seven/p numbers' 'od -c numbers' 'cut -c1 numbers' 'uniq numbers' 'tail -n 3 numbers' \
		'awk {s+=$1}END{print(s)} numbers' 'ls -l /bin' 'expr 6 * 7' 'date -u -d @1000000000' 'base64 numbers' 'dd if=numbers bs=7 count=9' \
		'cmp numbers /dev/null' 'stat -c %s numbers' 'printf %s\n text' 'factor 1234567890' 'env -i' 'false' 'gzip -c numbers'; do
		read -ra words <<<"$applet"
		same_three "busybox ${words[0]}" busybox "${words[@]}"
	done
	setup=:
	same_three "busybox sh, builtins" busybox sh -c \
		'i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done; echo $i; cd /usr; pwd; echo text >'"$work"'/f; read x <'"$work"'/f; echo "$x"; exit 9'
else
	skip "busybox" "no busybox here"
fi
if [ -x "$guest_bin/hello.musl-static" ]; then
	same_three "a musl program" "$guest_bin/hello.musl-static"
else
	skip "a musl program" "no musl-gcc here"
fi
program "readelf" readelf -aW /usr/bin/env
replayed "ld.so --list" /lib64/ld-linux-x86-64.so.2 --list /bin/true
program "ld.so running a program" /lib64/ld-linux-x86-64.so.2 /bin/echo one two
program "dash, builtins" dash -c 'for i in 1 2 3; do echo $i; done; set -- a b; echo $#; test -d / && exit 4'
program "bash, builtins" bash -c 'declare -A a=([x]=1); for i in {1..300}; do a[$i]=$((i * i)); done; echo ${#a[@]} ${a[17]}; printf "%q\n" "a b"; exit 3'
edit() { seq 1000 >text; printf '%s\n' '%s/7/seven/g' '1,10d' 'normal Gyyp' 'w! out' '%p' 'q!' >script; }
setup=edit
if have vim; then
	same_three "vim -es" vim -es -u NONE -N -i NONE -S script text
else
	skip "vim -es" "no vim here"
fi
setup=: input=/dev/null

### the network
if have curl && have python3; then
	mkdir "$T/www" && cp "$T/inserts.sql" "$T/www/page"
	(cd "$T/www" && exec python3 -u -m http.server --bind 127.0.0.1 0 >"$T/server.log" 2>/dev/null) &
	server=$!
	for ((i = 0; i < 100; i++)); do
		port=$(sed -n 's/.* port \([0-9]*\).*/\1/p' "$T/server.log")
		[ -n "$port" ] && break
		sleep 0.1
	done
	same_three "curl from the loopback" curl -sS "http://127.0.0.1:$port/page"
	same_three "curl, a page that is not there" curl -sSf "http://127.0.0.1:$port/none"
	kill $server && wait $server 2>/dev/null
	same_three "curl, nobody listening" curl -s "http://127.0.0.1:$port/page"
else
	skip "curl from the loopback" "no curl or no python3 here"
fi

### an interactive shell in a terminal
### threads
cat >"$T/threads.py" <<'PY'
import hashlib, queue, threading
jobs, done, lock = queue.Queue(), {}, threading.Lock()
def work():
    while (i := jobs.get()) is not None:
        digest = hashlib.sha256(str(i).encode() * 1000).hexdigest()
        with lock:
            done[i] = digest
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for i in range(100): jobs.put(i)
for t in threads: jobs.put(None)
for t in threads: t.join()
print(len(done), done[42], sorted(done) == list(range(100)))
PY
program "python3: threads" /usr/bin/python3 -S "$T/threads.py"
head -c 3000000 /dev/urandom | base64 >"$T/random"
replayed "xz -T2" xz -T2 -0 -kc "$T/random"
replayed "zstd -T2" zstd -q -T2 -kc "$T/random"
replayed "pigz -p2" pigz -p2 -kc "$T/random"
cat >"$T/server.js" <<'JS'
const http = require('http');
const server = http.createServer((q, r) => r.end('hello ' + q.url));
server.listen(0, () => {
	let n = 0;
	const go = () => http.get({ port: server.address().port, path: '/' + n }, r => {
		let text = '';
		r.on('data', d => text += d);
		r.on('end', () => { console.log(text); if (++n < 10) go(); else server.close(() => process.exit(0)); });
	});
	go();
});
JS
replayed "node: server and client" node "$T/server.js"
cat >"$T/redis.sh" <<'SH'
redis-server --port 0 --unixsocket "$1/redis" --io-threads 2 --save '' --dir "$1" >/dev/null &
for ((i = 0; i < 200; i++)); do redis-cli -s "$1/redis" ping >/dev/null 2>&1 && break; sleep 0.1; done
redis-cli -s "$1/redis" set a 1
for i in 1 2 3; do redis-cli -s "$1/redis" incr a; done
redis-cli -s "$1/redis" bgsave
redis-cli -s "$1/redis" dbsize
redis-cli -s "$1/redis" shutdown nosave
wait
SH
if have redis-server; then replayed "redis-server with redis-cli" bash "$T/redis.sh" "$T"; else skip "redis-server with redis-cli" "no redis-server here"; fi
replayed "stress-ng: threads and shared memory" stress-ng --pthread 2 --mutex 1 --futex 1 -t 2 --quiet

# The transcript of the terminal is the output; carriage returns are the line discipline's work and not the program's.
in_terminal() {
	"$limit_tool" 60 "$T/tty.status" python3 "$top_srcdir/tests/tools/pty_session.py" "$@" | tr -d '\r'
}
interactive() {
	local lines=('echo $((6 * 7))' 'x=(a b c); echo ${#x[@]}' 'cd /usr; pwd' 'type cd' 'history 2' 'exit 5')
	fresh_work
	in_terminal "${lines[@]}" -- bash --norc --noprofile >"$T/native.out"
	cp "$T/tty.status" "$T/native.status"
	fresh_work
	in_terminal "${lines[@]}" -- "$SANDREC" run -q -o "$T/trace" -- bash --norc --noprofile >"$T/recorded.out"
	cp "$T/tty.status" "$T/recorded.status"
	: >"$T/native.err" >"$T/recorded.err" >"$T/replay1.err"
	same_output "$T/native" "$T/recorded" || return 1
	"$limit_tool" 60 "$T/replay1.status" "$SANDREC" replay "$T/trace" </dev/null 2>&1 | tr -d '\r' >"$T/replay1.out"
	same_output "$T/native" "$T/replay1"
}
if have python3; then
	export HISTFILE=/dev/null TERM=dumb INPUTRC=/dev/null
	check "bash in a terminal, builtins" interactive
	rm -rf "$T/trace"
else
	skip "bash in a terminal, builtins" "no python3 here"
fi
# Our own unit tests: Check's programs, which fork for each test.
for unit in memo options plan signal_host; do
	if [ -x "$top_builddir/tests/unit/test_$unit" ]; then
		same_replays "test_$unit" "$top_builddir/tests/unit/test_$unit"
	else
		skip "test_$unit" "not built (no check library)"
	fi
done

done_testing
