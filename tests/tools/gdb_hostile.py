"""
Clients that misbehave: the stub answers what it can, and survives the others. usage: gdb_hostile.py SANDREC TRACE
"""
import os
import random
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, sys.path[0])
import rsp

sandrec, trace = sys.argv[1:3]
with tempfile.TemporaryDirectory() as where:
    path = os.path.join(where, 'socket')
    server = subprocess.Popen([sandrec, 'serve', '-q', '--listen', 'unix:' + path, trace])

    def connect():
        for _ in range(300):
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(path)
                return s
            except OSError:
                s.close()
                try:
                    server.wait(0.1)
                    sys.exit('the server has ended')
                except subprocess.TimeoutExpired:
                    pass
        sys.exit('nobody listens')

    def packet(body):
        return b'$' + body + b'#%02x' % (sum(body) & 255)

    rnd = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    for i in range(20):
        s = connect()
        try:
            s.send(rnd.choice([
                b'', b'$', b'$m0,', b'\x03\x03', packet(b'm0,ffffffffffffffff'), packet(b'G00'), packet(b'vCont;s:999999'),
                b'$' + b'a' * 300000 + b'#00', packet(b'X0,10:') + b'$$$', packet(b'Z2,0,ffffffff'), packet(b'qRcmd,7365656b2039393939393939'),
                bytes(rnd.randrange(256) for _ in range(1000)), packet(b'vCont;c'), packet(b'bc') + b'\x03', packet(b'vRun;ff'),
            ]))
        except OSError:
            pass
        s.close()
    s = connect()
    s.send(packet(b'qC'))
    reply = b''
    s.settimeout(60)
    while b'QC' not in reply: # the acknowledgement may come on its own
        data = s.recv(100)
        if not data:
            break
        reply += data
    s.close()
    server.terminate()
    server.wait()
    if b'QC' not in reply:
        sys.exit('no answer: %r' % reply)
print('it answers')
