/* The remote protocol: framing, and what each packet does and answers, over a target without a program. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "gdbstub/stub_int.h"
#include "tests/unit/stub_target.h"
#include "tests/unit/unit.h"

/* ---- framing ---- */

static struct packet_in in;

static enum packet_event feed(const char *bytes, size_t len)
{
	enum packet_event e = PACKET_MORE;

	for (size_t i = 0; i < len; i++) {
		ck_assert_int_eq(e, PACKET_MORE);
		e = packet_feed(&in, (unsigned char)bytes[i]);
	}
	return e;
}
#define FEED(s) feed(s, sizeof(s) - 1)

START_TEST(packets_come_out_whole)
{
	memset(&in, 0, sizeof(in));
	ck_assert_int_eq(FEED("+"), PACKET_ACK);
	ck_assert_int_eq(FEED("-"), PACKET_NAK);
	ck_assert_int_eq(FEED("\003"), PACKET_INTERRUPT);
	ck_assert_int_eq(FEED("noise$g#67"), PACKET_DATA);
	ck_assert_str_eq((char *)in.data, "g");
	ck_assert_int_eq(FEED("$#00"), PACKET_DATA);
	ck_assert_uint_eq(in.len, 0);
	/* An escaped byte may be one that ends packets; the sum is that of the bytes sent. */
	ck_assert_int_eq(FEED("$X}\003#d8"), PACKET_DATA);
	ck_assert_uint_eq(in.len, 2);
	ck_assert_int_eq(in.data[1], '#');
}
END_TEST

START_TEST(damaged_packets_are_refused)
{
	memset(&in, 0, sizeof(in));
	ck_assert_int_eq(FEED("$g#00"), PACKET_BAD);
	ck_assert_int_eq(FEED("$g#zz"), PACKET_BAD);
	ck_assert_int_eq(FEED("$g}#e4"), PACKET_BAD);
	/* A packet that begins in another one: what came before is gone. */
	ck_assert_int_eq(FEED("$lost$g#67"), PACKET_DATA);
	ck_assert_str_eq((char *)in.data, "g");
	in.no_ack = true;
	ck_assert_int_eq(FEED("$g#00"), PACKET_DATA);
}
END_TEST

START_TEST(too_long_a_packet_is_skipped)
{
	memset(&in, 0, sizeof(in));
	in.no_ack = true;
	ck_assert_int_eq(FEED("$"), PACKET_MORE);
	for (size_t i = 0; i < PACKET_MAX + 1; i++)
		ck_assert_int_eq(packet_feed(&in, 'a'), PACKET_MORE);
	ck_assert_int_eq(FEED("#00"), PACKET_BAD);
	ck_assert_int_eq(FEED("$g#67"), PACKET_DATA);
}
END_TEST

START_TEST(replies_are_escaped_and_summed)
{
	struct packet_out o = { 0 };
	const unsigned char *p;
	size_t n;

	packet_begin(&o);
	packet_binary(&o, "a}b#$*", 6);
	p = packet_finish(&o, &n);
	ck_assert_uint_eq(n, 14);
	ck_assert_mem_eq(p, "$a}\x5d" "b}\x03}\x04}\x0a#", 12);
	packet_begin(&o);
	packet_hex(&o, "\x01\xfe", 2);
	p = packet_finish(&o, &n);
	ck_assert_mem_eq(p, "$01fe#2c", 8);
	packet_free(&o);
}
END_TEST

START_TEST(numbers_have_limits)
{
	const char *s = "ffffffffffffffff,";
	uint64_t v;
	uint8_t b[2];

	ck_assert(packet_number(&s, &v));
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert_int_eq(*s, ',');
	ck_assert(!packet_number(&s, &v));
	s = "10000000000000000";
	ck_assert(!packet_number(&s, &v));
	s = "12a";
	ck_assert(!packet_bytes(&s, b, 2));
}
END_TEST

/* ---- packets ---- */

static struct stub *stub;
static int wire[2];
static char answer[2 * PACKET_MAX];

static void setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, wire), 0);
	stub = malloc(sizeof(*stub));
	stub_init(stub, toy_begin(), wire[1], wire[1]);
	stub->packet.no_ack = true;
}

