#!/usr/bin/env python3
"""What going back costs: usage debug.py SANDREC [SECONDS...]. Recordings of python3 that compute about so long, and of threads."""
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'tools'))
import rsp

sandrec = sys.argv[1]
sizes = [float(s) for s in sys.argv[2:]] or [1, 10]


def timed(what, *args):
    start = time.monotonic()
    result = what(*args)
    return time.monotonic() - start, result


def memory(root):
    """Kilobytes that belong to each replayed process alone, of the server's process group's children."""
    sizes = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % pid) as f:
                fields = f.read().rsplit(')', 1)[1].split()
            if int(fields[2]) != root:
                continue
            with open('/proc/%s/smaps_rollup' % pid) as f:
                sizes.append(sum(int(n) for n in re.findall(r'^Private_\w+: +(\d+)', f.read(), re.M)))
        except (OSError, ValueError, IndexError):
            pass
    return sizes


def group_of(server):
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % pid) as f:
                fields = f.read().rsplit(')', 1)[1].split()
            if int(fields[1]) == server:
                return int(fields[2])
        except (OSError, ValueError, IndexError):
            pass
    return 0


def measure(name, argv):
    with tempfile.TemporaryDirectory() as where:
        trace = os.path.join(where, 'trace')
        subprocess.run([sandrec, 'run', '-q', '-o', trace, '--'] + argv, check=True, stdout=subprocess.DEVNULL)
        replay, _ = timed(lambda: subprocess.run([sandrec, 'replay', '-q', trace], check=True))
        c = rsp.Client([sandrec, 'serve', '-q', '--listen', 'stdio', trace])
        c.start()
        events = int(re.search(r'of (\d+)', rsp.monitor(c, 'when')).group(1))
        rsp.monitor(c, 'seek %d' % min(events - 1, 60))
        early = c.pc()
        rsp.monitor(c, 'seek 1')
        forward, stop = timed(c.ask, 'vCont;c')
        checkpoints = rsp.monitor(c, 'checkpoints').split()[-5]
        sizes = memory(group_of(c.process.pid))
        back, stop = timed(c.ask, 'bc')
        c.ask('vCont;c')
        c.ask('Z0,%x,1' % early)
        hit, stop = timed(c.ask, 'bc')
        c.ask('z0,%x,1' % early)
        rnd = random.Random(1)
        first, again = [], []
        for i in range(36):
            if i % 3:
                rsp.monitor(c, 'seek %d' % rnd.randrange(events // 2, events))
            else: # wherever it is after some time
                rsp.monitor(c, 'seek 1')
                c.send('vCont;c')
                time.sleep(rnd.random() * forward)
                c.raw(b'\x03')
                c.reply()
            first.append(timed(c.ask, 'bs')[0])
            again += [timed(c.ask, 'bs')[0] for _ in range(5)]
        c.close()
    first.sort()
    again.sort()
    print('%-12s %7d %8.2f %8.2f %8.2f %8.2f %9.0f %9.0f %9.0f %6s %9.1f' % (
        name, events, replay, forward, back, hit, 1000 * statistics.median(first), 1000 * first[int(len(first) * .95)],
        1000 * statistics.median(again), checkpoints, statistics.median(sizes) / 1024 if sizes else 0))
    sys.stdout.flush()


print('%-12s %7s %8s %8s %8s %8s %9s %9s %9s %6s %9s' % ('', 'events', 'replay s', 'continue', 'rc begin', 'rc break', 'bs med ms',
                                                         'bs 95% ms', 'next bs ms', 'copies', 'MiB each'))
program = '''
import sys
d = {}
for i in range(int(float(sys.argv[1]) * 3600000)):
    d[i & 1023] = d.get((i * 7) & 1023, 0) + i
print(len(d))
'''
for s in sizes:
    measure('python3 %gs' % s, ['/usr/bin/python3', '-c', program, str(s)])
here = os.path.dirname(os.path.abspath(__file__))
with tempfile.TemporaryDirectory() as where:
    exe = os.path.join(where, 'threads')
    source = os.path.join(here, 'threads.c')
    subprocess.run([os.environ.get('CC', 'cc'), '-O1', '-pthread', '-o', exe, source], check=True)
    measure('threads', [exe])
