"""pty_session.py LINE... -- PROG [ARG...]

Runs PROG in a new terminal, types a LINE after each prompt ("$ " or "# "), prints everything the terminal showed and exits
with PROG's status. Waiting for the prompt makes the transcript the same each time.
"""
import os
import pty
import select
import sys
import time


def read_until(fd, wanted, shown, seconds=20):
    """Collects output until it ends with one of wanted; False at the end of the output or when time is over."""
    end = time.monotonic() + seconds
    while not shown.endswith(wanted):
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            return False
        try:
            data = os.read(fd, 4096)
        except OSError:
            return False
        if not data:
            return False
        shown += data
    return True


def settle(fd, shown, quiet=0.3):
    """Collects what still comes: a prompt may be drawn twice, and what is typed in between is echoed by the kernel as well."""
    while select.select([fd], [], [], quiet)[0]:
        try:
            data = os.read(fd, 4096)
        except OSError:
            return
        if not data:
            return
        shown += data


def main():
    split = sys.argv.index("--")
    lines, command = sys.argv[1:split], sys.argv[split + 1:]
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    shown = bytearray()
    for line in lines:
        if not read_until(fd, (b"$ ", b"# "), shown):
            break
        settle(fd, shown)
        os.write(fd, line.encode() + b"\n")
    read_until(fd, (), shown)
    sys.stdout.buffer.write(shown)
    sys.stdout.flush()
    os.close(fd)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xff)


main()
