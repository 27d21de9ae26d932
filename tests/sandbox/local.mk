# A program that tries to get out of the sandbox, for tests/sandbox.sh; never to be run outside of one.
check_DATA += %D%/bin/escapes
EXTRA_DIST += %D%/escapes.c

%D%/bin/escapes: $(srcdir)/%D%/escapes.c
	$(AM_V_CC)$(MKDIR_P) %D%/bin && $(CC) $(guest_cflags) -fPIE -pie -o $@ $<

sandbox-clean:
	-rm -rf %D%/bin
.PHONY: sandbox-clean
clean-local: sandbox-clean