static void teardown(void)
{
	stub_free(stub);
	free(stub);
	close(wire[0]);
	close(wire[1]);
}

/* The data of the reply, escapes undone. */
static const char *ask_bytes(const char *packet, size_t len)
{
	static struct packet_in reply;
	char copy[16384];
	unsigned char c;

	memcpy(copy, packet, len);
	copy[len] = 0;
	stub_handle(stub, copy, len);
	memset(&reply, 0, sizeof(reply));
	while (read(wire[0], &c, 1) == 1)
		if (packet_feed(&reply, c) == PACKET_DATA)
			break;
	memcpy(answer, reply.data, reply.len + 1);
	return answer;
}

static const char *ask(const char *packet)
{
	return ask_bytes(packet, strlen(packet));
}

START_TEST(what_is_unknown_gets_the_empty_reply)
{
	static const char *const odd[] = { "", "y", "vWhatever", "vMustReplyEmpty", "qNothing", "Qx", "bx", "bcc", "qXfer:", "qXfer:odd:read::0,1",
					   "qXfer:features:write:x:0:1", "Z9,0,1", "Z1,0,1", "R00", "vFile:no:1" };

	for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		ck_assert_msg(!*ask(odd[i]), "%s: %s", odd[i], answer);
}
END_TEST

START_TEST(malformed_packets_get_errors)
{
	static const char *const bad[] = { "m", "mzz,1", "m1000", "m10000000000000000,1", "M1000,2:00", "M1000,1:0", "M1000,1:000", "X1000,2:a",
					   "p", "pffff", "Pzz=1", "P0=00", "P10", "G00", "Z0", "Z0,1", "z0,x,1", "H", "Hx1", "Hg", "Tp", "T77",
					   "vCont;x", "vCont;C", "vCont;r1", "vCont;s:p", "vCont;cc", "qRcmd,0", "qRcmd,zz" };

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(*ask(bad[i]) == 'E', "%s: %s", bad[i], answer);
	ck_assert_uint_eq(toy.changes, 0);
}
END_TEST

START_TEST(memory_is_read_and_written)
{
	ck_assert_str_eq(ask("m1000,4"), "00010203");
	ck_assert_str_eq(ask("m10fe,8"), "feff"); /* what there is */
	ck_assert_int_eq(*ask("m2000,1"), 'E');
	ck_assert_str_eq(ask("M1001,2:aabb"), "OK");
	ck_assert_str_eq(ask("m1000,4"), "00aabb03");
	ck_assert_str_eq(ask_bytes("X1000,3:#}$", 11), "OK");
	ck_assert_mem_eq(toy.memory, "#}$", 3);
	ck_assert_mem_eq(ask("x1000,3"), "b#}$", 4);
	ck_assert_str_eq(ask("X1000,0:"), "OK"); /* gdb asks so whether X is known */
	ck_assert_int_eq(*ask("M2000,1:00"), 'E');
	ck_assert_uint_gt(strlen(ask("m1000,ffffffffffffffff")), 0);
}
END_TEST

START_TEST(registers_have_gdbs_numbers)
{
	toy.regs.r.rax = 0x1122334455667788;
	toy.regs.r.rsp = 7;
	toy.regs.r.fs_base = 9;
	memset(toy.regs.xsave + 160, 0xab, 16);
	memset(toy.regs.xsave + 576 + 16, 0xcd, 16);
	ck_assert_str_eq(ask("p0"), "8877665544332211");
	ck_assert_str_eq(ask("p7"), "0700000000000000");
	ck_assert_str_eq(ask("p10"), "0010000000000000");
	ck_assert_str_eq(ask("p12"), "33000000"); /* cs */
	ck_assert_str_eq(ask("p28"), "abababababababababababababababab"); /* xmm0 */
	ck_assert_str_eq(ask("p39"), "ffffffffffffffff"); /* orig_rax */
	ck_assert_str_eq(ask("p3a"), "0900000000000000"); /* fs_base */
	ck_assert_str_eq(ask("p3d"), "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"); /* ymm1h */
	ck_assert_str_eq(ask("P3=0500000000000000"), "OK");
	ck_assert_uint_eq(toy.regs.r.rdx, 5);
	ck_assert_uint_eq(toy.regs.r.rcx, 0);
}
END_TEST

