libsandrec_a_SOURCES += \
	%D%/chaos.c %D%/chaos.h \
	%D%/collector.c %D%/collector.h \
	%D%/confine.c %D%/confine.h \
	%D%/control.c %D%/control.h \
	%D%/follower.c %D%/follower.h \
	%D%/forward_signals.c %D%/forward_signals.h \
	%D%/group.c %D%/group.h %D%/guest.c %D%/guest.h \
	%D%/handover.c %D%/handover.h %D%/resume.c \
	%D%/inputs.c %D%/inputs.h \
	%D%/landing.c %D%/landing.h \
	%D%/live.c %D%/live.h \
	%D%/meeting.c %D%/meeting.h \
	%D%/plain.c %D%/plain.h %D%/poke.c %D%/poke.h \
	%D%/recorder.c %D%/recorder.h %D%/recorder_int.h \
	%D%/recorder_birth.c %D%/recorder_file.c %D%/recorder_log.c %D%/recorder_point.c %D%/recorder_turn.c \
	%D%/robust.c %D%/robust.h %D%/run.h %D%/supervisor.c \
	%D%/sched.c %D%/sched.h %D%/thread.c %D%/thread.h \
	%D%/tree.c %D%/tree.h \
	%D%/walk.c %D%/walk.h %D%/world.c %D%/world.h %D%/world_int.h %D%/world_load.c
