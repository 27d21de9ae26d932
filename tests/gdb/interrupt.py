import os
import signal
import threading
import time

from check import *


def interrupt():
    time.sleep(1)
    os.kill(os.getpid(), signal.SIGINT)


def started(event):
    threading.Thread(target=interrupt).start()


do('tbreak main')
do('continue')
# From here on the program is in main, for seconds, however slow the machine is.
gdb.events.cont.connect(started)
text = do('continue')
check('^C stops it', 'SIGINT' in text and gdb.selected_frame().name() == 'main', text)
gdb.events.cont.disconnect(started)
n = value('n')
before = state()
do('stepi')
do('reverse-stepi')
check('in a computation', state() == before and value('n') == n)
text = do('reverse-continue')
check('back from there', 'No more reverse-execution history' in text, text)
done()
