"""A client of gdb's remote protocol, for tests that want to say exactly what is sent. Not a test by itself."""
import os
import random
import subprocess
import sys


class Gone(Exception):
    pass


class Client:
    def __init__(self, argv):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.buf = b''
        self.acks = True

    def raw(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def byte(self):
        if not self.buf:
            self.buf = os.read(self.process.stdout.fileno(), 65536)
            if not self.buf:
                raise Gone()
        c, self.buf = self.buf[:1], self.buf[1:]
        return c

    def reply(self):
        while self.byte() != b'$':
            pass
        data = b''
        while True:
            c = self.byte()
            if c == b'#':
                break
            if c == b'}':
                c = bytes([self.byte()[0] ^ 0x20])
            data += c
        self.byte(), self.byte()
        if self.acks:
            self.raw(b'+')
        return data

    def send(self, text):
        data = text.encode('latin1') if isinstance(text, str) else text
        self.raw(b'$' + data + b'#%02x' % (sum(data) & 255))

    def ask(self, text):
        self.send(text)
        return self.reply().decode('latin1')

    def start(self):
        self.ask('qSupported:multiprocess-;swbreak+;hwbreak+')
        self.ask('QStartNoAckMode')
        self.acks = False

    def state(self):
        """Registers, and the memory the program is working on."""
        regs = self.ask('g')
        sp = int.from_bytes(bytes.fromhex(regs[7 * 16:8 * 16]), 'little')
        return regs, self.ask('m%x,%x' % (sp - 256, 4096))

    def pc(self):
        return int.from_bytes(bytes.fromhex(self.ask('p10')), 'little')

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def monitor(client, line):
    client.send('qRcmd,' + line.encode().hex())
    text = ''
    while True:
        r = client.reply().decode()
        if not r.startswith('O') or r == 'OK':
            return text
        text += bytes.fromhex(r[1:]).decode()
