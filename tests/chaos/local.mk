# Programs with bugs that show only when threads meet in one particular way, for tests/chaos_find.sh. Every .c file here is
# one program, built as those of tests/guest/ are.
chaos_sources := $(sort $(wildcard $(srcdir)/%D%/*.c))
chaos_headers := $(sort $(wildcard $(srcdir)/%D%/*.h))
chaos_programs = $(patsubst $(srcdir)/%D%/%.c,%D%/bin/%,$(chaos_sources))

check_DATA += $(chaos_programs)
EXTRA_DIST += $(chaos_sources) $(chaos_headers)

%D%/bin/%: $(srcdir)/%D%/%.c $(chaos_headers)
	$(AM_V_CC)$(MKDIR_P) %D%/bin && $(CC) $(guest_cflags) -fPIE -pie -o $@ $<

chaos-clean:
	-rm -rf %D%/bin
.PHONY: chaos-clean
clean-local: chaos-clean
