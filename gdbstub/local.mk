# gdb's remote protocol over struct debug_target; knows nothing of KVM.
libsandrec_a_SOURCES += %D%/control.c %D%/libraries.c %D%/packet.c %D%/packet.h %D%/query.c %D%/regs.c %D%/regs.h %D%/state.c %D%/stub.c \
	%D%/stub.h %D%/stub_int.h %D%/target.h %D%/vfile.c
