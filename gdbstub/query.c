/* General queries and settings. Contract: stub_int.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gdbstub/stub_int.h"
#include "vmm/cleanup.h"

static bool begins(const char **p, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*p, word, n))
		return false;
	*p += n;
	return true;
}

/* ---- what both sides can do ---- */

static bool has(const char *list, const char *feature)
{
	size_t n = strlen(feature);

	for (const char *at = list; (at = strstr(at, feature)); at += n)
		if ((at == list || at[-1] == ';' || at[-1] == ':') && (at[n] == ';' || !at[n]))
			return true;
	return false;
}

static bool supported(struct stub *s, const char *p)
{
	s->multiprocess = has(p, "multiprocess+");
	s->swbreak = has(p, "swbreak+");
	s->hwbreak = has(p, "hwbreak+");
	s->wishes.exec_events = has(p, "exec-events+");
	s->wishes.fork_events = s->multiprocess && has(p, "fork-events+");
	s->wishes.vfork_events = s->multiprocess && has(p, "vfork-events+");
	packet_printf(&s->reply, "PacketSize=%x", PACKET_MAX);
	packet_text(&s->reply, ";QStartNoAckMode+;multiprocess+;swbreak+;hwbreak+;vContSupported+;ReverseStep+;ReverseContinue+"
		    ";QCatchSyscalls+;QPassSignals+;QThreadEvents+;exec-events+;fork-events+;vfork-events+;qXfer:features:read+"
		    ";qXfer:auxv:read+;qXfer:exec-file:read+;qXfer:siginfo:read+;qXfer:threads:read+;qXfer:libraries-svr4:read+");
	return true;
}

/* ---- objects ---- */

/* The piece [off, off+len) of something whole. */
static void put_piece(struct stub *s, const char *bytes, size_t total, uint64_t off, uint64_t len)
{
	size_t left = off < total ? total - (size_t)off : 0;

	packet_text(&s->reply, left > len ? "m" : "l");
	if (left)
		packet_binary(&s->reply, bytes + off, left < len ? left : (size_t)len);
}

static bool threads_xml(struct stub *s)
{
	static pid_t tid[STUB_THREADS];
	size_t len;
	FILE *f = open_memstream(&s->threads_xml, &len);
	int n = s->t->ops->threads(s->t, tid, STUB_THREADS);
	char name[64];

	if (!f)
		return false;
	fputs("<?xml version=\"1.0\"?><threads>", f);
	for (int i = 0; i < n; i++) {
		if (s->multiprocess)
			fprintf(f, "<thread id=\"p%x.%x\"", (unsigned)s->t->ops->pid(s->t), (unsigned)tid[i]);
		else
			fprintf(f, "<thread id=\"%x\"", (unsigned)tid[i]);
		if (s->t->ops->thread_name(s->t, tid[i], name, sizeof(name)) == 0) {
			fputs(" name=\"", f);
			for (const char *c = name; *c; c++)
				putc(*c < ' ' || strchr("<>&\"'", *c) ? '?' : *c, f);
			fputs("\"", f);
		}
		fputs("/>", f);
	}
	fputs("</threads>", f);
	return fclose(f) == 0;
}

/* What is made when its reading begins, and read in pieces. */
static bool put_made(struct stub *s, char **text, bool (*make)(struct stub *s), uint64_t off, uint64_t len)
{
	if (off == 0) {
		free(*text);
		*text = NULL;
		if (!make(s))
			return false;
	}
	if (!*text)
		return false;
	put_piece(s, *text, strlen(*text), off, len);
	return true;
}

static bool libraries_xml(struct stub *s)
{
	s->libraries_xml = stub_libraries_xml(s);
	return s->libraries_xml;
}

/* Of the signal the program stands at: it is one thread's. */
static ssize_t siginfo(struct stub *s, uint64_t off, void *buf, size_t len)
{
	return stub_thread(s) == s->t->ops->stopped(s->t)->tid ? s->t->ops->siginfo(s->t, off, buf, len) : -ENODATA;
}

static ssize_t auxv(struct stub *s, uint64_t off, void *buf, size_t len)
{
	return s->t->ops->auxv(s->t, off, buf, len);
}

typedef ssize_t piece_fn(struct stub *s, uint64_t off, void *buf, size_t len);

static void put_from(struct stub *s, piece_fn *fn, uint64_t off, uint64_t len)
{
	size_t size = len < PACKET_MAX / 2 ? (size_t)len : PACKET_MAX / 2;
	cleanup_free char *buf = malloc(size + 1);
	ssize_t n = buf ? fn(s, off, buf, size) : -ENOMEM;

	if (n < 0) {
		stub_error(s, (int)n);
		return;
	}
	packet_text(&s->reply, n ? "m" : "l");
	packet_binary(&s->reply, buf, (size_t)n);
}

static bool put_exec_file(struct stub *s, uint64_t off, uint64_t len)
{
	char path[4096];
	int rc = s->t->ops->exec_file(s->t, path, sizeof(path));

	if (rc < 0)
		stub_error(s, rc);
	else
		put_piece(s, path, strlen(path), off, len);
	return true;
}

