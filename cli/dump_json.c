/* Events as JSON. Contract: dump_json.h. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/dump_json.h"
#include "syscall-emu/loader.h"
#include "syscall-emu/names.h"
#include "vmm/cleanup.h"
#include "vmm/exec_point.h"

const char *dump_signal_name(const struct event *ev)
{
	const char *name = signal_name(decode_signo(ev->annex, ev->annex_len));

	return name ? name : "signal ?";
}

bool dump_is_at_point(const struct event *ev)
{
	return ev->type == REC_SIGNAL && ev->flags & REC_F_POINT;
}

bool dump_branches(const struct event *ev, uint64_t *count)
{
	size_t at = ev->type == REC_SIGNAL ? sizeof(siginfo_t) : 0;
	struct exec_point p;

	if ((ev->type != REC_SIGNAL && ev->type != REC_SCHED) || !(ev->flags & REC_F_POINT) || ev->annex_len < at ||
	    exec_point_decode((const char *)ev->annex + at, ev->annex_len - at, &p) < 0 || p.kind != POINT_BRANCHES)
		return false;
	*count = p.branches;
	return true;
}

static void add_branches(json_t *o, const struct event *ev)
{
	uint64_t count;

	if (dump_branches(ev, &count))
		json_object_set_new(o, "branches", json_integer((json_int_t)count));
}

/* What a printing function prints, as a JSON string: the decoders escape everything that is not ASCII. */
struct text {
	FILE *f;
	char *buf;
	size_t len;
};

static FILE *text_begin(struct text *t)
{
	t->buf = NULL;
	t->f = open_memstream(&t->buf, &t->len);
	return t->f;
}

static json_t *text_end(struct text *t)
{
	json_t *v = NULL;

	if (!fclose(t->f))
		v = json_stringn(t->buf, t->len);
	free(t->buf);
	return v;
}

static json_t *hex(uint64_t v)
{
	return json_sprintf("0x%" PRIx64, v);
}

static json_t *argument(const struct call *c, unsigned i)
{
	struct text t;

	if (!text_begin(&t))
		return NULL;
	decode_arg(t.f, c, i);
	return text_end(&t);
}

static json_t *pieces(const struct memory *mem)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < mem->n; i++) {
		const struct memory_piece *p = &mem->piece[i];
		size_t shown = p->kept < DECODE_STRING_MAX ? p->kept : DECODE_STRING_MAX;
		static const char *const kinds[] = { "written", "stdout", "stderr", "read", "file_size", "site" };
		struct text t;

		if (!text_begin(&t))
			break;
		decode_quoted(t.f, p->bytes, shown, shown < p->len);
		json_array_append_new(list, json_pack("{s:s, s:o, s:I, s:o}", "kind",
			p->kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[p->kind] : "?", "addr", hex(p->addr),
			"len", (json_int_t)p->len, "bytes", text_end(&t)));
	}
	return list;
}

static void add_output(json_t *o, const struct event *ev)
{
	uint32_t number;

	if (!(ev->flags & (REC_F_STDOUT | REC_F_STDERR)))
		return;
	json_object_set_new(o, "output", json_string(ev->flags & REC_F_STDOUT ? "stdout" : "stderr"));
	if (ev->annex_len == sizeof(number)) {
		memcpy(&number, ev->annex, sizeof(number));
		json_object_set_new(o, "order", json_integer(number));
	}
}

/* Any bytes as a string of their own: quoted like all others, without the quotes. */
static json_t *plain(const char *bytes, size_t len)
{
	json_t *v = json_stringn(bytes, len); /* NULL when it is no UTF-8 */
	struct text t;

	if (v || !text_begin(&t))
		return v;
	decode_quoted(t.f, bytes, len, false);
	return text_end(&t);
}

static void add_call(json_t *o, const struct event *ev, const struct memory *mem)
{
	json_t *args = json_array(), *raw = json_array();
	struct call c;
	struct text t;
	size_t len;
	char *log;

	decode_call(&c, ev, mem);
	if (text_begin(&t)) {
		decode_name(t.f, &c);
		json_object_set_new(o, "name", text_end(&t));
	}
	if (c.variant)
		json_object_set_new(o, "variant", json_string(c.row->name));
	json_object_set_new(o, "nr", json_integer((json_int_t)c.nr));
	for (unsigned i = 0; i < decode_nargs(&c); i++) {
		json_array_append_new(args, argument(&c, i));
		json_array_append_new(raw, hex(c.arg[i]));
	}
	json_object_set_new(o, "args", args);
	json_object_set_new(o, "raw", raw);
	if (!c.unfinished)
		json_object_set_new(o, "result", json_integer(c.result));
	if (c.failed && errno_name((int)-c.result))
		json_object_set_new(o, "error", json_string(errno_name((int)-c.result)));
	if (text_begin(&t)) {
		decode_result(t.f, &c);
		json_object_set_new(o, "text", text_end(&t));
	}
	log = decode_log(&c, &len);
	if (len)
		json_object_set_new(o, "log", plain(log, len));
	free(log);
	if (ev->flags & REC_F_REFUSED)
		json_object_set_new(o, "refused", json_true());
	else if (ev->flags & REC_F_INJECTED)
		json_object_set_new(o, "injected", json_true());
	add_output(o, ev);
}

