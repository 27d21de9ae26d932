from check import *


def places():
    """Every thread's number and place."""
    found = {}
    for t in gdb.selected_inferior().threads():
        t.switch()
        found[t.ptid[1] or t.ptid[2]] = value('$pc')
    return found


text = do('continue')
check('the crash', 'SIGSEGV' in text and line() == marks['add'], text)
crash = places()
check('all threads are there', len(crash) == 4, crash)
text = do('info threads')
check('and shown', text.count('Thread ') == 4, text)
text = do('thread apply all backtrace')
check('with their stacks', text.count('worker') >= 3 and 'main' in text, text)

do('thread 1')
do('break spoil')
text = do('reverse-continue')
check('who spoilt it', gdb.selected_frame().name() == 'spoil' and value('target') != 0, text)
do('delete')
text = do('continue')
check('the crash again', places() == crash, text)

do('watch target')
text = do('reverse-continue')
check('watched backwards, in another thread', line() == marks['spoil'] and value('target') != 0, text)
do('delete')

for i in range(5):
    text = do('reverse-continue')
    check('back to the start %d' % (i + 1), 'No more reverse-execution history' in text and len(places()) == 1, text)
    text = do('continue')
    check('and to the crash %d' % (i + 1), 'SIGSEGV' in text and places() == crash, text)

do('break %d' % marks['add'])
seen = []
for i in range(6):
    do('reverse-continue')
    seen.append((gdb.selected_thread().ptid, value('total'), value('n')))
again = []
for i in range(6):
    again.append((gdb.selected_thread().ptid, value('total'), value('n')))
    if i < 5:
        do('continue')
check('the same stops both ways', seen == again[::-1], '%s %s' % (seen, again))
do('reverse-continue')
before = state()
for i in range(5):
    do('stepi')
for i in range(5):
    do('reverse-stepi')
check('steps of one thread', state() == before)
done()
