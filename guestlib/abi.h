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

/* Selectors: Linux's numbers, which programs see in signal frames. */
#define ABI_KERNEL_CS 0x10
#define ABI_KERNEL_SS 0x18
#define ABI_USER_CS32 0x23    /* not present: only there because SYSRET's selectors are counted from it */
#define ABI_USER_SS 0x2b
#define ABI_USER_CS 0x33
#define ABI_TR 0x40

#endif
