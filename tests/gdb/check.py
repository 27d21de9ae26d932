"""What the scripts share: results go to a file, one line each; gdb's own output is for people."""
import os
import gdb

results = open(os.environ['RESULTS'], 'w')
source = os.environ['SOURCE']
marks = {}
logs = [os.readlink('/proc/self/fd/%d' % fd) for fd in (1, 2)]
for number, text in enumerate(open(source), 1):
    if '/* ' in text:
        marks[text.split('/* ')[1].split(' */')[0]] = number


def do(command):
    """What the command says, with what is said of the stop it leads to."""
    print('(gdb) ' + command)
    gdb.flush()
    starts = [os.path.getsize(log) for log in logs]
    gdb.execute(command)
    gdb.flush()
    text = ''
    for log, start in zip(logs, starts):
        with open(log, errors='replace') as f:
            f.seek(start)
            text += f.read()
    return text


def check(name, good, detail=''):
    results.write('%s - %s\n' % ('ok' if good else 'not ok', name))
    if not good:
        results.write('# %s; at %s\n' % (str(detail).replace('\n', ' | '), where()))
    results.flush()
    return good


def where():
    try:
        frame = gdb.selected_frame()
        return '%s:%d pc %#x' % (frame.name(), frame.find_sal().line, frame.pc())
    except gdb.error as e:
        return str(e)


def line():
    return gdb.selected_frame().find_sal().line


def value(expression):
    return int(gdb.parse_and_eval(expression))


def goes(name, command, function, mark=None, extra=None):
    """After this command the program stands there."""
    text = do(command)
    frame = gdb.selected_frame()
    good = frame.name() == function and (mark is None or line() == (marks[mark] if isinstance(mark, str) else mark))
    if extra is not None:
        good = good and extra(text)
    return check(name, good, text)


def state():
    """All that the program's next step depends on, as far as registers and its stack go."""
    regs = [do_quiet('info registers'), do_quiet('info registers vector')]
    sp = value('$sp')
    return regs, bytes(gdb.selected_inferior().read_memory(sp, 256))


def do_quiet(command):
    return gdb.execute(command, to_string=True)


def begin():
    for setting in ('pagination off', 'confirm off', 'width 0', 'breakpoint pending on', 'python print-stack full'):
        gdb.execute('set ' + setting)


def done():
    results.write('done\n')
    results.close()
    gdb.execute('quit')


begin()
