from check import *

do('break plus_one')
text = do('continue')
check('the child', value('x') == 1, text)
text = do('continue')
check('and on', value('x') == 2 and 'child 2' in text, text)
text = do('reverse-continue')
check('back', value('x') == 1, text)
text = do('reverse-continue')
check('to its birth', 'No more reverse-execution history' in text, text)
do('delete')
check('a call in it', value('plus_one(4)') == 5)
done()