START_TEST(all_registers_go_round)
{
	char packet[8192];

	for (unsigned i = 0; i < GUEST_NREGS; i++)
		toy.regs.r.r[i] = i * 0x101;
	toy.regs.r.rflags = 0x246;
	for (unsigned i = 160; i < 512; i++)
		toy.regs.xsave[i] = (uint8_t)i;
	snprintf(packet, sizeof(packet), "G%s", ask("g"));

	struct debug_regs was = toy.regs;

	ck_assert_str_eq(ask(packet), "OK");
	ck_assert_mem_eq(&was.r, &toy.regs.r, sizeof(was.r));
	ck_assert_mem_eq(was.xsave + 160, toy.regs.xsave + 160, 256);
	ck_assert_mem_eq(was.xsave + 576, toy.regs.xsave + 576, 2048);
}
END_TEST

START_TEST(x87_tags_have_two_bits)
{
	/* Top of stack 6: physical 6 is st0 (a number), 7 is st1 (zero); the others are empty. */
	toy.regs.xsave[3] = 6 << 3;
	toy.regs.xsave[4] = 0xc0;
	toy.regs.xsave[32 + 7] = 0x80;
	toy.regs.xsave[32 + 8] = 0xff;
	toy.regs.xsave[32 + 9] = 0x3f;
	ck_assert_str_eq(ask("p22"), "ff4f0000");
	ck_assert_str_eq(ask("P22=fffc0000"), "OK");
	ck_assert_uint_eq(toy.regs.xsave[4], 0x10);
}
END_TEST

START_TEST(description_is_whole)
{
	char all[65536] = "", packet[64];
	const char *r;

	do {
		snprintf(packet, sizeof(packet), "qXfer:features:read:target.xml:%zx,3ff", strlen(all));
		r = ask(packet);
		ck_assert(*r == 'm' || *r == 'l');
		ck_assert_uint_lt(strlen(all) + strlen(r), sizeof(all));
		strcat(all, r + 1);
	} while (*r == 'm');
	ck_assert_ptr_nonnull(strstr(all, "org.gnu.gdb.i386.avx512"));
	ck_assert_ptr_nonnull(strstr(all, "</target>"));
	ck_assert_ptr_null(strstr(all, "pkru"));
	ck_assert_int_eq(*ask("qXfer:features:read:other.xml:0,10"), 'E');
}
END_TEST

START_TEST(it_runs_both_ways)
{
	ck_assert_str_eq(ask("vCont;s:2b"), "T05thread:2b;");
	ck_assert(toy.asked.step && !toy.asked.back && toy.asked.tid == TID);
	ck_assert_str_eq(ask("bs"), "T05replaylog:begin;thread:2b;");
	stub->swbreak = true;
	ck_assert_str_eq(ask("Z0,1004,1"), "OK");
	ck_assert_str_eq(ask("vCont;c"), "T05swbreak:;thread:2b;");
	ck_assert_str_eq(ask("m1004,1"), "04");
	ck_assert_str_eq(ask("c"), "T05replaylog:end;thread:2b;");
	ck_assert_str_eq(ask("bc"), "T05swbreak:;thread:2b;");
	ck_assert_str_eq(ask("z0,1004,1"), "OK");
	ck_assert_str_eq(ask("bc"), "T05replaylog:begin;thread:2b;");
	ck_assert_str_eq(ask("?"), "T05thread:2b;");
	ck_assert_str_eq(ask("vCont;r1000,1005:2b;c"), "T05thread:2b;");
	ck_assert_uint_eq(toy.asked.range[1], 0x1005);
	stub->multiprocess = true;
	ck_assert_str_eq(ask("vCont;s:p2a.2b;c:p2a.-1"), "T05thread:p2a.2b;");
}
END_TEST

/* What is said when it stops so. */
static const char *stops(struct debug_stop stop)
{
	stop.tid = TID;
	toy.next = stop;
	return ask("vCont;c");
}

