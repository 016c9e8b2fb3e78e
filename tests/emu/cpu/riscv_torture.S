# Traps of every kind; each prints one line: cause, address, value, status, and what the test itself saw.
# Run on QEMU too: nothing is mapped at NOTHING on its `virt` board either. What QEMU 7.2 does against the
# specification (bit 0 of mepc, the order of simultaneous interrupts) is left out here and tested elsewhere.
# s11: where the handler returns to after an exception. s10: what an interrupt handler counts. Handlers keep s registers.

.macro name text
    la a0, 9f
    call put_string
    j 8f
9:  .asciz "\text "
    .balign 2
8:
.endm

.macro show register
    mv a0, \register
    call put_hex
.endm

.macro show_csr csr
    csrr a0, \csr
    call put_hex
.endm

# Execute one instruction that must trap, at an address that is a multiple of 4.
.macro trapping title, instruction:vararg
    name "\title"
    la s11, 7f
    .balign 4
    .option push
    .option norvc
    \instruction
    .option pop
    li a0, '!'
    call put_char
7:
.endm

    li sp, RAM + 0x80000
    li t0, MTIMECMP
    li t1, -1
    sw t1, 0(t0)
    sw t1, 4(t0)
    la t0, handler
    csrw mtvec, t0
    csrr s0, mtvec
    la t0, handler
    sub s0, s0, t0
    name "mtvec holds"
    show s0
    call newline

    # Synchronous exceptions
    trapping "ecall", ecall
    trapping "ebreak", ebreak
    trapping "all zeros", .word 0
    trapping "all ones", .word 0xffffffff
    trapping "compressed zero", .half 0, 1
    trapping "reserved compressed", .half 0x8002, 1
    trapping "float add", .word 0x003100d3
    trapping "sret", .word 0x10200073
    trapping "unknown csr", csrr a0, 0x7c0
    trapping "unknown csr write", csrw 0x5c0, a0
    trapping "read-only csr", csrw mhartid, a0
    trapping "read-only csr set", csrsi mvendorid, 1
    trapping "satp", csrr a0, satp
    li s1, NOTHING
    trapping "load word", lw a0, 4(s1)
    trapping "load half", lh a0, -2(s1)
    trapping "load byte", lbu a0, 2047(s1)
    trapping "store word", sw a0, 8(s1)
    trapping "store half", sh a0, 2(s1)
    trapping "store byte", sb a0, -2048(s1)
    trapping "null load", lw a0, 0(x0)
    trapping "jump", jr s1
    trapping "jump odd", jalr x0, 3(s1)
    trapping "far jump", jalr ra, -4(x0)

    name "compressed ebreak"
    la s11, 1f
    .balign 4
    c.nop
    c.ebreak
1:  name "compressed load"
    la s11, 1f
    li a5, NOTHING
    .balign 4
    c.nop
    c.lw a4, 4(a5)
1:
    # A load that faults must not change its destination, and the code before it must have run.
    name "destination"
    la s11, 1f
    li s2, 5
    li a0, NOTHING
    addi s2, s2, 2
    lw s2, 0(a0)
    addi s2, s2, 100
1:  show s2
    call newline

    # What CSR instructions read and write
    name "csr"
    li t0, 0x12345678
    csrw mscratch, t0
    li t0, 0x0f0f0000
    csrrs s2, mscratch, t0
    li t0, 0x000000ff
    csrrc s3, mscratch, t0
    csrrwi s4, mscratch, 21
    csrrsi s5, mscratch, 10
    csrrci s6, mscratch, 1
    csrrs s7, mscratch, x0
    show s2
    show s3
    show s4
    show s5
    show s6
    show s7
    call newline
    name "csr same register"
    li s2, 0x55
    csrw mscratch, s2
    li s2, 0xaa
    csrrw s2, mscratch, s2
    show s2
    show_csr mscratch
    csrrw x0, mscratch, s2
    show_csr mscratch
    call newline
    name "reserved mtvec mode"
    csrr s2, mtvec
    li t0, RAM + 0x402
    csrw mtvec, t0
    csrr t0, mtvec
    sub a0, t0, s2
    call put_hex
    call newline
    name "mip is driven by the devices"
    li t0, 0x888
    csrw mip, t0
    show_csr mip
    call newline
    # mret
    name "mret to M"
    li t0, 0x1880
    csrw mstatus, t0
    la t0, 1f
    csrw mepc, t0
    mret
    li a0, '!'
    call put_char
1:  show_csr mstatus
    csrci mstatus, 8
    call newline

    # Software interrupt: pending while masked, taken at the next instruction when enabled.
    li s3, MSIP
    name "msip"
    li t0, 8
    csrw mie, t0
    li t0, 1
    li s10, 0
    sw t0, 0(s3)
    csrr s2, mip
    show s2
    csrsi mstatus, 8
    show s10
    call newline
    name "msip by mie"
    csrw mie, x0
    li t0, 1
    sw t0, 0(s3)
    csrr s2, mip
    li s10, 0
    csrwi mie, 8
    addi s10, s10, 16
    show s10
    csrci mstatus, 8
    call newline
    name "msip by mret"
    li t0, 1
    sw t0, 0(s3)
    csrr t0, mip
    li t0, 0x1880
    csrw mstatus, t0
    la t0, 1f
    csrw mepc, t0
    li s10, 0
    mret
    .balign 4
