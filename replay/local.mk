libsandrec_a_SOURCES += \
	%D%/ahead.c %D%/ahead.h \
	%D%/debug.h %D%/debug.c %D%/debug_ahead.c %D%/debug_change.c %D%/debug_copies.c %D%/debug_copy.c %D%/debug_files.c %D%/debug_fingerprint.c %D%/debug_goal.c \
	%D%/debug_int.h %D%/debug_monitor.c %D%/debug_names.c \
	%D%/debug_peer.c %D%/debug_time.c %D%/debug_link.c %D%/debug_link.h %D%/debug_points.c \
	%D%/debug_serve.c %D%/debug_shared.c %D%/debug_step.c %D%/debug_watch.c %D%/debuggee.c %D%/debuggee.h %D%/debuggee_int.h \
	%D%/diversion.c %D%/diversion.h \
	%D%/divergence.c %D%/divergence.h \
	%D%/only.c %D%/only.h %D%/point.c %D%/point.h \
	%D%/progress.c %D%/progress.h %D%/replay.c %D%/replay.h \
	%D%/replayer.c %D%/replayer.h %D%/replayer_int.h \
	%D%/replayer_ahead.c %D%/replayer_birth.c %D%/replayer_call.c %D%/replayer_file.c %D%/replayer_turn.c \
	%D%/shared_file.c %D%/shared_file.h