static void add_exec(json_t *o, const struct event *ev)
{
	json_t *args = json_array();
	struct exec_params x;

	if (exec_params_decode(ev->annex, ev->annex_len, &x) < 0) {
		json_decref(args);
		return;
	}
	json_object_set_new(o, "path", plain(x.path, strlen(x.path)));
	for (size_t i = 0; x.argv[i]; i++)
		json_array_append_new(args, plain(x.argv[i], strlen(x.argv[i])));
	json_object_set_new(o, "argv", args);
	exec_params_free(&x);
}

static void add_fork(json_t *o, const struct event *ev)
{
	struct fork_annex f;

	if (ev->annex_len != sizeof(f))
		return;
	memcpy(&f, ev->annex, sizeof(f));
	json_object_set_new(o, "parent", json_integer(f.parent));
	json_object_set_new(o, "parent_process", json_integer(f.parent_number));
	json_object_set_new(o, "rip", hex(ev->regs.rip));
}

static void add_signal(json_t *o, const struct event *ev)
{
	struct text t;

	json_object_set_new(o, "signal", json_string(dump_signal_name(ev)));
	if (text_begin(&t)) {
		decode_siginfo(t.f, ev->annex, ev->annex_len);
		json_object_set_new(o, "text", text_end(&t));
	}
	json_object_set_new(o, "at_point", json_boolean(dump_is_at_point(ev)));
	add_branches(o, ev);
	json_object_set_new(o, "rip", hex(ev->regs.rip));
}

static void add_exit(json_t *o, const struct event *ev)
{
	struct text t;

	json_object_set_new(o, "status", json_integer(ev->result));
	if (text_begin(&t)) {
		decode_wait_status(t.f, (int)ev->result);
		json_object_set_new(o, "text", text_end(&t));
	}
}

static const char *type_name(uint8_t type)
{
	switch (type) {
	case REC_EXEC:
		return "exec";
	case REC_SYSCALL:
		return "syscall";
	case REC_SIGNAL:
		return "signal";
	case REC_FAULT:
		return "fault";
	case REC_TSC:
		return "tsc";
	case REC_EXIT:
		return "exit";
	case REC_NOTE:
		return "note";
	case REC_FORK:
		return "fork";
	case REC_SCHED:
		return "sched";
	case REC_TURN:
		return "turn";
	default:
		return "unknown";
	}
}

static void add_details(json_t *o, const struct event *ev, const struct memory *mem)
{
	switch (ev->type) {
	case REC_EXEC:
		add_exec(o, ev);
		break;
	case REC_FORK:
		add_fork(o, ev);
		break;
	case REC_SYSCALL:
		add_call(o, ev, mem);
		break;
	case REC_SIGNAL:
	case REC_FAULT:
		add_signal(o, ev);
		break;
	case REC_TSC:
		json_object_set_new(o, "result", hex((uint64_t)ev->result));
		break;
	case REC_EXIT:
		add_exit(o, ev);
		break;
	case REC_TURN:
		json_object_set_new(o, "number", json_integer(ev->result));
		break;
	case REC_SCHED:
		json_object_set_new(o, "point", json_boolean(ev->flags & REC_F_POINT));
		add_branches(o, ev);
		break;
	case REC_NOTE:
		json_object_set_new(o, "text", plain(ev->annex ? ev->annex : "", ev->annex ? ev->annex_len : 0));
		break;
	}
}

bool dump_json(FILE *out, const struct trace_proc *p, const struct event *ev, const struct memory *mem)
{
	json_t *o = json_pack("{s:I, s:i, s:i, s:i, s:I, s:s}", "event", (json_int_t)ev->index, "process",
			      p->number, "pid", p->pid, "tid", (int)ev->tid, "time_ns", (json_int_t)ev->time_ns, "type", type_name(ev->type));
	cleanup_free char *line = NULL;

	if (!o)
		return false;
	add_details(o, ev, mem);
	if (mem->n)
		json_object_set_new(o, "memory", pieces(mem));
	line = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(o);
	return line && fprintf(out, "%s\n", line) > 0;
}