START_TEST(stops_say_why)
{
	const struct debug_stop watch = { .kind = DEBUG_WATCHPOINT, .addr = 0x1008, .point = DEBUG_WATCH_ACCESS };

	ck_assert_str_eq(stops((struct debug_stop){ .kind = DEBUG_SIGNAL, .signo = SIGUSR1 }), "T1ethread:2b;");
	ck_assert_str_eq(ask("?"), "T1ethread:2b;");
	ck_assert_str_eq(stops(watch), "T05awatch:1008;thread:2b;");
	ck_assert_str_eq(stops((struct debug_stop){ .kind = DEBUG_SYSCALL_ENTRY, .nr = 231 }), "T05syscall_entry:e7;thread:2b;");
	ck_assert_str_eq(stops((struct debug_stop){ .kind = DEBUG_SYSCALL_RETURN, .nr = 1 }), "T05syscall_return:1;thread:2b;");
	ck_assert_str_eq(stops((struct debug_stop){ .kind = DEBUG_EXEC, .path = "/x" }), "T05thread:2b;");
	stub->wishes.exec_events = true;
	ck_assert_str_eq(stops((struct debug_stop){ .kind = DEBUG_EXEC, .path = "/x" }), "T05exec:2f78;thread:2b;");
	ck_assert_str_eq(ask("?"), "T05thread:2b;"); /* that was for who saw it */
	ck_assert_str_eq(stops((struct debug_stop){ .kind = DEBUG_FORK, .child = 0x63 }), "T05fork:p63.63;thread:2b;");
	ck_assert_str_eq(stops((struct debug_stop){ .kind = DEBUG_THREAD_BORN, .child = 0x2c }), "T05create:;thread:2c;");
	ck_assert_str_eq(stops((struct debug_stop){ .kind = DEBUG_THREAD_ENDED, .child = 0x2c, .status = 3 }), "w3;2c");
	toy.asked.interrupted = NULL;
	toy.stop = (struct debug_stop){ .kind = DEBUG_EXITED, .tid = TID, .status = 3 << 8 };
	ck_assert_str_eq(ask("?"), "W03");
	stub->multiprocess = true;
	toy.stop.status = SIGSEGV | 0x80;
	ck_assert_str_eq(ask("?"), "X0b;process:2a");
	/* It has ended: there is nothing to run. */
	ck_assert_str_eq(ask("vCont;c"), "X0b;process:2a");
	ck_assert_ptr_null(toy.asked.interrupted);
}
END_TEST

START_TEST(a_vfork_is_done_at_once)
{
	ck_assert_str_eq(stops((struct debug_stop){ .kind = DEBUG_VFORK, .child = 0x63 }), "T05vfork:p63.63;thread:2b;");
	toy.next.kind = DEBUG_INTERRUPTED;
	ck_assert_str_eq(ask("vCont;s:2b"), "T05vforkdone:;thread:2b;");
	ck_assert_str_eq(ask("vCont;c"), "T02thread:2b;");
}
END_TEST

START_TEST(signals_have_gdbs_numbers)
{
	for (int signo = 1; signo <= 64; signo++)
		ck_assert(stub_signal_number(signo) == 143 || stub_signal_of(stub_signal_number(signo)) == signo);
	ck_assert_uint_eq(stub_signal_number(SIGBUS), 10);
	ck_assert_uint_eq(stub_signal_number(SIGCHLD), 20);
	ck_assert_uint_eq(stub_signal_number(34), 46);
	ck_assert_uint_eq(stub_signal_number(16), 143);
	ck_assert_int_eq(stub_signal_of(0), 0);
}
END_TEST

START_TEST(wishes_reach_the_target)
{
	ck_assert_str_eq(ask("QCatchSyscalls:1;1;e7"), "OK");
	ck_assert_str_eq(ask("QPassSignals:e;1e"), "OK");
	ask("s");
	ck_assert(toy.asked.wishes.syscalls && !toy.asked.wishes.all_syscalls);
	ck_assert_uint_eq(toy.asked.wishes.syscall[0], 2);
	ck_assert_uint_eq(toy.asked.wishes.syscall[231 / 8], 1u << 231 % 8);
	ck_assert_uint_eq(toy.asked.wishes.pass_signals, 1ULL << (SIGALRM - 1) | 1ULL << (SIGUSR1 - 1));
	ck_assert_str_eq(ask("QCatchSyscalls:1"), "OK");
	ask("s");
	ck_assert(toy.asked.wishes.all_syscalls);
	ck_assert_str_eq(ask("QCatchSyscalls:0"), "OK");
	ask("s");
	ck_assert(!toy.asked.wishes.syscalls);
	ck_assert_str_eq(ask("QThreadEvents:1"), "OK");
	ask("s");
	ck_assert(toy.asked.wishes.thread_events);
	ck_assert_str_eq(ask("QThreadEvents:0"), "OK");
	ask("s");
	ck_assert(!toy.asked.wishes.thread_events);
}
END_TEST

