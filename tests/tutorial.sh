#!/bin/bash
# The tutorial's session, as it is printed in doc/tutorial.md.
. "$(dirname "$0")/lib.sh"
require_sandrec
python=/usr/bin/python3
[ -x $python ] && have gcc || skip_all "it takes python3 and gcc"
for package in sort uniq sed dd; do have $package || skip_all "no $package"; done

mkdir "$T/bin" "$T/session" && ln -s "$SANDREC" "$T/bin/sandrec" || exit 99
unset SANDREC_TRACE_DIR XDG_DATA_HOME
PATH=$T/bin:$PATH "$limit_tool" 600 "$T/status" $python "$top_srcdir/tests/tools/tutorial.py" "$top_srcdir/doc/tutorial.md" "$T/session"
[ "$(cat "$T/status")" = "exit 0" ]
