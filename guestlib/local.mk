# Code that runs inside the VM. It is assembly only and linked by itself: none of the program's compiler or linker
# flags, and no sanitizers, may reach it.

libsandrec_a_SOURCES += \
	%D%/abi.h \
	%D%/stubs.S \
	%D%/stubs.h \
	%D%/switchless.S \
	%D%/vdso.h \
	%D%/vdso_image.S

EXTRA_DIST += %D%/vdso.S %D%/vdso.lds
CLEANFILES += %D%/vdso.so %D%/vdso.o

%D%/vdso.o: $(top_srcdir)/%D%/vdso.S
	$(AM_V_GEN)$(MKDIR_P) %D% && $(CC) -fPIC -c -o $@ $(top_srcdir)/%D%/vdso.S

%D%/vdso.so: %D%/vdso.o $(top_srcdir)/%D%/vdso.lds
	$(AM_V_GEN)$(LD) -shared -nostdlib -soname linux-vdso.so.1 --hash-style=both -Bsymbolic --eh-frame-hdr \
		--build-id=none -z max-page-size=4096 -z noseparate-code -z noexecstack \
		-T $(top_srcdir)/%D%/vdso.lds -o $@ %D%/vdso.o

%D%/vdso_image.$(OBJEXT): %D%/vdso.so
