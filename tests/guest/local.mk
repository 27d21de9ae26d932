# Programs that run as guests. Every .c file here is one program, so that none can be forgotten; tests/guest.sh runs
# all of them. They get no sanitizers and none of our flags: a guest is an ordinary program.
guest_sources := $(sort $(wildcard $(srcdir)/%D%/*.c))
guest_headers := $(sort $(wildcard $(srcdir)/%D%/*.h))
guest_programs = $(patsubst $(srcdir)/%D%/%.c,%D%/bin/%,$(guest_sources))
guest_cflags = -std=gnu17 -O1 -g -Wall -Wextra -D_GNU_SOURCE $(WERROR_CFLAGS)
guest_variants = %D%/bin/hello.static %D%/bin/hello.static-pie %D%/bin/hello.no-pie
guest_variants += %D%/bin/drop_rights.static %D%/bin/any_cpuid.static %D%/bin/args.static %D%/bin/time.static %D%/bin/mmap.static %D%/bin/any_values.static %D%/bin/call_sites.static %D%/bin/call_memory.static
if HAVE_MUSL
guest_variants += %D%/bin/hello.musl %D%/bin/hello.musl-static
endif

check_DATA += $(guest_programs) $(guest_variants)
EXTRA_DIST += $(guest_sources) $(guest_headers)

guest_compile = $(AM_V_CC)$(MKDIR_P) %D%/bin && $(CC) $(guest_cflags)

%D%/bin/%.static: $(srcdir)/%D%/%.c $(guest_headers)
	$(guest_compile) -static -no-pie -o $@ $<
%D%/bin/%.static-pie: $(srcdir)/%D%/%.c $(guest_headers)
	$(guest_compile) -fPIE -static-pie -o $@ $<
%D%/bin/%.no-pie: $(srcdir)/%D%/%.c $(guest_headers)
	$(guest_compile) -fno-pie -no-pie -o $@ $<
%D%/bin/%.musl: $(srcdir)/%D%/%.c $(guest_headers)
	$(AM_V_CC)$(MKDIR_P) %D%/bin && $(MUSL_CC) $(guest_cflags) -o $@ $<
%D%/bin/%.musl-static: $(srcdir)/%D%/%.c $(guest_headers)
	$(AM_V_CC)$(MKDIR_P) %D%/bin && $(MUSL_CC) $(guest_cflags) -static -o $@ $<
%D%/bin/%: $(srcdir)/%D%/%.c $(guest_headers)
	$(guest_compile) -fPIE -pie -o $@ $<

guest-clean:
	-rm -rf %D%/bin
.PHONY: guest-clean
clean-local: guest-clean
