/*
 * Socket options whose value holds pointers, or counts something else than bytes, or that cannot be recorded. All
 * others are one row each in table_net.c. Source: socket(7), packet(7), Linux net/core/sock.c, net/core/filter.c,
 * net/ipv4/netfilter/ip_tables.c.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "syscall-emu/names_sets.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/variants.h"

/* Their headers do not go together with libc's. */
#define TCP_ZEROCOPY_RECEIVE 35
#define IPT_SO_SET_REPLACE 64
#define IP6T_SO_SET_REPLACE 64
#define ARPT_SO_SET_REPLACE 96
#define EBT_SO_SET_ENTRIES 128
#define EBT_SO_SET_COUNTERS 129
#define XDP_UMEM_REG 4

#define KEY(level, option) ((uint64_t)(level) << 32 | (option))
#define ROW(row_name, level, option, length) \
	.name = row_name, .key = KEY(level, option), .nargs = 5, .arg = { A_FD, A_ENUM, A_CMD, A_PTR, length }, ZERO, \
	.names = { [1] = &names_sock_level }
#define GET(level, option) ROW("getsockopt$" #option, level, option, A_PTR)
#define SET(level, option) ROW("setsockopt$" #option, level, option, A_INT)
#define NO_RING REFUSED(ENOPROTOOPT, "memory shared with the kernel cannot be recorded; programs fall back to recvmsg")

/* The length is a number of instructions on the way in and out. */
#define INSTRUCTIONS { .op = LEN_DEREF, .arg = 4, .width = 4, .scale = sizeof(struct sock_filter) }

const struct sys_desc getsockopt_variants[] = {
	{ GET(SOL_SOCKET, SO_GET_FILTER), .mem = MEM(OUTG(3, INSTRUCTIONS, INSTRUCTIONS), INOUT(4, SZ(SOCKLEN))) },
	{ GET(IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE), REFUSED(ENOPROTOOPT, "maps the kernel's pages into the program") },
};
const unsigned n_getsockopt_variants = sizeof(getsockopt_variants) / sizeof(getsockopt_variants[0]);

static const struct sys_mem fprog_code[] = {
	{ .dir = MEM_IN, .off = offsetof(struct sock_fprog, filter),
	  .cap = { .op = LEN_FIELD, .off = 0, .width = 2, .scale = sizeof(struct sock_filter) } },
	{ .dir = 0 }
};
#define FILTER .mem = MEM({ .dir = MEM_IN, .arg = 3, .cap = SZ(sizeof(struct sock_fprog)), .sub = fprog_code })

/* struct ipt_replace and ip6t_replace: the old table's counters go to the array at `counters`. */
#define REPLACE_NUM_COUNTERS 84
#define REPLACE_COUNTERS 88
#define XT_COUNTERS 16
static const struct sys_mem replaced_counters[] = {
	{ .dir = MEM_OUT, .off = REPLACE_COUNTERS,
	  .cap = { .op = LEN_FIELD, .off = REPLACE_NUM_COUNTERS, .width = 4, .scale = XT_COUNTERS } },
	{ .dir = 0 }
};
#define REPLACE .mem = MEM({ .dir = MEM_IN, .arg = 3, .cap = ARG(4), .sub = replaced_counters })
#define OLD_TABLES REFUSED(ENOPROTOOPT, "as on a kernel without the old tables; programs use nftables")

const struct sys_desc setsockopt_variants[] = {
	{ SET(SOL_SOCKET, SO_ATTACH_FILTER), FILTER },
	{ SET(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF), FILTER },
	{ SET(IPPROTO_IP, IPT_SO_SET_REPLACE), REPLACE },
	{ SET(IPPROTO_IPV6, IP6T_SO_SET_REPLACE), REPLACE },
	{ SET(IPPROTO_IP, ARPT_SO_SET_REPLACE), OLD_TABLES },
	{ SET(IPPROTO_IP, EBT_SO_SET_ENTRIES), OLD_TABLES },
	{ SET(IPPROTO_IP, EBT_SO_SET_COUNTERS), OLD_TABLES },
	{ SET(SOL_PACKET, PACKET_RX_RING), NO_RING },
	{ SET(SOL_PACKET, PACKET_TX_RING), NO_RING },
	{ SET(SOL_PACKET, PACKET_FANOUT_DATA), REFUSED(ENOPROTOOPT, "its value is a pointer in some modes only") },
	{ SET(SOL_XDP, XDP_UMEM_REG), NO_RING },
};
const unsigned n_setsockopt_variants = sizeof(setsockopt_variants) / sizeof(setsockopt_variants[0]);
