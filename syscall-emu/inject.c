/* Injected results. Contract: inject.h; grammar: strace(1), "Tampering". */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "syscall-emu/inject.h"
#include "syscall-emu/names.h"
#include "syscall-emu/session.h"
#include "syscall-emu/sysdesc.h"
#include "trace/event.h"

#define WORD_MAX 64
#define DELAY_MAX_NS 3600000000000ULL

/* The part of *text up to one of the separators, which is passed over. false: it is too long. */
static bool take_word(const char **text, const char *separators, char word[WORD_MAX])
{
	size_t len = strcspn(*text, separators);

	if (len >= WORD_MAX)
		return false;
	memcpy(word, *text, len);
	word[len] = '\0';
	*text += len;
	return true;
}

static bool take_number(const char **text, uint64_t *v)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*v = strtoull(*text, &end, 10);
	*text = end;
	return !errno;
}

static bool add_call(struct inject_rule *r, const char *name, char *why, size_t len)
{
	const struct sys_desc *row = strchr(name, '$') ? NULL : sys_by_name(name);

	if (!row || row->key >= INJECT_CALLS) {
		snprintf(why, len, "there is no call named `%s`", name);
		return false;
	}
	if (row->ret == RET_NONE) {
		snprintf(why, len, "%s has no result", name);
		return false;
	}
	r->calls[row->key / 64] |= 1ULL << row->key % 64;
	return true;
}

static bool parse_calls(const char **text, struct inject_rule *r, char *why, size_t len)
{
	char word[WORD_MAX];

	for (;; ++*text) {
		if (!take_word(text, ",:", word)) {
			snprintf(why, len, "a name is too long");
			return false;
		}
		if (!add_call(r, word, why, len))
			return false;
		if (**text != ',')
			return true;
	}
}

static bool parse_error(const char *value, struct inject_rule *r)
{
	int e = isdigit((unsigned char)*value) ? atoi(value) : errno_value(value);

	/* ERESTARTSYS and the like never reach a program. */
	if (r->has_result || e <= 0 || e > 4095 || (e >= 512 && e < 520) || strspn(value, "0123456789") % strlen(value))
		return false;
	r->has_result = true;
	r->result = -e;
	return true;
}

static bool parse_value(const char *value, struct inject_rule *r)
{
	char *end;

	errno = 0;
	if (r->has_result || !isdigit((unsigned char)*value))
		return false;
	r->result = strtoll(value, &end, 0);
	r->has_result = true;
	return !errno && !*end;
}

static bool parse_signal(const char *value, struct inject_rule *r)
{
	int sig = signal_value(value);

	if (r->signal || sig <= 0 || sig > 64)
		return false;
	r->signal = sig;
	return true;
}

static bool parse_delay(const char *value, struct inject_rule *r)
{
	static const struct { const char *name; uint64_t ns; } units[] = {
		{ "", 1000 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 }, { "ns", 1 },
	};
	uint64_t n;

	if (r->delay_ns || !take_number(&value, &n))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(value, units[i].name) && n && n <= DELAY_MAX_NS / units[i].ns) {
			r->delay_ns = n * units[i].ns;
			return true;
		}
	return false;
}

/* FIRST, FIRST+, FIRST+STEP, FIRST..LAST, FIRST..LAST+STEP */
static bool parse_when(const char *value, struct inject_rule *r)
{
	if (!take_number(&value, &r->first) || !r->first)
		return false;
	r->step = 0;
	r->last = r->first;
	if (!strncmp(value, "..", 2)) {
		value += 2;
		r->step = 1;
		if (!take_number(&value, &r->last) || r->last < r->first)
			return false;
	} else if (*value == '+') {
		r->last = UINT64_MAX;
	}
	if (*value == '+') {
		value++;
		r->step = 1;
		if (*value && (!take_number(&value, &r->step) || !r->step))
			return false;
	}
	return !*value;
}

static bool parse_what(const char *word, struct inject_rule *r)
{
	static const struct { const char *key; bool (*parse)(const char *value, struct inject_rule *r); } keys[] = {
		{ "errno=", parse_error }, { "error=", parse_error }, { "retval=", parse_value }, { "signal=", parse_signal },
		{ "delay=", parse_delay }, { "when=", parse_when },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t n = strlen(keys[i].key);

		if (!strncmp(word, keys[i].key, n))
			return word[n] && keys[i].parse(word + n, r);
	}
	return false;
}

bool inject_add(struct inject *in, const char *text, char *why, size_t len)
{
	struct inject_rule r = { .first = 1, .last = UINT64_MAX, .step = 1 };
	char word[WORD_MAX];

	if (in->n == INJECT_RULES) {
		snprintf(why, len, "more than %d rules", INJECT_RULES);
		return false;
	}
	if (!parse_calls(&text, &r, why, len))
		return false;
	while (*text == ':') {
		text++;
		if (!take_word(&text, ":", word) || !parse_what(word, &r)) {
			snprintf(why, len, "`%.*s` is none of errno=E, retval=V, signal=S, delay=T, when=N..M+STEP, or is there twice",
				 (int)strcspn(word, ":"), word);
			return false;
		}
	}
	if (!r.has_result && !r.signal && !r.delay_ns) {
		snprintf(why, len, "it does not say what is to happen");
		return false;
	}
	in->rule[in->n++] = r;
	return true;
}

static bool is_due(const struct inject_rule *r)
{
	if (r->seen < r->first || r->seen > r->last)
		return false;
	return r->step ? (r->seen - r->first) % r->step == 0 : r->seen == r->first;
}

struct inject_verdict inject_decide(struct inject *in, uint64_t nr, pid_t pid)
{
	struct inject_verdict v = { 0 };
	bool anew = in->pid != pid; /* the child of a fork begins with its parent's numbers */

	in->pid = pid;
	nr = (uint32_t)nr;
	for (uint32_t i = 0; i < in->n; i++) {
		struct inject_rule *r = &in->rule[i];

		if (anew)
			r->seen = 0;
		if (nr >= INJECT_CALLS || !(r->calls[nr / 64] >> nr % 64 & 1))
			continue;
		r->seen++;
		if (!is_due(r))
			continue;
		if (r->has_result && !v.has_result) {
			v.has_result = true;
			v.result = r->result;
		}
		v.signal = v.signal ? v.signal : r->signal;
		v.delay_ns += r->delay_ns;
	}
	return v;
}

struct inject_verdict inject_before(struct task *t)
{
	struct inject_verdict v = { 0 };

	if (!t->proc->inject.n)
		return v;
	v = inject_decide(&t->proc->inject, t->plan.nr, t->proc->pid);
	if (v.delay_ns) {
		struct timespec left = { (time_t)(v.delay_ns / 1000000000), (long)(v.delay_ns % 1000000000) };

		while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
			;
	}
	if (v.has_result)
		t->plan.ev_flags |= REC_F_INJECTED;
	return v;
}

void inject_after(struct task *t, const struct inject_verdict *v)
{
	/* Not before the call: it would be rewound for the signal, and be injected into again. */
	if (v->signal && !t->newborn && !t->dead)
		syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), v->signal);
}
