from check import *

do('break main')
do('continue')
do('delete')
do('watch page.rare')
for n in (1, 2):
    text = do('continue')
    check('watch on a busy page, %d' % n, gdb.selected_frame().name() == 'set' and value('page.rare') == n, text)
text = do('reverse-continue')
check('and backwards', gdb.selected_frame().name() == 'set' and value('page.rare') == 1 and value('v') == 2, text)
done()