START_TEST(threads_and_objects)
{
	ck_assert_str_eq(ask("qfThreadInfo"), "m2b");
	ck_assert_str_eq(ask("qsThreadInfo"), "l");
	ck_assert_str_eq(ask("qXfer:threads:read::0,1000"),
			 "l<?xml version=\"1.0\"?><threads><thread id=\"2b\" name=\"a?b\"/></threads>");
	ck_assert_str_eq(ask("qThreadExtraInfo,2b"), "613c62");
	ck_assert_str_eq(ask("qXfer:auxv:read::2,3"), "m234");
	ck_assert_str_eq(ask("qXfer:auxv:read::a,3"), "l");
	ck_assert_str_eq(ask("qXfer:exec-file:read:2a:0,100"), "l/bin/toy");
	/* An auxiliary vector of nonsense leads nowhere. */
	ck_assert_str_eq(ask("qXfer:libraries-svr4:read::0,100"), "l<library-list-svr4 version=\"1.0\"></library-list-svr4>");
	ck_assert_str_eq(ask("qXfer:siginfo:read::0,2"), "m01");
	ck_assert_str_eq(ask("qC"), "QC2b");
	ck_assert_str_eq(ask("Hg2b"), "OK");
	ck_assert_str_eq(ask("T2b"), "OK");
	ck_assert_str_eq(ask("Hg2c"), "OK");
	ck_assert_str_eq(ask("qXfer:siginfo:read::0,2"), "E3d"); /* a signal is one thread's */
	ck_assert_ptr_nonnull(strstr(ask("qSupported:multiprocess+;swbreak+"), "ReverseContinue+"));
	ck_assert(stub->multiprocess && stub->swbreak && !stub->hwbreak);
}
END_TEST

START_TEST(a_child_that_gdb_leaves_alone)
{
	ck_assert_str_eq(ask("Z0,1004,1"), "OK");
	ck_assert_str_eq(ask("Hgp63.63"), "OK");
	ck_assert_str_eq(ask("z0,1004,1"), "OK");
	ck_assert_uint_eq(toy.breakpoint, 0x1004);
	ck_assert_str_eq(ask("D;63"), "OK");
	ck_assert(!stub->over);
	ck_assert_str_eq(ask("D"), "OK");
	ck_assert(stub->over && stub->end == STUB_DETACHED);
}
END_TEST

START_TEST(files_come_from_the_target)
{
	ck_assert_str_eq(ask("vFile:setfs:0"), "F0");
	ck_assert_str_eq(ask("vFile:open:2f62696e2f746f79,0,0"), "F0");
	ck_assert_str_eq(ask("vFile:open:2f62696e2f746f79,0,0"), "F1");
	ck_assert_mem_eq(ask("vFile:pread:0,100,0"), "F4;}$#*", 7);
	ck_assert_mem_eq(ask("vFile:pread:0,100,2"), "F2;#*", 5);
	ck_assert_mem_eq(ask("vFile:fstat:0"), "F40;", 4);
	ck_assert_str_eq(ask("vFile:close:0"), "F0");
	ck_assert_str_eq(ask("vFile:close:0"), "F-1,9");
	ck_assert_str_eq(ask("vFile:open:2f78,0,0"), "F-1,2");
	ck_assert_str_eq(ask("vFile:open:2f62696e2f746f79,1,0"), "F-1,1e");
	ck_assert_str_eq(ask("vFile:pwrite:1,0,x"), "F-1,1e");
	ck_assert_str_eq(ask("vFile:open:2f7"), "F-1,16");
	ck_assert_mem_eq(ask("vFile:stat:2f62696e2f746f79"), "F40;", 4);
	ck_assert_str_eq(ask("vFile:lstat:2f78"), "F-1,2");
	ck_assert_str_eq(ask("vFile:readlink:2f70726f632f34322f657865"), "F8;/bin/toy"); /* /proc/42/exe */
	ck_assert_str_eq(ask("vFile:readlink:2f78"), "F-1,16");
	for (unsigned i = 0; i < STUB_FILES; i++)
		ask("vFile:open:2f62696e2f746f79,0,0");
	ck_assert_str_eq(answer, "F-1,18");
}
END_TEST