static bool transfer(struct stub *s, const char *p)
{
	char object[32], annex[64];
	uint64_t off, len;
	int at = 0;

	/* object:read:annex:off,len */
	if (sscanf(p, "%31[a-z0-9-]:read:%n", object, &at) != 1 || !at)
		return false;
	p += at;
	at = (int)strcspn(p, ":");
	if (!p[at])
		return false;
	snprintf(annex, sizeof(annex), "%.*s", at, p);
	p += at + 1;
	if (!packet_number(&p, &off) || !packet_expect(&p, ',') || !packet_number(&p, &len))
		return false;
	if (len > PACKET_MAX / 2)
		len = PACKET_MAX / 2; /* escapes may double it */
	if (!strcmp(object, "features")) {
		if (strcmp(annex, "target.xml"))
			stub_error(s, -ENOENT);
		else
			put_piece(s, s->xml, strlen(s->xml), off, len);
		return true;
	}
	if (!strcmp(object, "threads"))
		return put_made(s, &s->threads_xml, threads_xml, off, len);
	if (!strcmp(object, "libraries-svr4"))
		return put_made(s, &s->libraries_xml, libraries_xml, off, len);
	if (!strcmp(object, "auxv"))
		put_from(s, auxv, off, len);
	else if (!strcmp(object, "siginfo"))
		put_from(s, siginfo, off, len);
	else if (!strcmp(object, "exec-file"))
		return put_exec_file(s, off, len);
	else
		return false;
	return true;
}

/* ---- threads, one way or the other ---- */

static void list_threads(struct stub *s)
{
	char letter = 'm';

	for (; s->next_listed < s->nlisted && s->reply.len < PACKET_MAX / 2; s->next_listed++) {
		packet_printf(&s->reply, "%c", letter);
		stub_put_thread(s, s->listed[s->next_listed]);
		letter = ',';
	}
	if (letter == 'm')
		packet_text(&s->reply, "l");
}

static bool first_threads(struct stub *s)
{
	s->nlisted = s->t->ops->threads(s->t, s->listed, STUB_THREADS);
	s->next_listed = 0;
	list_threads(s);
	return true;
}

static bool thread_info(struct stub *s, const char *p)
{
	char name[64];
	pid_t pid, tid;

	if (!stub_thread_id(&p, &pid, &tid) || s->t->ops->thread_name(s->t, tid, name, sizeof(name)) < 0)
		stub_error(s, -ESRCH);
	else
		packet_hex(&s->reply, name, strlen(name));
	return true;
}

/* ---- settings ---- */

static bool catch_syscalls(struct stub *s, const char *p)
{
	uint64_t nr;

	memset(s->wishes.syscall, 0, sizeof(s->wishes.syscall));
	s->wishes.syscalls = packet_expect(&p, '1');
	s->wishes.all_syscalls = s->wishes.syscalls && !*p;
	while (s->wishes.syscalls && packet_expect(&p, ';') && packet_number(&p, &nr))
		if (nr < DEBUG_SYSCALLS)
			s->wishes.syscall[nr / 8] |= (uint8_t)(1u << nr % 8);
	stub_ok(s);
	return true;
}

static bool pass_signals(struct stub *s, const char *p)
{
	uint64_t number;
	int signo;

	s->wishes.pass_signals = 0;
	while (packet_number(&p, &number)) {
		signo = number <= UINT8_MAX ? stub_signal_of((unsigned)number) : 0;
		if (signo)
			s->wishes.pass_signals |= 1ULL << (signo - 1);
		packet_expect(&p, ';');
	}
	stub_ok(s);
	return true;
}

static bool thread_events(struct stub *s, const char *p)
{
	s->wishes.thread_events = *p == '1';
	stub_ok(s);
	return true;
}

static void console(struct stub *s, const char *text, size_t len)
{
	while (len) {
		size_t n = len < 4096 ? len : 4096;

		packet_begin(&s->reply);
		packet_text(&s->reply, "O");
		packet_hex(&s->reply, text, n);
		stub_send(s);
		text += n;
		len -= n;
	}
	packet_begin(&s->reply);
}

static bool command(struct stub *s, const char *p)
{
	char line[1024], *text = NULL;
	size_t n = strlen(p) / 2, len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out || n >= sizeof(line) || !packet_bytes(&p, line, n) || *p) {
		stub_error(s, -EINVAL);
	} else {
		line[n] = 0;
		s->t->ops->monitor(s->t, line, out);
		fflush(out);
		console(s, text, len);
		stub_ok(s);
	}
	if (out)
		fclose(out);
	free(text);
	return true;
}

static bool no_ack(struct stub *s)
{
	/* The client still acknowledges the answer; a '+' that comes later is skipped. */
	stub_ok(s);
	stub_send(s);
	s->packet.no_ack = true;
	s->answered = true;
	return true;
}

bool stub_query(struct stub *s, const char *p)
{
	if (begins(&p, "qSupported"))
		return supported(s, p);
	if (begins(&p, "qXfer:"))
		return transfer(s, p);
	if (begins(&p, "qRcmd,"))
		return command(s, p);
	if (begins(&p, "qThreadExtraInfo,"))
		return thread_info(s, p);
	if (begins(&p, "QCatchSyscalls:"))
		return catch_syscalls(s, p);
	if (begins(&p, "QThreadEvents:"))
		return thread_events(s, p);
	if (begins(&p, "QPassSignals:"))
		return pass_signals(s, p);
	if (!strcmp(p, "QStartNoAckMode"))
		return no_ack(s);
	if (!strcmp(p, "qfThreadInfo"))
		return first_threads(s);
	if (!strcmp(p, "qsThreadInfo")) {
		list_threads(s);
		return true;
	}
	if (!strcmp(p, "qC")) {
		packet_text(&s->reply, "QC");
		stub_put_thread(s, s->t->ops->stopped(s->t)->tid);
		return true;
	}
	/* It was there before: leaving it does not end it. */
	if (begins(&p, "qAttached")) {
		packet_text(&s->reply, "1");
		return true;
	}
	if (begins(&p, "qSymbol:")) {
		stub_ok(s);
		return true;
	}
	return false;
}
