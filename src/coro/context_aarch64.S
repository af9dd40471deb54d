/* The switch for 64-bit ARM, AAPCS64. A suspended context is a stack pointer to: d8 to d15, x19 to x28, x29 (frame
 * pointer), x30 (return address). */
#if defined(__aarch64__) && defined(__LP64__) && !defined(JUGGLE_UCONTEXT)

        .text

/* void jg__context_init(context x0, bottom x1, top x2, entry x3, arg x4) */
        .globl  jg__context_init
        .hidden jg__context_init
        .type   jg__context_init, %function
        .p2align 4
jg__context_init:
        .cfi_startproc
        and     x2, x2, #-16
        sub     x2, x2, #160
        adr     x5, start
        stp     xzr, xzr, [x2]
        stp     xzr, xzr, [x2, #16]
        stp     xzr, xzr, [x2, #32]
        stp     xzr, xzr, [x2, #48]
        stp     x3, x4, [x2, #64]       /* x19, x20 */
        stp     xzr, xzr, [x2, #80]
        stp     xzr, xzr, [x2, #96]
        stp     xzr, xzr, [x2, #112]
        stp     xzr, xzr, [x2, #128]
        stp     xzr, x5, [x2, #144]     /* x29: ends a chain of frame pointers */
        str     x2, [x0]
        ret
        .cfi_endproc
        .size   jg__context_init, . - jg__context_init

/* The first frame of a context. Its return address is undefined: here unwinding stops. The nop makes the address
 * before `start`, where unwinders look a return address up, part of it. */
        .type   jg__context_start, %function
        .p2align 4
jg__context_start:
        .cfi_startproc
        .cfi_undefined x30
        nop
start:
        mov     x0, x20
        adr     x30, ended              /* and no blr: see jg__context_return */
        br      x19
ended:
        brk     #1
        .cfi_endproc
        .size   jg__context_start, . - jg__context_start

        .macro  restore_registers
        ldp     d8, d9, [sp]
        ldp     d10, d11, [sp, #16]
        ldp     d12, d13, [sp, #32]
        ldp     d14, d15, [sp, #48]
        ldp     x19, x20, [sp, #64]
        ldp     x21, x22, [sp, #80]
        ldp     x23, x24, [sp, #96]
        ldp     x25, x26, [sp, #112]
        ldp     x27, x28, [sp, #128]
        ldp     x29, x30, [sp, #144]
        add     sp, sp, #160
        .cfi_def_cfa_offset 0
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7
        .cfi_restore 72 + \number
        .endr
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        .cfi_restore 19 + \number
        .endr
        .endm

/* long jg__context_switch(from x0, to x1). Both stacks have the same layout, so the CFI holds across the change of
 * sp. */
        .globl  jg__context_switch
        .hidden jg__context_switch
        .type   jg__context_switch, %function
        .p2align 4
jg__context_switch:
        .cfi_startproc
        sub     sp, sp, #160
        .cfi_adjust_cfa_offset 160
        stp     d8, d9, [sp]
        stp     d10, d11, [sp, #16]
        stp     d12, d13, [sp, #32]
        stp     d14, d15, [sp, #48]
        stp     x19, x20, [sp, #64]
        stp     x21, x22, [sp, #80]
        stp     x23, x24, [sp, #96]
        stp     x25, x26, [sp, #112]
        stp     x27, x28, [sp, #128]
        stp     x29, x30, [sp, #144]
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7
        .cfi_rel_offset 72 + \number, 8 * \number
        .endr
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        .cfi_rel_offset 19 + \number, 64 + 8 * \number
        .endr
        mov     x9, sp
        str     x9, [x0]
        .globl  jg__context_leave
        .hidden jg__context_leave
jg__context_leave:                      /* (from x0, to x1): the second half alone */
        ldr     x9, [x1]
        mov     sp, x9
        ldr     x0, [x1, #8]
        restore_registers
        br      x30
        .cfi_endproc
        .size   jg__context_switch, . - jg__context_switch

/* long jg__context_return(from x0, to x1): leaves by `ret`. */
        .globl  jg__context_return
        .hidden jg__context_return
        .type   jg__context_return, %function
        .p2align 4
jg__context_return:
        .cfi_startproc
        .cfi_def_cfa_offset 160
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7
        .cfi_rel_offset 72 + \number, 8 * \number
        .endr
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        .cfi_rel_offset 19 + \number, 64 + 8 * \number
        .endr
        ldr     x9, [x1]
        mov     sp, x9
        ldr     x0, [x1, #8]
        restore_registers
        ret
        .cfi_endproc
        .size   jg__context_return, . - jg__context_return

/* int jg__context_call_on(on x0, fn x1, arg x2). Marked as a signal frame because only there gdb accepts that the
 * caller's frame may lie on a lower stack. */
        .globl  jg__context_call_on
        .hidden jg__context_call_on
        .type   jg__context_call_on, %function
        .p2align 4
jg__context_call_on:
        .cfi_startproc
        .cfi_signal_frame
        stp     x29, x30, [sp, #-16]!
        .cfi_adjust_cfa_offset 16
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        mov     x29, sp
        .cfi_def_cfa_register x29
        ldr     x9, [x0]
        and     x9, x9, #-16
        mov     sp, x9
        mov     x0, x2
        blr     x1
        mov     sp, x29
        .cfi_def_cfa_register sp
        ldp     x29, x30, [sp], #16
        .cfi_adjust_cfa_offset -16
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   jg__context_call_on, . - jg__context_call_on

/* int jg__context_trace(on x0, fn x1, arg x2). During the call the CFI has the registers of `on` as those of the
 * caller. */
        .globl  jg__context_trace
        .hidden jg__context_trace
        .type   jg__context_trace, %function
        .p2align 4
jg__context_trace:
        .cfi_startproc
        stp     x29, x30, [sp, #-32]!
        .cfi_adjust_cfa_offset 32
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        str     x19, [sp, #16]
        .cfi_rel_offset x19, 16
        ldr     x19, [x0]
        mov     x0, x2
        .cfi_remember_state
        .cfi_def_cfa x19, 160
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7
        .cfi_rel_offset 72 + \number, 8 * \number
        .endr
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        .cfi_rel_offset 19 + \number, 64 + 8 * \number
        .endr
        blr     x1
        .cfi_restore_state
        ldr     x19, [sp, #16]
        .cfi_restore x19
        ldp     x29, x30, [sp], #32
        .cfi_adjust_cfa_offset -32
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   jg__context_trace, . - jg__context_trace

#endif

        .section .note.GNU-stack, "", %progbits
