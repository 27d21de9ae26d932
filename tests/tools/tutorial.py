#!/usr/bin/python3
"""tutorial.py FILE.md DIRECTORY: runs the commands of a document's session in DIRECTORY/home, and compares what they print.

A session is what is indented by four columns: lines that begin with `$ ` are commands (with their here-documents), what
follows is their output. Numbers count as equal, as do different amounts of white space, and the order of lines does not count: in
the document they are one run's. Where more than that differs from run to run a line `<!-- varies: WHY -->` stands before
the block; of that it is only compared whether there is output. Prints TAP."""

import collections
import os
import re
import subprocess
import sys


def blocks(text):
    """(varies, [lines]) for each indented block"""
    lines, varies, block = text.split("\n"), False, []
    for line in lines + [""]:
        if line.startswith("    ") or (block and not line.strip()):
            block.append(line[4:])
            continue
        if block and any(l.startswith("$ ") for l in block):
            yield varies, block
        if block:
            varies = False
        block = []
        varies = varies or line.startswith("<!-- varies:")


def commands(text):
    """(command, [output lines], varies)"""
    found = []
    for varies, block in blocks(text):
        end = None
        for line in block:
            if end is not None:
                found[-1][0] += "\n" + line
                end = None if line == end else end
            elif line.startswith("$ "):
                found.append([line[2:], [], varies])
                here = re.search(r"<<'?(\w+)'?", line)
                end = here.group(1) if here else None
            else:
                found[-1][1].append(line)
    return found


def normal(lines, home):
    """the lines as they are compared, with how often each comes"""
    out = collections.Counter()
    for line in lines:
        line = line.replace(home, "~")
        if line.startswith("sandrec: recorded in ") or not line.strip():
            continue  # that is for terminals only
        line = re.sub(r"0x[0-9a-f]+", "N", line)
        line = re.sub(r"[0-9]+(\.[0-9]+)?[KMGs]?\b", "N", line)
        line = re.sub(r" \(of N\)", "", line)
        out[re.sub(r"\s+", " ", line).strip()] += 1
    return out


def processes(lines):
    """process numbers by what `sandrec ps` says of them, in order"""
    found = collections.defaultdict(list)
    for line in lines:
        m = re.match(r"\s*([0-9]+)\s+[0-9]+\s+[0-9]+\s+(.*)", line)
        if m:
            found[re.sub(r"\s+", " ", m.group(2))].append(m.group(1))
    return found


class Session:
    """a shell that runs one command after the other; the document's process numbers become this run's"""

    def __init__(self, directory):
        self.directory, self.home, self.pids = directory, os.path.join(directory, "home"), {}
        os.mkdir(self.home)
        env = {"HOME": self.home, "PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", "NO_COLOR": "1"}
        self.shell = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=self.home, text=True)

    def run(self, command, expected):
        file = f"{self.directory}/command"
        with open(file, "w") as f:
            f.write(re.sub(r"\b[0-9]{4,}\b", lambda m: self.pids.get(m.group(0), m.group(0)), command) + "\n")
        self.shell.stdin.write(f'eval "$(cat {file})" >{file}.out 2>&1 </dev/null; echo done\n')
        self.shell.stdin.flush()
        self.shell.stdout.readline()
        got = open(file + ".out", errors="replace").read().split("\n")
        if command.startswith("sandrec ps"):
            now = processes(got)
            for what, pids in processes(expected).items():
                self.pids.update(zip(pids, now.get(what, [])))
        return got


def main():
    document, directory = sys.argv[1:]
    found = commands(open(document).read())
    session = Session(os.path.abspath(directory))
    print(f"1..{len(found)}")
    bad = 0
    for i, (command, expected, varies) in enumerate(found):
        got = session.run(command, expected)
        want, have = normal(expected, session.home), normal(got, session.home)
        good = bool(want) == bool(have) if varies else want == have
        title = command.split("\n")[0].replace("#", "")
        print(f"{'ok' if good else 'not ok'} {i + 1} - {title}")
        if good:
            continue
        bad += 1
        for sign, left in (("-", want - have), ("+", have - want)):
            for line in left:
                print(f"# {sign} {line}")
    return bad != 0


sys.exit(main())
