import os

from check import *


def fails(command):
    """What gdb says when it cannot do this; '' when it could."""
    try:
        do(command)
    except gdb.error as e:
        return str(e)
    return ''


# The process and its files.
text = do('info proc')
check('info proc', "users" in text and 'exe = ' in text, text)
do('break main')
do('continue')
do('delete')
check('arguments', 'users' in gdb.parse_and_eval('argv[0]').string())
text = do('info proc mappings')
check('info proc mappings', '[stack]' in text and 'libc.so' in text, text)
check('x/s', 'users' in do('x/s argv[0]'))

# Locals that go out of scope, displays, commands.
do('display counter')
do('tbreak locals')
gdb.execute('commands\nsilent\nprintf "commands ran\\n"\nend')
text = do('continue')
check('tbreak with commands', gdb.selected_frame().name() == 'locals' and 'commands ran' in do('python gdb.post_event(lambda: None)') + text, text)
do('watch loc')
for n in (1, 3, 9):
    goes('watch a local, %d' % n, 'continue', 'locals', None, lambda t: value('loc') == n and 'counter = ' in t)
text = do('continue')
check('its end', 'left the block' in text and gdb.selected_frame().name() == 'main', text)
do('undisplay 1')
do('delete')

# Frames.
do('break fact if n == 2')
do('continue')
check('recursion', do('backtrace').count('fact (') == 4)
do('finish')
check('finish', value('n') == 3)
do('delete')
do('tbreak users.c:%d' % (marks['fact'] + 1))
goes('out of it', 'continue', 'main', marks['fact'] + 1)
do('break fact')
do('reverse-continue')
check('into the depth of it, backwards', value('n') == 1)
do('delete')
do('tbreak push if id == 4')
goes('further back', 'reverse-continue', 'push')
goes('reverse-finish', 'reverse-finish', 'main')
goes('advance', 'advance %d' % (marks['fact'] + 1), 'main', marks['fact'] + 1)

# Functions, and values that are changed.
check('print f(x)', value('fact(6)') == 720)
do('call (void)push(77)')
check('call', value('head->id') == 77 and gdb.parse_and_eval('head->name').string() == 'node 77')
do('set variable counter = 99')
check('set variable', value('counter') == 99)
do('stepi')
check('and the recording is as it was', value('counter') == 9 and value('head->id') == 4)

# Signals and libraries.
check('no signal, no siginfo', 'siginfo' in fails('print $_siginfo'))
text = do('continue')
check('a signal', 'SIGUSR1' in text and value('$_siginfo.si_signo') == 10, text)
do('catch signal SIGUSR1')
do('reverse-continue')
text = do('continue')
check('catch signal', 'Catchpoint' in text and 'SIGUSR1' in text, text)
do('delete')
do('catch load')
text = do('continue')
check('catch load', 'libm.so' in text, text)
text = do('info sharedlibrary')
check('info sharedlibrary', 'libm.so' in text, text)
do('delete')
do('handle SIGUSR1 nostop noprint pass')

# vfork: twice, as a debugger that was not told of the end of the first one gives up at the second.
do('catch vfork')
for way in ('continue', 'continue', 'reverse-continue', 'reverse-continue', 'continue'):
    text = do(way)
    check('catch vfork: ' + way, 'vforked process' in text or 'No more' in text or 'SIGUSR1' in text, text)
do('delete')

# Threads.
do('break users.c:%d' % marks['in a thread'])
do('continue')
text = do('info threads')
check('names of threads', 'named itself' in text and 'named by main' in text and '"users"' in text, text)
check('thread find', 'Thread' in do('thread find named'))
text = do('thread apply all backtrace 1')
check('thread apply all', text.count('#0') == 3, text)
do('delete')
do('watch counter if counter == 21')
text = do('continue')
check('watch with a condition', value('counter') == 21, text)
do('delete')

# The end, behind it, and back.
do('break users.c:%d' % marks['last'])
do('continue')
do('delete')
text = do('continue')
check('the end', 'No more reverse-execution history' in text, text)
text = do('continue')
check('how it ended', 'exited with code 04' in text and value('$_exitcode') == 4, text)
do('break fact')
text = do('reverse-continue')
check('back from behind the end', value('n') == 1, text)
core = os.environ['RESULTS'] + '.core'
do('gcore ' + core)
check('a core file', os.path.getsize(core) > 4096)
text = do('kill')
do('delete')
do('tbreak main')
goes('killed and run again', 'run', 'main')
do('detach')
do('tbreak main')
goes('detached and run again', 'run', 'main')
done()
