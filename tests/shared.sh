#!/bin/bash
# Memory that running processes share: each recording has another order of who was when where, and each replays exactly.
. "$(dirname "$0")/lib.sh"
require_sandrec

times=${SANDREC_SHARED_TIMES:-5}
seconds=120

repeatedly() {
	local i
	for ((i = 1; i <= times; i++)); do
		run_recorded "$@" || return 1
		limited "$T/replayed" "$SANDREC" replay "$T/trace" </dev/null
		same_output "$T/recorded" "$T/replayed" && [ "$(cat "$T/recorded.status")" = "exit 0" ] ||
			{ echo "time $i: $(cat "$T/recorded.status")"; show_file "$T/replayed.err"; return 1; }
	done
}

check "locks, spinning, races and a ring, $times times" repeatedly "$guest_bin/share_values" values
alone() {
	local child
	child=$("$SANDREC" ps "$T/trace" | awk 'NR == 3 { print $1 }')
	"$SANDREC" replay -p "$child" "$T/trace" 2>&1 >/dev/null | grep -q 'shares memory with others, which are not replayed'
}
check "replay -p says that the others are missing" alone
cat >"$T/pool.py" <<'PY'
import multiprocessing as mp

def work(value, lock, queue):
    for _ in range(50):
        with lock:
            value.value += 1
    queue.put(True)

if __name__ == "__main__":
    for method in ("fork", "spawn"):
        c = mp.get_context(method)
        value, lock, queue = c.Value("i", 0), c.Lock(), c.Queue()
        ps = [c.Process(target=work, args=(value, lock, queue)) for _ in range(3)]
        [p.start() for p in ps]
        done = [queue.get() for _ in ps]
        [p.join() for p in ps]
        print(method, value.value, done, flush=True)
    with mp.Pool(2) as pool:
        print(sum(pool.map(abs, range(-100, 0))))
PY
if [ -x /usr/bin/python3 ]; then
	same_replays "python3: multiprocessing with shared values" /usr/bin/python3 -S "$T/pool.py"
else
	skip "python3: multiprocessing with shared values" "no python3"
fi
done_testing
