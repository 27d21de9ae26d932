/* Names of values: formatting, errors and signals both ways, and what every set must obey. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "syscall-emu/names_sets.h"
#include "syscall-emu/sysdesc.h"
#include "tests/unit/unit.h"

static char text[512];

static const char *show(const struct sys_names *n, uint64_t value)
{
	int len = names_format(n, value, text, sizeof(text));

	ck_assert_int_eq(len, (int)strlen(text));
	return text;
}

START_TEST(flags)
{
	ck_assert_str_eq(show(&names_open_flags, O_RDONLY), "O_RDONLY");
	ck_assert_str_eq(show(&names_open_flags, O_WRONLY | O_CREAT | O_CLOEXEC), "O_WRONLY|O_CREAT|O_CLOEXEC");
	ck_assert_str_eq(show(&names_open_flags, 3), "0x3");
	ck_assert_str_eq(show(&names_open_flags, 3 | O_TRUNC), "0x3|O_TRUNC");
	ck_assert_str_eq(show(&names_open_flags, 0x8000000 | O_RDWR), "O_RDWR|0x8000000");
	/* Names of several bits win over those of their bits. */
	ck_assert_str_eq(show(&names_open_flags, O_RDWR | O_SYNC), "O_RDWR|O_SYNC");
	ck_assert_str_eq(show(&names_open_flags, O_RDWR | O_TMPFILE), "O_RDWR|O_TMPFILE");
	ck_assert_str_eq(show(&names_prot, 0), "PROT_NONE");
	ck_assert_str_eq(show(&names_prot, 7), "PROT_READ|PROT_WRITE|PROT_EXEC");
	ck_assert_str_eq(show(&names_msg_flags, 0), "0");
	ck_assert_str_eq(show(&names_epoll_events, EPOLLET | EPOLLIN), "EPOLLIN|EPOLLET");
}
END_TEST

START_TEST(enumerations)
{
	ck_assert_str_eq(show(&names_whence, SEEK_END), "SEEK_END");
	ck_assert_str_eq(show(&names_whence, 77), "77");
	ck_assert_str_eq(show(&names_whence, 0x12345), "0x12345");
	ck_assert_str_eq(show(&names_dirfd, (uint64_t)-100), "AT_FDCWD");
	ck_assert_str_eq(show(&names_dirfd, (uint32_t)-100), "AT_FDCWD");
	ck_assert_str_eq(show(&names_socket_type, SOCK_STREAM | SOCK_CLOEXEC), "SOCK_STREAM|SOCK_CLOEXEC");
	ck_assert_str_eq(show(&names_socket_type, 15), "0xf");
	ck_assert_str_eq(show(&names_futex_op, 128), "FUTEX_WAIT|FUTEX_PRIVATE_FLAG");
	ck_assert_str_eq(show(&names_file_mode, S_IFREG | 0644), "S_IFREG|0644");
	ck_assert_str_eq(show(&names_file_mode, S_IFDIR | S_ISVTX | 0777), "S_IFDIR|S_ISVTX|0777");
	ck_assert_str_eq(show(&names_quotactl_cmd, 0x80000701), "Q_GETQUOTA|GRPQUOTA");
}
END_TEST

START_TEST(short_buffers)
{
	char small[8];

	memset(small, 'x', sizeof(small));
	ck_assert_int_eq(names_format(&names_open_flags, O_RDONLY | O_CLOEXEC, small, sizeof(small)), 18);
	ck_assert_str_eq(small, "O_RDONL");
	ck_assert_int_eq(names_format(&names_open_flags, O_RDONLY | O_CLOEXEC, small, 1), 18);
	ck_assert_str_eq(small, "");
	ck_assert_int_eq(names_format(&names_open_flags, O_RDONLY | O_CLOEXEC, NULL, 0), 18);
}
END_TEST

START_TEST(errors)
{
	for (int e = 1; e < 134; e++) {
		if (e == 41 || e == 58) { /* Linux has none of these numbers */
			ck_assert_ptr_null(errno_name(e));
			continue;
		}
		ck_assert_msg(errno_name(e), "errno %d has no name", e);
		ck_assert_int_eq(errno_value(errno_name(e)), e);
	}
	ck_assert_str_eq(errno_name(EAGAIN), "EAGAIN");
	ck_assert_int_eq(errno_value("EWOULDBLOCK"), EAGAIN);
	ck_assert_int_eq(errno_value("ENOTSUP"), EOPNOTSUPP);
	ck_assert_int_eq(errno_value("ENOWHERE"), -1);
	ck_assert_ptr_null(errno_name(0));
	ck_assert_ptr_null(errno_name(-2));
	ck_assert_ptr_null(errno_name(4000));
}
END_TEST