1:  addi s10, s10, 32
    show s10
    csrci mstatus, 8
    call newline

    # wfi with MIE = 0 goes on, without a trap
    name "wfi masked"
    li t0, 1
    sw t0, 0(s3)
    li s10, 0
    wfi
    show s10
    sw x0, 0(s3)
    show_csr mip
    call newline

    # Timer
    name "timer"
    li t0, 0x80
    csrw mie, t0
    li s4, MTIMECMP
    li s5, MTIME
    lw t0, 0(s5)
    addi t0, t0, 200
    sw x0, 4(s4)
    sw t0, 0(s4)
    li s10, 0
    csrsi mstatus, 8
1:  wfi
    beqz s10, 1b
    csrci mstatus, 8
    show s10
    call newline

    # The transmitter's interrupt through the PLIC: claimed and completed by the handler.
    name "external"
    csrw mie, x0
    li t0, 1
    li t1, PLIC
    sw t0, 40(t1)
    li t1, PLIC_ENABLE
    li t0, 1 << 10
    sw t0, 0(t1)
    li t1, PLIC_THRESHOLD
    sw x0, 0(t1)
    li t1, UART
    li t0, 2
    sb t0, 1(t1)
    csrr s2, mip
    show s2
    li t0, 0x800
    csrw mie, t0
    li s10, 0
    csrsi mstatus, 8
    csrci mstatus, 8
    show s10
    show_csr mip
    call newline
    li t0, 8
    csrw mie, t0

    # Vectored interrupts; exceptions still go to the base.
    la t0, vectors + 1
    csrw mtvec, t0
    trapping "vectored ecall", ecall
    name "vectored msip"
    li t0, 1
    sw t0, 0(s3)
    csrr t0, mip
    li s10, 0
    csrsi mstatus, 8
    csrci mstatus, 8
    show s10
    call newline
    la t0, handler
    csrw mtvec, t0

    # U-mode
    open_memory
.macro user title, instruction:vararg
    name "\title"
    la s11, 7f
    li t0, 0x1800
    csrc mstatus, t0
    la t0, 6f
    csrw mepc, t0
    mret
    .balign 4
    .option push
    .option norvc
6:  \instruction
    .option pop
    ecall
7:
.endm
    user "user ecall", nop
    user "user csr", csrr a0, mscratch
    user "user mret", mret
    user "user store", sw a0, 0(s1)
    name "user interrupt"
    li t0, 8
    csrw mie, t0
    csrci mstatus, 8
    li t0, 1
    sw t0, 0(s3)
    csrr t0, mip
    li s10, 0
    la s11, 2f
    li t0, 0x1800
    csrc mstatus, t0
    la t0, 1f
    csrw mepc, t0
    mret
1:  nop
    ecall
2:  show s10
    call newline

    # Code that changes itself
    name "fence.i"
    la t0, patched
    li t1, 0x00700513           # li a0, 7
    call patched
    mv s2, a0
    lw s6, 0(t0)
    sw t1, 0(t0)
    fence.i
    call patched
    sw s6, 0(t0)                # so that the program can run again
    fence.i
    show s2
    show a0
    call newline

    exit 42

    .balign 4
patched:
    .option push
    .option norvc
    li a0, 3
    ret
    .option pop

    .balign 256
vectors:
    .option push
    .option norvc
    j handler
    j handler
    j handler
    j vector_software
    .option pop

vector_software:
    li a0, 'V'
    call put_char
    j handler

    .balign 4
handler:
    csrr s9, mcause
    show s9
    csrr a0, mepc
    li t0, RAM
    bltu a0, t0, 1f
    la t0, _start
    sub a0, a0, t0
1:  call put_hex
    csrr a0, mtval
    li t0, 3                    # of an ebreak, mtval may hold its address or 0
    bne s9, t0, 1f
    csrr t1, mepc
    bne a0, t1, 1f
    li a0, 0
1:  call put_hex
    show_csr mstatus
    bltz s9, interrupt
    call newline
    csrw mepc, s11
    li t0, 0x1800
    csrs mstatus, t0
    mret

interrupt:
    slli s10, s10, 4
    andi t0, s9, 15
    or s10, s10, t0
    li t1, 11
    beq t0, t1, external
    li t1, 7
    beq t0, t1, timer
    li t0, MSIP
    sw x0, 0(t0)
    mret
timer:
    li t0, MTIMECMP
    li t1, -1
    sw t1, 4(t0)
    mret
external:
    li t2, PLIC_CLAIM
    lw s8, 0(t2)
    li t1, UART
    lbu t0, 2(t1)
    sb x0, 1(t1)
    sw s8, 0(t2)
    show s8
    mret

put_string:
    li t1, UART
1:  lbu t0, 0(a0)
    beqz t0, 2f
    sb t0, 0(t1)
    addi a0, a0, 1
    j 1b
2:  ret

newline:
    li a0, 10
put_char:
    li t1, UART
    sb a0, 0(t1)
    ret

put_hex:
    li t1, UART
    li t2, 28
1:  srl t0, a0, t2
    andi t0, t0, 15
    addi t0, t0, '0'
    li t3, '9'
    bleu t0, t3, 2f
    addi t0, t0, 'a' - '0' - 10
2:  sb t0, 0(t1)
    addi t2, t2, -4
    bgez t2, 1b
    li t0, ' '
    sb t0, 0(t1)
    ret
