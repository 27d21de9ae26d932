libsandrec_a_SOURCES += \
	%D%/divergence.c %D%/divergence.h \
	%D%/only.c %D%/only.h %D%/point.c %D%/point.h \
	%D%/progress.c %D%/progress.h %D%/replay.c %D%/replay.h \
	%D%/replayer.c %D%/replayer.h \
	%D%/shared_file.c %D%/shared_file.h
