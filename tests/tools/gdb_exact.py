"""
Stepping is exact: from a random place, so many instructions forward and as many back lead through the same states.
usage: gdb_exact.py SANDREC TRACE PLACES STEPS SEED; prints what differs, exits with 1 when something does.
"""
import random
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, sys.path[0])
import rsp

sandrec, trace, places, steps, seed = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
rnd = random.Random(seed)
c = rsp.Client([sandrec, 'serve', '--listen', 'stdio', '-q', trace])
c.start()
events = int(re.search(r'of (\d+)', rsp.monitor(c, 'when')).group(1))
bad = 0
for n in range(places):
    at = rnd.randrange(1, events - 1)
    rsp.monitor(c, 'seek %d' % at)
    start = c.ask('?')
    for _ in range(rnd.randrange(0, 30)):
        c.ask('vCont;s')
    forward = [c.state()]
    for _ in range(steps):
        stop = c.ask('vCont;s')
        if not stop.startswith('T05'):
            continue  # a signal about to be delivered is a stop on the way forwards only
        forward.append(c.state())
        if 'replaylog' in stop:
            break
    back = [c.state()]
    for _ in range(len(forward) - 1):
        stop = c.ask('bs')
        back.append(c.state())
    for i, (a, b) in enumerate(zip(forward, reversed(back))):
        if a != b:
            bad += 1
            print('place %d (event %d): step %d of %d differs: pc %s %s' %
                  (n, at, i, len(forward) - 1, a[0][256:272], b[0][256:272]))
            break
print('%d places of %d events, %d differ; seed %d' % (places, events, bad, seed))
c.close()
sys.exit(bad > 0)
