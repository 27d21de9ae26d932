EXTRA_DIST += %D%/dump.schema.json
EXTRA_DIST += $(sort $(wildcard $(srcdir)/%D%/*.md))
