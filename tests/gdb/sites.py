from check import *

# Behind the loop the site has been patched; nothing of that is to be seen.
do('tbreak sites.c:%d' % marks['one'])
goes('to the busy site', 'continue', 'main', 'one')
code = int(value('(unsigned long)&getppid'))
own = bytes(gdb.selected_inferior().read_memory(code, 16))
at = own.index(b'\x0f\x05')
check('its own bytes', own[at - 5:at] == b'\xb8\x6e\0\0\0', own)
x, call, behind = code + at - 5, code + at, code + at + 2


def pc():
    return int(value('$pc'))


def passed(what, address, command='continue'):
    text = do(command)
    check(what, pc() == address, text)


# Breakpoints at each of the three places, forwards and back.
for name, address in (('X', x), ('the syscall', call), ('the place behind it', behind)):
    do('break *%d' % address)
    passed('breakpoint at ' + name, address)
    check('eax at ' + name, value('$eax') == 0x6e or address != call)
    passed('again', address)
    passed('and back', address, 'reverse-continue')
    do('delete')
    do('tbreak sites.c:%d' % marks['one'])
    text = do('reverse-continue')
    check('back at the line', pc() < x or pc() > behind, text)

# Steps through it: X, then the syscall, then behind it.
do('tbreak *%d' % x)
passed('to X', x)
first = state()
passed('a step to the syscall', call, 'stepi')
check('eax is the number', value('$eax') == 0x6e)
second = state()
passed('a step behind it', behind, 'stepi')
check('the result', value('$eax') > 0 and value('$rcx') == behind)
passed('a step back to the syscall', call, 'reverse-stepi')
check('the same state', state() == second)
passed('a step back to X', x, 'reverse-stepi')
check('the same state there', state() == first)

# Catchpoints, and functions as a whole.
do('catch syscall getppid')
text = do('continue')
check('catch syscall', 'call to syscall getppid' in text, text)
text = do('continue')
check('and its return', 'returned from syscall getppid' in text, text)
do('delete')
goes('finish', 'finish', 'ask', 'ask')
do('tbreak sites.c:%d' % marks['two'])
goes('on', 'continue', 'main', 'two')
goes('next', 'next', 'main', 'three')
goes('next over syscall()', 'next', 'main', 'last')
goes('reverse-next', 'reverse-next', 'main', 'three')
check('memory is as it was', value('sum') == 402)
do('watch sum')
text = do('continue')
check('watchpoint', value('sum') == 403, text)
text = do('reverse-continue')
check('watchpoint, backwards', value('sum') == 402, text)
do('delete')
check('its own bytes still', bytes(gdb.selected_inferior().read_memory(code, 16)) == own)
check('to the end', 'No more reverse-execution history' in do('continue'))
done()