START_TEST(monitor_answers_in_console_packets)
{
	char c;

	ask("qRcmd,6869");
	ck_assert_str_eq(answer, "O3c68693e");
	/* And then OK. */
	ck_assert_int_eq(read(wire[0], &c, 1), 1);
	ck_assert_int_eq(c, '$');
}
END_TEST

START_TEST(extended_mode_starts_again)
{
	ask("c");
	ck_assert_str_eq(ask("!"), "OK");
	ck_assert_str_eq(ask("vKill;2a"), "OK");
	ck_assert(!stub->over);
	ck_assert_str_eq(ask("vRun;"), "T05thread:2b;");
	ck_assert_uint_eq(toy.regs.r.rip, PAGE);
	/* Its leave is not the end either: it closes its files afterwards. */
	ck_assert_str_eq(ask("D;2a"), "OK");
	ck_assert(!stub->over && stub->detached);
}
END_TEST

START_TEST(a_client_that_vanishes)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(write(pair[0], "+$qC#b4+$g", 10), 10);
	shutdown(pair[0], SHUT_RDWR);
	close(pair[0]);
	ck_assert_int_eq(stub_serve(toy_begin(), pair[1], pair[1]), STUB_LOST);
	close(pair[1]);
}
END_TEST

START_TEST(without_acknowledgement_it_says_it_again)
{
	char got[64] = "";
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(write(pair[0], "$qC#b4-+$D#44+", 14), 14);
	ck_assert_int_eq(stub_serve(toy_begin(), pair[1], pair[1]), STUB_DETACHED);
	ck_assert_int_gt(read(pair[0], got, sizeof(got) - 1), 0);
	ck_assert_str_eq(got, "+$QC2b#28$QC2b#28+$OK#9a");
	close(pair[0]);
	close(pair[1]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gdbstub");
	TCase *framing = tcase_create("framing"), *packets = tcase_create("packets");

	suite_add_tcase(s, framing);
	suite_add_tcase(s, packets);
	tcase_add_checked_fixture(packets, setup, teardown);
	tcase_add_test(framing, packets_come_out_whole);
	tcase_add_test(framing, damaged_packets_are_refused);
	tcase_add_test(framing, too_long_a_packet_is_skipped);
	tcase_add_test(framing, replies_are_escaped_and_summed);
	tcase_add_test(framing, numbers_have_limits);
	tcase_add_test(framing, signals_have_gdbs_numbers);
	tcase_add_test(framing, a_client_that_vanishes);
	tcase_add_test(framing, without_acknowledgement_it_says_it_again);
	tcase_add_test(packets, what_is_unknown_gets_the_empty_reply);
	tcase_add_test(packets, malformed_packets_get_errors);
	tcase_add_test(packets, memory_is_read_and_written);
	tcase_add_test(packets, registers_have_gdbs_numbers);
	tcase_add_test(packets, all_registers_go_round);
	tcase_add_test(packets, x87_tags_have_two_bits);
	tcase_add_test(packets, description_is_whole);
	tcase_add_test(packets, it_runs_both_ways);
	tcase_add_test(packets, stops_say_why);
	tcase_add_test(packets, a_vfork_is_done_at_once);
	tcase_add_test(packets, wishes_reach_the_target);
	tcase_add_test(packets, threads_and_objects);
	tcase_add_test(packets, a_child_that_gdb_leaves_alone);
	tcase_add_test(packets, files_come_from_the_target);
	tcase_add_test(packets, monitor_answers_in_console_packets);
	tcase_add_test(packets, extended_mode_starts_again);
	return unit_run(s);
}
