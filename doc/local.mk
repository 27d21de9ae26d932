EXTRA_DIST += $(sort $(wildcard $(srcdir)/%D%/*.md))
