"""measure.py SANDREC BENCH-DIR: see doc/performance.md for the method and method.py for the means."""
import os
import shutil
import subprocess
import statistics
import sys
import tempfile

from method import CPU, FEWER, ROUNDS, Report, Tools, Variants, run

PROGRAMS = sys.argv[2]
CALLS = int(os.environ.get("BENCH_CALLS", "20000"))
NEAR = {"record": 1.05, "replay": 1.05}
FAST = {"record": 1.2}
PYTHON = "/usr/bin/python3"

PYTHON_LOOP = """
x = 1
for i in range(40000000):
    x = (x * 1103515245 + 12345) & 0xffffffff
print(x)
"""

# A session of some minutes of somebody's work, without the minutes.
PYTHON_SESSION = """
import json, os, re, subprocess, tempfile
d = tempfile.mkdtemp()
for i in range(300):
    with open(os.path.join(d, "f%d" % i), "w") as f:
        json.dump({"a": list(range(i)), "b": "x" * i}, f)
n = 0
for name in sorted(os.listdir(d)):
    with open(os.path.join(d, name)) as f:
        n += len(json.load(f)["a"])
print(n, subprocess.run(["ls", d], capture_output=True, text=True).stdout.count("\\n"))
"""

INSERT = "create table t(a, b); begin; with recursive c(x) as (values(1) union all select x + 1 from c where x < %d) " \
         "insert into t select x, x * 7 from c; commit; select count(*), sum(b) from t;"


def start(tools, report, scratch):
    for title, command, targets in (("start of a small program", ["/bin/true"], {}), ("python3 -c pass", [PYTHON, "-c", "pass"], FAST),
                                    ("python3, a session", [PYTHON, "-c", PYTHON_SESSION], {})):
        variants = Variants(tools, command, scratch)
        report.ratios(title, variants.rounds(), targets, variants)


def computations(tools, report, scratch):
    # Some seconds each, as it is the computation that counts here and not the start of a program.
    text = os.path.join(scratch, "text")
    with open(text, "w", encoding="ascii") as f:
        for i in range(3500000):
            f.write("line %d of a text, %x\n" % (i, i * 2654435761 % 2**32))
    rows = [("C loop", [os.path.join(PROGRAMS, "spin"), "4"], NEAR), ("python3 loop", [PYTHON, "-S", "-c", PYTHON_LOOP], NEAR),
            ("gzip", ["gzip", "-6", "-c", text], NEAR)]
    if shutil.which("sqlite3"):
        rows.append(("sqlite3 in memory, 2000000 rows", ["sqlite3", ":memory:", INSERT % 2000000], FAST))
    for title, command, targets in rows:
        variants = Variants(tools, command, scratch)
        report.ratios(title, variants.rounds(FEWER), targets, variants)


