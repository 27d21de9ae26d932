from check import *

# The session of doc/debugging.md.
text = do('continue')
check('the crash', 'SIGSEGV' in text and gdb.selected_frame().name() == 'drop_low', text)
do('watch -location queue->next->next->next')
text = do('reverse-continue')
check('who wrote the pointer', gdb.selected_frame().name() == 'drop_low' and 'j->next->next' in text, text)
do('watch -location j->next->next')
text = do('reverse-continue')
text = do('backtrace')
check('the memory was freed', 'free' in text and 'finish' in text and 'drop_low' in text, text)
done()
