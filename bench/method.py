"""How `make bench` measures: running commands, the ways to run a program, and what is printed of it (doc/performance.md)."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import threading
import time

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
FEWER = min(ROUNDS, max(3, ROUNDS // 2))  # for what takes long
CPU = os.environ.get("BENCH_CPU", ",".join(map(str, sorted(os.sched_getaffinity(0))[-2:])))
LONGEST = 900                # seconds


class Ran:
    """What one run took. peak: KiB, of the largest process that was waited for; text: what it printed."""

    def __init__(self, seconds, peak, text):
        self.seconds, self.peak, self.text = seconds, peak, text


def run(command, capture=False, longest=LONGEST):
    """Runs a command to its end. A failure ends the measurement."""
    if CPU != "none":
        command = ["taskset", "-c", CPU] + command
    start = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if capture else subprocess.DEVNULL,
                             stderr=subprocess.PIPE, start_new_session=True)
    guard = threading.Timer(longest, lambda: os.killpg(child.pid, signal.SIGKILL))
    guard.start()
    said = []
    listener = threading.Thread(target=lambda: said.append(child.stderr.read()))
    listener.start()
    text = child.stdout.read().decode() if capture else ""
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - start
    guard.cancel()
    listener.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError("%s ended with %d: %s" % (" ".join(command[:9]), child.returncode,
                                                     said[0].decode(errors="replace")[:300]))
    return Ran(seconds, usage.ru_maxrss, text)


class Tools:
    """What there is to compare with. sandrec: the program; gvisor: platforms of runsc that work here."""

    def __init__(self, sandrec):
        self.sandrec, self.gvisor = sandrec, []
        self.strace = bool(shutil.which("strace"))
        for platform in ("ptrace", "kvm") if shutil.which("runsc") else ():
            try:
                run(self.runsc(platform) + ["/bin/true"], longest=20)
                self.gvisor.append(platform)
            except RuntimeError:
                print("runsc --platform=%s does not work here" % platform)

    @staticmethod
    def runsc(platform):
        return ["runsc", "--platform=" + platform, "--network=none", "--ignore-cgroups", "do", "--"]


class Variants:
    """The ways to run one program. record leaves the trace that replay takes. After rounds(): peak has the KiB of each way,
    traces what info says of each recording."""

    def __init__(self, tools, command, scratch):
        self.tools, self.command, self.scratch = tools, command, scratch
        self.trace = os.path.join(scratch, "trace")
        self.ways = {"native": self.native, "plain": self.plain, "record": self.record, "replay": self.replay}
        self.peak, self.traces = {}, []
        if tools.strace:
            self.ways["strace -f"] = self.strace
        for platform in tools.gvisor:
            self.ways["runsc " + platform] = lambda platform=platform, **how: run(tools.runsc(platform) + command, **how)

    def native(self, **how):
        return run(self.command, **how)

    def plain(self, **how):
        return run([self.tools.sandrec, "run", "--no-record", "--"] + self.command, **how)

    def exits(self, **how):
        return run([self.tools.sandrec, "run", "--no-record", "--no-fast-path", "--"] + self.command, **how)

    def record(self, **how):
        shutil.rmtree(self.trace, ignore_errors=True)
        ran = run([self.tools.sandrec, "run", "-o", self.trace, "--"] + self.command, **how)
        info = subprocess.run([self.tools.sandrec, "info", "--json", self.trace], stdout=subprocess.PIPE, check=True)
        self.traces.append({key: json.loads(info.stdout)[key] for key in ("record_bytes", "stored_bytes", "file_bytes")} |
                           {"seconds": ran.seconds})
        return ran

    def replay(self, **how):
        return run([self.tools.sandrec, "replay", self.trace], **how)

    def strace(self, **how):
        return run(["strace", "-f", "-o", os.path.join(self.scratch, "strace")] + self.command, **how)

    def by_exits(self):
        """The same without the fast path, where there is one."""
        self.ways["exits"] = self.exits
        return self

    def rounds(self, rounds=ROUNDS, value=lambda ran: ran.seconds, **how):
        """Each way in turn, several times over: {name: [value of each round]}."""
        values = {name: [] for name in self.ways}
        for _ in range(rounds):
            for name, way in list(self.ways.items()):
                try:
                    ran = way(**how)
                except RuntimeError as error:
                    print("  %s does not work here: %s" % (name, error))
                    del self.ways[name]
                    if name == "native":
                        raise
                    continue
                values[name].append(value(ran))
                self.peak[name] = max(self.peak.get(name, 0), ran.peak)
        return {name: values[name] for name in self.ways}


def size(number):
    for unit in ("", "K", "M", "G"):
        if number < 1000 or unit == "G":
            return "%.3g%s" % (number, unit)
        number /= 1024


class Report:
    """What has been measured: printed as it comes, as a table at the end, and kept for BENCH_JSON."""

    def __init__(self):
        self.kept, self.rows, self.ways = {}, [], []

    def add_row(self, title, native, cells):
        self.rows.append((title, native, cells))
        self.ways += [way for way in cells if way not in self.ways]

    def ratios(self, title, values, targets=None, variants=None):
        native = statistics.median(values["native"])
        print("%s: native %.3f s" % (title, native))
        kept = self.kept[title] = {"unit": "s", "seconds": values}
        cells = {}
        for name, seconds in values.items():
            if name == "native":
                continue
            ratios = [mine / own for mine, own in zip(seconds, values["native"])]
            middle = statistics.median(ratios)
            limit = (targets or {}).get(name)
            verdict = "  (target %.2f: %s)" % (limit, "met" if middle <= limit else "MISSED") if limit else ""
            print("  %-12s %8.3f x   from %.3f to %.3f%s" % (name, middle, min(ratios), max(ratios), verdict))
            cells[name] = "%.2f x" % middle
        if variants:
            kept["peak_kib"] = variants.peak
            print("  largest process: " + ", ".join("%s %s" % (name, size(kib * 1024)) for name, kib in variants.peak.items()))
            if variants.traces:
                kept["traces"] = variants.traces
                self.trace(variants.traces[-1])
        self.add_row(title, "%.3f s" % native, cells)

    @staticmethod
    def trace(t):
        print("  trace: %s of records in %s (1/%.1f), %s/s; files %s" %
              (size(t["record_bytes"]), size(t["stored_bytes"]), t["record_bytes"] / max(1, t["stored_bytes"]),
               size(t["stored_bytes"] / t["seconds"]), size(t["file_bytes"])))

    def each(self, title, none, many, count, targets=None):
        """Microseconds for one of count: what programs that make them take longer than those that make none."""
        print(title + ":")
        each = {name: [(b - a) / count * 1e6 for a, b in zip(none[name], many[name])] for name in many if name in none}
        self.kept[title] = {"unit": "us", "count": count, "each": each}
        cells = {}
        for name, us in each.items():
            middle = statistics.median(us)
            limit = (targets or {}).get(name)
            verdict = "  (target %.2f: %s)" % (limit, "met" if middle <= limit else "MISSED") if limit else ""
            print("  %-12s %8.2f us  from %.2f to %.2f%s" % (name, middle, min(us), max(us), verdict))
            cells[name] = "%.2f us" % middle
        self.add_row(title, cells.pop("native"), cells)

    def table(self):
        print("\n| | native | " + " | ".join(self.ways) + " |")
        print("|---" * (len(self.ways) + 2) + "|")
        for title, native, cells in self.rows:
            print("| %s | %s | %s |" % (title, native, " | ".join(cells.get(way, "") for way in self.ways)))

    def keep(self, path):
        with open(path, "w", encoding="ascii") as f:
            json.dump({"host": list(os.uname()), "rounds": ROUNDS, "cpu": CPU, "load": os.getloadavg(), "results": self.kept}, f,
                      indent=1)
