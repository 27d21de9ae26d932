# `make bench`: not part of all or check. The programs are guests, so they get none of our flags.
bench_names = spin calls touch exec compute2 marks pingpong
bench_programs = $(addprefix %D%/bin/,$(bench_names))
EXTRA_DIST += %D%/run.sh %D%/measure.py %D%/method.py $(addprefix %D%/,$(addsuffix .c,$(bench_names)))

%D%/bin/%: $(srcdir)/%D%/%.c
	$(AM_V_CC)$(MKDIR_P) %D%/bin && $(CC) -std=gnu17 -O2 -Wall -Wextra -D_GNU_SOURCE $(WERROR_CFLAGS) -o $@ $<

bench: sandrec $(bench_programs)
	$(SHELL) $(srcdir)/%D%/run.sh $(abs_builddir)/sandrec $(abs_builddir)/%D%/bin

# How long going back takes in a debugger, and what a checkpoint weighs (doc/debugging.md).
bench-debug: sandrec
	CC='$(CC)' python3 -B $(srcdir)/%D%/debug.py $(abs_builddir)/sandrec
EXTRA_DIST += %D%/debug.py %D%/threads.c

bench-clean:
	-rm -rf %D%/bin
.PHONY: bench bench-debug bench-clean
clean-local: bench-clean