START_TEST(signals)
{
	for (int sig = 1; sig <= 64; sig++) {
		ck_assert_msg(signal_name(sig), "signal %d has no name", sig);
		ck_assert_int_eq(signal_value(signal_name(sig)), sig);
		ck_assert_int_eq(signal_value(signal_name(sig) + 3), sig);
	}
	ck_assert_ptr_null(signal_name(0));
	ck_assert_ptr_null(signal_name(65));
	ck_assert_str_eq(signal_name(35), "SIGRT_3");
	ck_assert_int_eq(signal_value("9"), 9);
	ck_assert_int_eq(signal_value("IOT"), SIGABRT);
	ck_assert_int_eq(signal_value("0"), -1);
	ck_assert_int_eq(signal_value("65"), -1);
	ck_assert_int_eq(signal_value("9x"), -1);
	ck_assert_int_eq(signal_value("-9"), -1);
	ck_assert_int_eq(signal_value(""), -1);
	ck_assert_int_eq(signal_value("SIG"), -1);
}
END_TEST

/* A name must be reachable: no name twice, nothing hidden by an earlier entry of the same value but known aliases. */
static void check_set(const char *row, const struct sys_names *n)
{
	for (const struct sys_name *a = n->v; a->name; a++) {
		ck_assert_msg(a->name[0] && !strpbrk(a->name, "|("), "%s: bad name %s", row, a->name);
		for (const struct sys_name *b = a + 1; b->name; b++) {
			ck_assert_msg(strcmp(a->name, b->name), "%s: %s twice", row, a->name);
			/* A name of several bits behind one of its bits would never be shown. */
			if (n->is_flags && b->value && !(b->value & n->mask) && !(a->value & n->mask))
				ck_assert_msg(!a->value || a->value == b->value || (b->value & a->value) != a->value,
					      "%s: %s hides %s", row, a->name, b->name);
		}
	}
}

START_TEST(sets_of_the_table)
{
	unsigned sets = 0;

	for (unsigned nr = 0; nr < SYS_TABLE_SIZE; nr++) {
		const struct sys_desc *d = sys_row(nr);

		for (unsigned i = 0; d && i < 6; i++) {
			if (!d->names[i])
				continue;
			check_set(d->name, d->names[i]);
			sets++;
		}
		for (unsigned k = 0; d && d->variants && k < *d->nvariants; k++)
			for (unsigned i = 0; i < 6; i++)
				if (d->variants[k].names[i])
					check_set(d->variants[k].name, d->variants[k].names[i]);
	}
	ck_assert_uint_gt(sets, 50);
}
END_TEST

/* Names of commands are found again, and are names: a macro that was expanded too early would be a number here. */
START_TEST(variants_by_name)
{
	unsigned commands = 0;

	for (unsigned nr = 0; nr < SYS_TABLE_SIZE; nr++) {
		const struct sys_desc *d = sys_row(nr);

		for (unsigned k = 0; d && d->variants && k < *d->nvariants; k++) {
			const struct sys_desc *c = &d->variants[k];
			size_t len = strlen(d->name);

			ck_assert_msg(!strncmp(c->name, d->name, len) && c->name[len] == '$', "%s: %s", d->name,
				      c->name);
			ck_assert_msg(c->name[len + 1] >= 'A' && c->name[len + 1] <= 'Z', "%s", c->name);
			ck_assert_msg(sys_by_name(c->name) == c, "%s is there twice", c->name);
			for (unsigned j = 0; j < k; j++)
				ck_assert_msg(d->variants[j].key != c->key, "%s and %s have one number",
					      d->variants[j].name, c->name);
			commands++;
		}
	}
	ck_assert_uint_gt(commands, 400);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *t = tcase_create("names");

	tcase_add_test(t, flags);
	tcase_add_test(t, enumerations);
	tcase_add_test(t, short_buffers);
	tcase_add_test(t, errors);
	tcase_add_test(t, signals);
	tcase_add_test(t, sets_of_the_table);
	tcase_add_test(t, variants_by_name);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
