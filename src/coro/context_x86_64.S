/* The switch for x86-64, System V calling convention. A suspended context is a stack pointer to: r15 r14 r13 r12 rbx
 * rbp, return address. */
#if defined(__x86_64__) && defined(__LP64__) && !defined(JUGGLE_UCONTEXT)

        .text

/* void jg__context_init(context rdi, bottom rsi, top rdx, entry rcx, arg r8). Everything lands in the cache line
 * below the top. */
        .globl  jg__context_init
        .hidden jg__context_init
        .type   jg__context_init, @function
        .p2align 4
jg__context_init:
        .cfi_startproc
        andq    $-16, %rdx
        leaq    jg__context_begin(%rip), %rax
        movq    %rax, -8(%rdx)
        movq    $0, -16(%rdx)           /* rbp: ends a chain of frame pointers */
        movq    %rcx, -24(%rdx)         /* rbx */
        movq    %r8, -32(%rdx)          /* r12 */
        movq    $0, -40(%rdx)
        movq    $0, -48(%rdx)
        movq    $0, -56(%rdx)
        subq    $56, %rdx
        movq    %rdx, (%rdi)
        ret
        .cfi_endproc
        .size   jg__context_init, . - jg__context_init

/* The first frame of a context. Its return address is undefined: here unwinding stops. The nop makes the address
 * before jg__context_begin, where unwinders look a return address up, part of it. */
        .type   jg__context_start, @function
        .p2align 4
jg__context_start:
        .cfi_startproc
        .cfi_undefined rip
        nop
        .globl  jg__context_begin
        .hidden jg__context_begin
jg__context_begin:
        movq    %r12, %rdi
        leaq    ended(%rip), %rax
        pushq   %rax                    /* and no call: see jg__context_return */
        jmp     *%rbx
ended:
        ud2
        .cfi_endproc
        .size   jg__context_start, . - jg__context_start

        .macro  restore_registers
        .irp    register, r15, r14, r13, r12, rbx, rbp
        popq    %\register
        .cfi_adjust_cfa_offset -8
        .cfi_restore \register
        .endr
        .endm

/* long jg__context_switch(from rdi, to rsi). Both stacks have the same layout, so the CFI holds across the change of
 * rsp. */
        .globl  jg__context_switch
        .hidden jg__context_switch
        .type   jg__context_switch, @function
        .p2align 4
jg__context_switch:
        .cfi_startproc
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r15, 0
        movq    %rsp, (%rdi)
        .globl  jg__context_leave
        .hidden jg__context_leave
jg__context_leave:                      /* (from rdi, to rsi): the second half alone */
        movq    (%rsi), %rsp
        movq    8(%rsi), %rax
        restore_registers
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register rip, rcx
        jmp     *%rcx
        .cfi_endproc
        .size   jg__context_switch, . - jg__context_switch

/* long jg__context_return(from rdi, to rsi): leaves by `ret`. */
        .globl  jg__context_return
        .hidden jg__context_return
        .type   jg__context_return, @function
        .p2align 4
jg__context_return:
        .cfi_startproc
        .cfi_def_cfa_offset 56
        .cfi_rel_offset rbp, 40
        .cfi_rel_offset rbx, 32
        .cfi_rel_offset r12, 24
        .cfi_rel_offset r13, 16
        .cfi_rel_offset r14, 8
        .cfi_rel_offset r15, 0
        movq    (%rsi), %rsp
        movq    8(%rsi), %rax
        restore_registers
        ret
        .cfi_endproc
        .size   jg__context_return, . - jg__context_return

/* int jg__context_call_on(on rdi, fn rsi, arg rdx). Marked as a signal frame because only there gdb accepts that the
 * caller's frame may lie on a lower stack. */
        .globl  jg__context_call_on
        .hidden jg__context_call_on
        .type   jg__context_call_on, @function
        .p2align 4
jg__context_call_on:
        .cfi_startproc
        .cfi_signal_frame
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        movq    (%rdi), %rsp
        andq    $-16, %rsp
        movq    %rdx, %rdi
        call    *%rsi
        movq    %rbp, %rsp
        .cfi_def_cfa_register rsp
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbp
        ret
        .cfi_endproc
        .size   jg__context_call_on, . - jg__context_call_on

/* int jg__context_trace(on rdi, fn rsi, arg rdx). During the call the CFI has the registers of `on` as those of the
 * caller. */
        .globl  jg__context_trace
        .hidden jg__context_trace
        .type   jg__context_trace, @function
        .p2align 4
jg__context_trace:
        .cfi_startproc
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        movq    (%rdi), %rbx
        movq    %rdx, %rdi
        .cfi_remember_state
        .cfi_def_cfa rbx, 56
        .cfi_rel_offset rbp, 40
        .cfi_rel_offset rbx, 32
        .cfi_rel_offset r12, 24
        .cfi_rel_offset r13, 16
        .cfi_rel_offset r14, 8
        .cfi_rel_offset r15, 0
        call    *%rsi
        .cfi_restore_state
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        ret
        .cfi_endproc
        .size   jg__context_trace, . - jg__context_trace

#endif

        .section .note.GNU-stack, "", @progbits
