/* SPDX-License-Identifier: BSD-3-Clause
 * Vector table, reset and default handlers of Cortex-M hosts.
 *
 * Every handler is weak: define a function of the same name (as in CMSIS) to take its place. The interrupts of
 * the machine go to imnpu_interrupt_dispatch(), which calls what imnpu_interrupt_handler_set() registered. */
#include <stdint.h>

#include <imnpu/machine.h>

#include "../memory_init.h"

#define COPROCESSOR_ACCESS (*(volatile uint32_t *)0xE000ED88UL)
#define FPU_FULL_ACCESS (0xFUL << 20)

#define INTERRUPTS 32

typedef void (*vector)(void);

extern uint8_t __stack_top[];
extern int main(void);
extern void imnpu_interrupt_dispatch(void);
_Noreturn void imnpu_exit(int code);
void Reset_Handler(void);
void Default_Handler(void);

/* Ends the run with the reason "run-time error". It uses no stack: the emulator reports the fault, and the
 * exception frame and the interrupted function's stack must still be as the fault left them. */
__attribute__((naked)) void Default_Handler(void)
{
    __asm volatile("movs r0, #0x20\n"
                   "ldr r1, =imnpu_runtime_error\n"
                   "bkpt 0xAB\n"
                   "b .\n"
                   ".ltorg\n");
}

#define WEAK_TO(target) __attribute__((weak, alias(#target)))

void NMI_Handler(void) WEAK_TO(Default_Handler);
void HardFault_Handler(void) WEAK_TO(Default_Handler);
void MemManage_Handler(void) WEAK_TO(Default_Handler);
void BusFault_Handler(void) WEAK_TO(Default_Handler);
void UsageFault_Handler(void) WEAK_TO(Default_Handler);
void SVC_Handler(void) WEAK_TO(Default_Handler);
void DebugMon_Handler(void) WEAK_TO(Default_Handler);
void PendSV_Handler(void) WEAK_TO(Default_Handler);
void SysTick_Handler(void); /* weak in alarm.c */

static void machine_interrupt(void)
{
    imnpu_interrupt_dispatch();
}

void UART0_IRQHandler(void) WEAK_TO(machine_interrupt);
void TIMER0_IRQHandler(void) WEAK_TO(machine_interrupt);
void STREAM0_IRQHandler(void) WEAK_TO(machine_interrupt);
void CLUSTER0_IRQHandler(void) WEAK_TO(machine_interrupt);
void CLUSTER1_IRQHandler(void) WEAK_TO(machine_interrupt);
void CLUSTER2_IRQHandler(void) WEAK_TO(machine_interrupt);
void CLUSTER3_IRQHandler(void) WEAK_TO(machine_interrupt);
void CLUSTER4_IRQHandler(void) WEAK_TO(machine_interrupt);
void CLUSTER5_IRQHandler(void) WEAK_TO(machine_interrupt);
void CLUSTER6_IRQHandler(void) WEAK_TO(machine_interrupt);
void CLUSTER7_IRQHandler(void) WEAK_TO(machine_interrupt);

struct vectors {
    uint8_t *stack_top;
    vector system[15];
    vector interrupts[INTERRUPTS];
};

extern const struct vectors vectors;
__attribute__((section(".vectors"), used)) const struct vectors vectors = {
    .stack_top = __stack_top,
    .system = {
        Reset_Handler, NMI_Handler, HardFault_Handler, MemManage_Handler, BusFault_Handler, UsageFault_Handler,
        [10] = SVC_Handler, [11] = DebugMon_Handler, [13] = PendSV_Handler, [14] = SysTick_Handler,
    },
    .interrupts = {
        [IMNPU_IRQ_UART0] = UART0_IRQHandler,
        [IMNPU_IRQ_TIMER0] = TIMER0_IRQHandler,
        [IMNPU_IRQ_STREAM0] = STREAM0_IRQHandler,
        [3] = machine_interrupt, machine_interrupt, machine_interrupt, machine_interrupt, machine_interrupt,
        [IMNPU_IRQ_CLUSTER0] = CLUSTER0_IRQHandler, CLUSTER1_IRQHandler, CLUSTER2_IRQHandler, CLUSTER3_IRQHandler,
        CLUSTER4_IRQHandler, CLUSTER5_IRQHandler, CLUSTER6_IRQHandler, CLUSTER7_IRQHandler,
        [16] = machine_interrupt, machine_interrupt, machine_interrupt, machine_interrupt, machine_interrupt,
        machine_interrupt, machine_interrupt, machine_interrupt, machine_interrupt, machine_interrupt,
        machine_interrupt, machine_interrupt, machine_interrupt, machine_interrupt, machine_interrupt,
        machine_interrupt,
    },
};

/* Enables the FPU, fills memory, runs main() and ends the run with what it returns. */
void Reset_Handler(void)
{
#ifdef __ARM_FP
    COPROCESSOR_ACCESS |= FPU_FULL_ACCESS;
    __asm volatile("dsb\n isb" ::: "memory");
#endif
    imnpu_memory_init();
    imnpu_exit(main());
}
