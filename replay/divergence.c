/* Reports of divergence. Contract: divergence.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "replay/divergence.h"
#include "replay/progress.h"

const char *event_type_name(uint8_t type)
{
	static const char *const name[] = {
		[REC_EXEC] = "program start", [REC_SYSCALL] = "system call", [REC_SIGNAL] = "signal",
		[REC_FAULT] = "fault", [REC_TSC] = "rdtsc", [REC_EXIT] = "exit", [REC_DATA] = "data", [REC_NOTE] = "note",
		[REC_FORK] = "start of a process", [REC_SCHED] = "thread switch", [REC_TURN] = "turn of a process",
	};

	return type < sizeof(name) / sizeof(name[0]) && name[type] ? name[type] : "unknown event";
}

static uint32_t *noted;

void divergence_note_in(uint32_t *word)
{
	noted = word;
}

static void head(const struct event *ev)
{
	if (noted)
		__atomic_store_n(noted, 1, __ATOMIC_SEQ_CST);
	progress_wipe();
	fflush(stdout);
	fprintf(stderr, "sandrec: divergence at event %" PRIu64 " (%s), thread %d\n", ev->index, event_type_name(ev->type),
		ev->tid);
}

int divergence(const struct event *ev, const char *fmt, ...)
{
	va_list ap;

	head(ev);
	fputs("sandrec:   ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return DIVERGED;
}

int divergence_regs(const struct event *ev, const struct guest_regs *found, const char *when)
{
	bool any = false;

	for (unsigned i = 0; i < GUEST_NREGS; i++) {
		if (ev->regs.r[i] == found->r[i])
			continue;
		if (!any)
			head(ev);
		any = true;
		fprintf(stderr, "sandrec:   %s: %s expected %#" PRIx64 ", found %#" PRIx64 "\n", when, guest_reg_name[i],
			ev->regs.r[i], found->r[i]);
	}
	return any ? DIVERGED : 0;
}
