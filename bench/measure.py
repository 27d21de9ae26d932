"""measure.py SANDREC BENCH-DIR: see doc/performance.md for the method."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SANDREC, PROGRAMS = sys.argv[1:3]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
CPU = os.environ.get("BENCH_CPU", ",".join(map(str, sorted(os.sched_getaffinity(0))[-2:])))
CALLS = int(os.environ.get("BENCH_CALLS", "20000"))
TARGETS = {"record": 1.05, "replay": 1.05}
KEPT = {}  # what is printed, for BENCH_JSON

PYTHON_LOOP = """
x = 1
for i in range(40000000):
    x = (x * 1103515245 + 12345) & 0xffffffff
print(x)
"""


def run(command, capture=False):
    """Runs a command to its end; returns the seconds and what it printed. A failure ends the measurement."""
    if CPU != "none":
        command = ["taskset", "-c", CPU] + command
    start = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if capture else subprocess.DEVNULL,
                          stderr=subprocess.PIPE, timeout=900)
    seconds = time.monotonic() - start
    if done.returncode:
        raise RuntimeError("%s ended with %d: %s" % (" ".join(command[:9]), done.returncode,
                                                     done.stderr.decode(errors="replace")[:500]))
    return seconds, (done.stdout or b"").decode()


class Variants:
    """The ways to run one program. record leaves the trace that replay takes."""

    def __init__(self, command, scratch):
        self.command, self.scratch = command, scratch
        self.trace = os.path.join(scratch, "trace")
        self.ways = {"native": self.native, "plain": self.plain, "record": self.record, "replay": self.replay}
        if shutil.which("strace"):
            self.ways["strace -f"] = self.strace
        if shutil.which("runsc"):
            self.ways["runsc"] = self.runsc

    def native(self, **how):
        return run(self.command, **how)

    def plain(self, **how):
        return run([SANDREC, "run", "--no-record", "--"] + self.command, **how)

    def record(self, **how):
        shutil.rmtree(self.trace, ignore_errors=True)
        return run([SANDREC, "run", "-o", self.trace, "--"] + self.command, **how)

    def replay(self, **how):
        return run([SANDREC, "replay", self.trace], **how)

    def strace(self, **how):
        return run(["strace", "-f", "-o", os.path.join(self.scratch, "strace")] + self.command, **how)

    def runsc(self, **how):
        return run(["runsc", "--network=none", "--ignore-cgroups", "do", "--"] + self.command, **how)

    def rounds(self, measure, rounds=ROUNDS):
        """measure(way) for each way in turn, several times over: {name: [value of each round]}."""
        values = {name: [] for name in self.ways}
        for _ in range(rounds):
            for name, way in list(self.ways.items()):
                try:
                    values[name].append(measure(way))
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    print("  %s does not work here: %s" % (name, error))
                    del self.ways[name]
                    if name == "native":
                        raise
        return {name: values[name] for name in self.ways}


def show_ratios(title, values, targets):
    print("%s: native %.3f s" % (title, statistics.median(values["native"])))
    KEPT[title] = {"unit": "s", "seconds": values}
    for name, seconds in values.items():
        if name == "native":
            continue
        ratios = [mine / native for mine, native in zip(seconds, values["native"])]
        middle = statistics.median(ratios)
        verdict = ""
        if name in targets:
            verdict = "  (target %.2f: %s)" % (targets[name], "met" if middle <= targets[name] else "MISSED")
        print("  %-10s %8.3f x   from %.3f to %.3f%s" % (name, middle, min(ratios), max(ratios), verdict))
    sys.stdout.flush()


def computations(scratch):
    # Some seconds each, as it is the computation that counts here and not the start of a program.
    text = os.path.join(scratch, "text")
    with open(text, "w", encoding="ascii") as f:
        for i in range(3500000):
            f.write("line %d of a text, %x\n" % (i, i * 2654435761 % 2**32))
    for title, command in (("C loop", [os.path.join(PROGRAMS, "spin"), "4"]),
                           ("python3 loop", ["/usr/bin/python3", "-S", "-c", PYTHON_LOOP]),
                           ("gzip", ["gzip", "-6", "-c", text])):
        variants = Variants(command, scratch)
        show_ratios(title, variants.rounds(lambda way: way()[0]), TARGETS)


def by_exits(variants):
    """The same without the fast path, where there is one."""
    variants.ways["exits"] = lambda **how: run([SANDREC, "run", "--no-record", "--no-fast-path", "--"] + variants.command, **how)
    return variants


def system_calls(scratch):
    """The difference between a program that makes CALLS calls and one that makes none."""
    calls = os.path.join(PROGRAMS, "calls")
    none = by_exits(Variants([calls, "0"], scratch)).rounds(lambda way: way()[0])
    for kind, what in (("getppid", "getppid"), ("read", "read of 1 byte from /dev/zero"), ("write", "write of 1 byte to /dev/null"),
                       ("clock", "clock_gettime"), ("stat", "stat of /etc/passwd")):
        many = by_exits(Variants([calls, str(CALLS), kind], scratch)).rounds(lambda way: way()[0])
        title = "one system call (%s, %d of them)" % (what, CALLS)
        print(title + ":")
        KEPT[title] = {"unit": "us", "each": {}}
        for name in many:
            each = [(b - a) / CALLS * 1e6 for a, b in zip(none[name], many[name])]
            KEPT[title]["each"][name] = each
            print("  %-10s %8.2f us  from %.2f to %.2f" % (name, statistics.median(each), min(each), max(each)))
        sys.stdout.flush()
    for kind, what, count in (("pipe", "pipes, two processes", CALLS // 4), ("futex", "a futex, two threads", CALLS // 4)):
        values = Variants([os.path.join(PROGRAMS, "pingpong"), kind, str(count)], scratch).rounds(lambda way: way()[0])
        show_ratios("%d times there and back by %s" % (count, what), values, {})


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


INSERT = "create table t(a, b); begin; with recursive c(x) as (values(1) union all select x + 1 from c where x < 200000) " \
         "insert into t select x, x * 7 from c; commit; select count(*), sum(b) from t;"


def programs(scratch):
    """Programs that mostly ask Linux for things."""
    tree, source, big = (os.path.join(scratch, name) for name in ("tree", "large.c", "big"))
    database, copy = os.path.join(scratch, "database"), os.path.join(scratch, "copy")
    large_source(source)
    rows = [("find /usr", ["find", "/usr"]), ("gcc -O1 of a large file", ["gcc", "-O1", "-c", "-o", os.path.join(scratch, "o"), source]),
            ("cp of 1 GB", ["cp", big, copy])]
    with open(big, "wb") as f:
        for _ in range(1000):
            f.write(os.urandom(1000000))
    if shutil.which("git"):
        tree_of_files(tree)
        rows.append(("git status, 3000 files", ["git", "-C", tree, "status"]))
    if shutil.which("sqlite3"):
        rows.append(("sqlite3 on disk, 200000 rows", ["sh", "-c", "rm -f %s; sqlite3 %s '%s'" % (database, database, INSERT)]))
    for title, command in rows:
        show_ratios(title, by_exits(Variants(command, scratch)).rounds(lambda way: way()[0], rounds=max(3, ROUNDS // 2)), {})


def start(scratch):
    for title, command in (("a small program", ["/bin/true"]), ("python3 -c pass", ["/usr/bin/python3", "-c", "pass"])):
        show_ratios("start of " + title, Variants(command, scratch).rounds(lambda way: way()[0]), {})


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


def processes(scratch):
    """Trees of processes: everything together, divided by how many there are where they are alike."""
    project = os.path.join(scratch, "project")
    make_project(project)
    loops = (("fork, exec and exit of /bin/true", 100, ["bash", "-c", "for ((i = 0; i < 100; i++)); do /bin/true; done"]),
             ("one execve in a row of 500", 500, [os.path.join(PROGRAMS, "exec"), "500"]),
             ("one process in a session of 1000", 1000, ["bash", "-c", "for ((i = 0; i < 1000; i++)); do (:); done"]),
             ("one of 200 processes at a time", 200, ["/usr/bin/python3", "-S", "-c", BOMB]),
             ("make -j2 of a C project with 30 files", 1, ["make", "-s", "-B", "-j2", "-C", project]))
    for title, count, command in loops:
        values = Variants(command, scratch).rounds(lambda way: way()[0], rounds=max(3, ROUNDS // 2))
        show_ratios(title, values, {"record": 3.0} if count == 1 else {})
        if count > 1:
            print("  " + ", ".join("%s %.2f ms" % (name, statistics.median(seconds) / count * 1e3)
                                   for name, seconds in values.items()))


def memory(scratch):
    for title, arguments, target in (("huge pages", [], 1.5), ("4 KiB pages", ["nohuge"], 4.0)):
        variants = Variants([os.path.join(PROGRAMS, "touch"), "1024"] + arguments, scratch)
        del variants.ways["replay"]  # its output is the recorded one: it would print the times of the recording
        variants.ways.pop("strace -f", None)
        times = variants.rounds(lambda way: tuple(map(float, way(capture=True)[1].split())), rounds=max(3, ROUNDS // 2))
        for which, name, limit in ((0, "first", target), (1, "second", 1.3)):
            show_ratios("1 GiB, %s, %s touch" % (title, name), {way: [t[which] for t in value] for way, value in times.items()},
                        {"plain": limit, "record": limit})


def threads(scratch):
    """Of a process's threads one runs at a time, so the measure is what one processor does natively."""
    variants = Variants([os.path.join(PROGRAMS, "compute2"), "4"], scratch)
    one = ["taskset", "-c", CPU.split(",")[0].split("-")[0]] if CPU != "none" else []
    variants.ways["native"] = lambda **how: run(one + variants.command, **how)
    variants.ways.pop("strace -f", None)
    show_ratios("two threads, native on one processor", variants.rounds(lambda way: way()[0]), {"record": 1.2, "replay": 1.2})


