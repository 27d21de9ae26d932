"""
Stepping is exact: at PLACES random places of a recording, an instruction forward and one back lead to the same registers
and memory; and LENGTH instructions backwards are the ones forwards, reversed.
usage: gdb_exact.py SANDREC TRACE PLACES LENGTH SEED; prints what differs, exits with 1 when something does.
"""
import random
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, sys.path[0])
import rsp

NEAR = 8 # places looked at around each landing

sandrec, trace, places, length, seed = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
rnd = random.Random(seed)
c = rsp.Client([sandrec, 'serve', '--listen', 'stdio', '-q', trace])
c.start()
events = int(re.search(r'of (\d+)', rsp.monitor(c, 'when')).group(1))
bad = done = 0
landings = [0, 0]


def where():
    return rsp.monitor(c, 'when').strip()


def fingerprint():
    return rsp.monitor(c, 'fingerprint')


def at_end(stop):
    return stop[0] != 'T' or 'replaylog' in stop


switched = False


def step():
    """
    One instruction. A signal about to be delivered is a stop on the way forwards only. Where threads change, the way back
    is another one: to what the same thread did before.
    """
    global switched
    before = c.ask('qC')
    stop = c.ask('vCont;s')
    while not stop.startswith('T05') and not at_end(stop):
        stop = c.ask('vCont;s')
    switched = c.ask('qC') != before
    return not at_end(stop)


def land(last):
    """At an event before the last, or wherever a computation is some time after it."""
    at = rnd.randrange(1, last)
    rsp.monitor(c, 'seek %d' % at)
    inside = rnd.random() < 0.5
    if inside:
        c.send('vCont;c')
        time.sleep(rnd.random() * 0.05)
        c.raw(b'\x03')
        stop = c.reply().decode('latin1')
        while stop.startswith('T') and not stop.startswith('T02') and not at_end(stop):
            stop = c.ask('vCont;s') # the interrupt was too late: a signal came first
            break
        if at_end(stop):
            c.ask('bs')
    landings[inside] += 1


def differs(what):
    global bad
    bad += 1
    print('%s: %s' % (what, where()))
    sys.stdout.flush()


started = time.monotonic()
while done < places:
    land(events - 1)
    for _ in range(NEAR):
        if not all(step() for _ in range(rnd.randrange(0, 30))):
            break
        here, before = where(), fingerprint()
        if not step() or switched:
            break
        c.ask('bs')
        done += 1
        if fingerprint() != before:
            differs('a step from %s and back leads elsewhere' % here)
print('%d places near %d of %d events and %d others: %d differ; seed %d; %.0f s' % (
    done, landings[0], events, landings[1], bad, seed, time.monotonic() - started))
sys.stdout.flush()

started = time.monotonic()
land(max(2, events // 2)) # as the end comes after so many steps otherwise
forward = [fingerprint()]
while len(forward) <= length and step():
    forward = [fingerprint()] if switched else forward + [fingerprint()]
if len(forward) <= length: # at the end of the recording, which may be no instruction but a fault; back to before it
    c.ask('bs')
    here = fingerprint()
    if switched:
        forward = [here]
    elif here in forward:
        del forward[forward.index(here) + 1:]
    else:
        differs('back from the end, at a place that was not passed')
end = where()
back = [fingerprint()]
while len(back) < len(forward):
    c.ask('bs')
    back.append(fingerprint())
if forward != back[::-1]:
    first = next(i for i, (a, b) in enumerate(zip(forward, back[::-1])) if a != b)
    last = max(i for i, (a, b) in enumerate(zip(forward, back[::-1])) if a != b)
    differs('%d steps to %s: back they differ between %d and %d' % (len(forward) - 1, end, first, last))
print('%d steps forward and back: %.0f s' % (len(forward) - 1, time.monotonic() - started))
c.close()
sys.exit(bad > 0)
