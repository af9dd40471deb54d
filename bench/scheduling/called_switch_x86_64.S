/* See called_switch.h. */
    .text
    .globl called_switch
    .type called_switch, @function
    .p2align 4
called_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    pop %rcx
    jmp *%rcx
    .size called_switch, . - called_switch
    .section .note.GNU-stack, "", @progbits