def execution_points(scratch):
    """A loop of three instructions: what one signal costs when it lands there, and on replay until it is found there."""
    passes, every = "4e9", "20"
    quiet, marked = (Variants([os.path.join(PROGRAMS, "marks"), passes, ms], os.path.join(scratch, ms)) for ms in ("0", every))
    for variants in (quiet, marked):
        os.mkdir(variants.scratch)
        variants.ways = {name: variants.ways[name] for name in ("native", "record", "replay")}
    without = quiet.rounds(lambda way: way()[0])
    timed = marked.rounds(lambda way: way(capture=True))
    show_ratios("loop of 3 instructions", without, {})
    print("a signal every %s ms in it:" % every)
    for name, rounds in timed.items():
        if name == "native":
            continue
        each = [(seconds - plain) / max(1, int(out)) * 1e3 for (seconds, out), plain in zip(rounds, without[name])]
        ratio = [seconds / plain for (seconds, _), plain in zip(rounds, without[name])]
        print("  %-10s %8.3f ms each, from %.3f to %.3f; the whole %.3f x" %
              (name, statistics.median(each), min(each), max(each), statistics.median(ratio)))
    sys.stdout.flush()


def main():
    print("%d rounds, medians of paired ratios, %s" %
          (ROUNDS, "not pinned" if CPU == "none" else "all on processor " + CPU))
    scratch = tempfile.mkdtemp(prefix="sandrec-bench.", dir=os.environ.get("TMPDIR", "/var/tmp"))
    try:
        for part in (start, processes, system_calls, programs, memory, computations, threads, execution_points):
            if part.__name__ in os.environ.get("BENCH_ONLY", part.__name__).split(","):
                part(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if "BENCH_JSON" in os.environ:
            with open(os.environ["BENCH_JSON"], "w", encoding="ascii") as f:
                json.dump({"rounds": ROUNDS, "cpu": CPU, "calls": CALLS, "results": KEPT}, f, indent=1)


main()
