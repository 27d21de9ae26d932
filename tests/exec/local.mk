# The program of doc/regression.md, and the same with one line changed: for tests/test_exec.sh.
exec_programs = %D%/bin/quote %D%/bin/quote.READ %D%/bin/quote.OPEN %D%/bin/quote.MESSAGE
check_DATA += $(exec_programs)
EXTRA_DIST += %D%/quote.c

%D%/bin/quote: $(srcdir)/%D%/quote.c
	$(AM_V_CC)$(MKDIR_P) %D%/bin && $(CC) $(guest_cflags) -fPIE -pie -o $@ $<
%D%/bin/quote.%: $(srcdir)/%D%/quote.c
	$(AM_V_CC)$(MKDIR_P) %D%/bin && $(CC) $(guest_cflags) -DQUOTE_$* -fPIE -pie -o $@ $<

exec-clean:
	-rm -rf %D%/bin
.PHONY: exec-clean
clean-local: exec-clean