def system_calls(tools, report, scratch):
    """The difference between a program that makes CALLS calls and one that makes none."""
    calls = os.path.join(PROGRAMS, "calls")
    none = Variants(tools, [calls, "0"], scratch).by_exits().rounds()
    for kind, title, targets in (("getppid", "getppid", {"record": 1.0, "replay": 0.3}), ("read", "read of 1 byte from /dev/zero", {}),
                                 ("write", "write of 1 byte to /dev/null", {}), ("clock", "clock_gettime", {}),
                                 ("stat", "stat of /etc/passwd", {})):
        many = Variants(tools, [calls, str(CALLS), kind], scratch).by_exits().rounds()
        report.each("one " + title, none, many, CALLS, targets)
    many = Variants(tools, [calls, str(50 * CALLS)], scratch)
    many.ways = {name: many.ways[name] for name in ("native", "plain", "record", "replay")}
    report.each("one getppid of %d" % (50 * CALLS), none, many.rounds(FEWER), 50 * CALLS, {"record": 1.0, "replay": 0.3})
    for kind, what in (("pipe", "pipes, two processes"), ("futex", "a futex, two threads")):
        variants = Variants(tools, [os.path.join(PROGRAMS, "pingpong"), kind, str(CALLS // 4)], scratch).by_exits()
        report.ratios("%d times there and back by %s" % (CALLS // 4, what), variants.rounds(FEWER), {}, variants)


def tree_of_files(directory):
    """A repository with 3000 files."""
    for i in range(3000):
        os.makedirs(os.path.join(directory, "d%d" % (i % 60)), exist_ok=True)
        with open(os.path.join(directory, "d%d" % (i % 60), "f%d" % i), "w", encoding="ascii") as f:
            f.write("file %d\n" % i * (i % 50))
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-C", directory]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run(git + words, check=True)


def large_source(path):
    with open(path, "w", encoding="ascii") as f:
        for i in range(4000):
            f.write("int f%d(int n) { int s = %d; for (int i = 0; i < n; i++) s = s * 31 + (i ^ %d); return s; }\n" % (i, i, i))


REDIS = """
redis-server --port 17391 --save '' --appendonly no >/dev/null &
until redis-cli -p 17391 ping >/dev/null 2>&1; do sleep 0.05; done
redis-benchmark -p 17391 -t get,set -n 20000 -c 20 -q >/dev/null
redis-cli -p 17391 shutdown nosave
wait
"""


def programs(tools, report, scratch):
    """Programs that mostly ask Linux for things."""
    tree, source, big = (os.path.join(scratch, name) for name in ("tree", "large.c", "big"))
    database, copy = os.path.join(scratch, "database"), os.path.join(scratch, "copy")
    large_source(source)
    rows = [("find /usr", ["find", "/usr"], {}),
            ("gcc -O1 of a large file", ["gcc", "-O1", "-c", "-o", os.path.join(scratch, "o"), source], FAST),
            ("cp of 1 GB", ["cp", big, copy], {"record": 1.5})]
    with open(big, "wb") as f:
        for _ in range(1000):
            f.write(os.urandom(1000000))
    if shutil.which("git"):
        tree_of_files(tree)
        rows.append(("git status, 3000 files", ["git", "-C", tree, "status"], {}))
    if shutil.which("sqlite3"):
        rows.append(("sqlite3 on disk, 200000 rows", ["sh", "-c", "rm -f %s; sqlite3 %s '%s'" % (database, database, INSERT % 200000)], {}))
    if shutil.which("redis-benchmark"):
        rows.append(("redis-benchmark, set and get, 20000 each", ["sh", "-c", REDIS], {}))
    for title, command, targets in rows:
        variants = Variants(tools, command, scratch).by_exits()
        report.ratios(title, variants.rounds(FEWER), targets, variants)


BOMB = """
import os
gate, out = os.pipe()
for i in range(200):
    if not os.fork():
        os.close(out)
        os.read(gate, 1)
        os._exit(0)
os.close(out)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


def make_project(directory):
    os.mkdir(directory)
    names = ["f%d" % i for i in range(30)]
    for i, name in enumerate(names):
        with open(os.path.join(directory, name + ".c"), "w", encoding="ascii") as f:
            f.write('#include <stdio.h>\n#include <stdlib.h>\nint %s(int n) { return printf("%%d", n) * %d; }\n' % (name, i))
    with open(os.path.join(directory, "main.c"), "w", encoding="ascii") as f:
        f.write("".join("int %s(int);" % n for n in names) + "int main(void) { return 0 * (" +
                " + ".join("%s(1)" % n for n in names) + "); }\n")
    with open(os.path.join(directory, "Makefile"), "w", encoding="ascii") as f:
        f.write("prog: $(patsubst %.c,%.o,$(wildcard *.c)); gcc -o $@ $^\n%.o: %.c; gcc -O1 -c -o $@ $<\n")


def processes(tools, report, scratch):
    """Trees of processes: everything together, divided by how many there are where they are alike."""
    project = os.path.join(scratch, "project")
    make_project(project)
    loops = (("fork, exec and exit of /bin/true", 100, ["bash", "-c", "for ((i = 0; i < 100; i++)); do /bin/true; done"]),
             ("one execve in a row of 500", 500, [os.path.join(PROGRAMS, "exec"), "500"]),
             ("one process in a session of 1000", 1000, ["bash", "-c", "for ((i = 0; i < 1000; i++)); do (:); done"]),
             ("one of 200 processes at a time", 200, [PYTHON, "-S", "-c", BOMB]),
             ("make -j2 of a C project with 30 files", 1, ["make", "-s", "-B", "-j2", "-C", project]))
    for title, count, command in loops:
        variants = Variants(tools, command, scratch)
        values = variants.rounds(FEWER)
        report.ratios(title, values, {"record": 2.0} if count == 1 else {}, variants)
        if count > 1:
            print("  " + ", ".join("%s %.2f ms" % (name, statistics.median(seconds) / count * 1e3)
                                   for name, seconds in values.items()))


def memory(tools, report, scratch):
    for title, arguments, target in (("huge pages", [], 1.5), ("4 KiB pages", ["nohuge"], 4.0)):
        variants = Variants(tools, [os.path.join(PROGRAMS, "touch"), "1024"] + arguments, scratch)
        del variants.ways["replay"]  # its output is the recorded one: it would print the times of the recording
        variants.ways.pop("strace -f", None)
        times = variants.rounds(FEWER, lambda ran: tuple(map(float, ran.text.split())), capture=True)
        for which, name, limit in ((0, "first", target), (1, "second", 1.3)):
            report.ratios("1 GiB, %s, %s touch" % (title, name), {way: [t[which] for t in value] for way, value in times.items()},
                          {"plain": limit, "record": limit})


def threads(tools, report, scratch):
    """Of a process's threads one runs at a time, so the measure is what one processor does natively."""
    variants = Variants(tools, [os.path.join(PROGRAMS, "compute2"), "4"], scratch)
    one = ["taskset", "-c", CPU.split(",")[0].split("-")[0]] if CPU != "none" else []
    variants.ways["native"] = lambda **how: run(one + variants.command, **how)
    variants.ways.pop("strace -f", None)
    report.ratios("two threads, native on one processor", variants.rounds(FEWER), {"record": 1.2, "replay": 1.2})


def execution_points(tools, report, scratch):
    """A loop of three instructions: what one signal costs when it lands there, and on replay until it is found there."""
    passes, every = "4e9", "20"
    quiet, marked = (Variants(tools, [os.path.join(PROGRAMS, "marks"), passes, ms], os.path.join(scratch, ms)) for ms in ("0", every))
    for variants in (quiet, marked):
        os.mkdir(variants.scratch)
        variants.ways = {name: variants.ways[name] for name in ("native", "record", "replay")}
    without = quiet.rounds(FEWER)
    timed = marked.rounds(FEWER, lambda ran: (ran.seconds, ran.text), capture=True)
    report.ratios("loop of 3 instructions", without)
    print("a signal every %s ms in it:" % every)
    for name, rounds in timed.items():
        if name == "native":
            continue
        each = [(seconds - plain) / max(1, int(out)) * 1e3 for (seconds, out), plain in zip(rounds, without[name])]
        ratio = [seconds / plain for (seconds, _), plain in zip(rounds, without[name])]
        print("  %-10s %8.3f ms each, from %.3f to %.3f; the whole %.3f x" %
              (name, statistics.median(each), min(each), max(each), statistics.median(ratio)))


def main():
    print("%d rounds, medians of paired ratios, %s" %
          (ROUNDS, "not pinned" if CPU == "none" else "all on processor " + CPU))
    tools, report = Tools(sys.argv[1]), Report()
    scratch = tempfile.mkdtemp(prefix="sandrec-bench.", dir=os.environ.get("TMPDIR", "/var/tmp"))
    os.environ["SANDREC_TRACE_DIR"] = os.path.join(scratch, "traces")
    try:
        for part in (start, processes, system_calls, programs, memory, computations, threads, execution_points):
            if part.__name__ in os.environ.get("BENCH_ONLY", part.__name__).split(","):
                part(tools, report, scratch)
                sys.stdout.flush()
    finally:
        report.table()
        shutil.rmtree(scratch, ignore_errors=True)
        if "BENCH_JSON" in os.environ:
            report.keep(os.environ["BENCH_JSON"])


main()
