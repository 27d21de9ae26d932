/*
 * What the stubs inside the VM (stubs.S) and the VMM agree on. Included by C and by assembly.
 *
 * All of it is supervisor memory at GUESTLIB_BASE (vmm/layout.h): page 0 holds the stubs, page 1 the IDT, and one page
 * for each vCPU follows, with its GDT, TSS and stacks. User code can neither read nor execute any of it, and no I/O
 * port is open to it.
 *
 * System calls: on hardware LSTAR's stub runs at CPL 0 and leaves with `out` to ABI_PORT_SYSCALL. A software host goes
 * on at CPL 3 after `syscall`: the first fetch of the stub is then a page fault at LSTAR, which says the same.
 */
#ifndef SANDREC_GUESTLIB_ABI_H
#define SANDREC_GUESTLIB_ABI_H

#define ABI_STUBS_PAGE 0
#define ABI_IDT_PAGE 1
#define ABI_VCPU_PAGE 2 /* of vCPU 0; vCPU n has page ABI_VCPU_PAGE + n */

/* Offsets in the stub page. */
#define ABI_SYSCALL 0x00
#define ABI_SYSRET 0x02      /* the `sysretq` behind the system call stub's `out` */
#define ABI_VECTOR 0x40      /* stub of vector v at ABI_VECTOR + v * ABI_VECTOR_SIZE */
#define ABI_VECTOR_SIZE 8
#define ABI_VECTORS 33
#define ABI_PMI_VECTOR 32    /* the branch counter's overflow interrupt: the only one there is */

#define ABI_PORT_SYSCALL 0x10
#define ABI_PORT_VECTOR 0x20 /* + vector */

/* Vectors that push an error code. */
#define ABI_ERROR_CODE_VECTORS 0x60227d00

/* Offsets in a vCPU's page. Stacks are named by their tops (they grow down, 16-byte aligned). */
#define ABI_GDT 0x000
#define ABI_GDT_SIZE 0x50
#define ABI_TSS 0x080
#define ABI_TSS_SIZE 0x68
#define ABI_STACK_NMI 0x500   /* NMI and machine check: may come while another exception is being reported */
#define ABI_STACK_DF 0x800    /* double fault */
#define ABI_STACK 0x1000      /* everything else */

/*
 * Switchless system calls (switchless.S, vmm/switchless.h), on software hosts only: pages of their own at
 * SWITCHLESS_BASE (vmm/layout.h), open to user code, as `syscall` stays at CPL 3 there: code, data and, on replay, the
 * ring. The registers are in the order of enum guest_reg; rip and rflags are those of rcx and r11.
 */
#define ABI_SW_CODE 0
#define ABI_SW_DATA 0x1000
#define ABI_SW_SAVED 0x100    /* in the code: up to here the registers are the program's, from here on they are in the data */
#define ABI_SW_JUMP 0x200     /* in the code: where the stubs of jump patches come from (vmm/jump.h); the flags are still the program's */
#define ABI_SW_JUMP_STACK 0x20e /* the program's rsp is in the data, from here */
#define ABI_SW_JUMP_FLAGS 0x218 /* to here; from here on the flags are in r11 */
#define ABI_SW_RING 0x240     /* in the code: taking calls from the ring; the registers are in the data */
#define ABI_SW_REGS 0x000     /* in the data: u64 each */
#define ABI_SW_STATE 0x100    /* u32, ABI_SW_IDLE... */
#define ABI_SW_TAIL 0x104     /* u32, by the guest, behind the state: calls taken from the ring */
#define ABI_SW_SPINS 0x108    /* u32: looks at the state before leaving the machine */
#define ABI_SW_BASES 0x10c    /* u32: user code has rdfsbase: the bases are stored too */
#define ABI_SW_OPEN 0x110     /* u32: requests are taken */
#define ABI_SW_RESULT 0x118   /* u64: of the call that was taken from the ring */
#define ABI_SW_HEAD 0x180     /* u32, by the server: calls put into the ring */
#define ABI_SW_RSP 0x1e0      /* u64: the program's, while its flags are fetched */
#define ABI_SW_STACK 0x200    /* top of a few bytes, for the flags */

#define ABI_SW_IDLE 0         /* by the guest: the registers are not all there yet */
#define ABI_SW_REQUEST 1      /* by the guest: the registers are there */
#define ABI_SW_DONE 2         /* by the server: go on with the registers as they are now */
#define ABI_SW_LEAVE 3        /* by the server: leave the machine, with those registers */
#define ABI_SW_DECLINED 4     /* by the server: leave the machine and make the call there */
#define ABI_SW_TAKEN 5        /* by the guest, in one store with the tail: go on with the result from the ring */
#define ABI_SW_AGAIN 6        /* by the server: there is something in the ring */

/* The ring (vmm/switchless_ring.h): slots, each with a call and its pieces one behind the other. */
#define ABI_SW_SLOTS_AT 0x1000 /* behind the data */
#define ABI_SW_SLOTS 128      /* a power of two */
#define ABI_SW_SLOT_SHIFT 9
#define ABI_SW_SLOT (1 << ABI_SW_SLOT_SHIFT)
/* In a slot: the 16 general registers as in the data, then u64 each: */
#define ABI_SW_CALL_FS 0x80   /* the bases */
#define ABI_SW_CALL_GS 0x88
#define ABI_SW_CALL_RESULT 0x90
#define ABI_SW_CALL_PIECES 0x98 /* how many follow */
#define ABI_SW_CALL_FIRST 0xa0
/* A piece: */
#define ABI_SW_PIECE_ADDR 0   /* u64: in the program's memory */
#define ABI_SW_PIECE_LEN 8    /* u32: bytes, more than 0 */
#define ABI_SW_PIECE_OUT 12   /* u32: the call wrote them; 0: it read them, and they must be the same */
#define ABI_SW_PIECE_BYTES 16 /* filled up to a multiple of 8 */

/* Selectors: Linux's numbers, which programs see in signal frames. */
#define ABI_KERNEL_CS 0x10
#define ABI_KERNEL_SS 0x18
#define ABI_USER_CS32 0x23    /* not present: only there because SYSRET's selectors are counted from it */
#define ABI_USER_SS 0x2b
#define ABI_USER_CS 0x33
#define ABI_TR 0x40

#endif
