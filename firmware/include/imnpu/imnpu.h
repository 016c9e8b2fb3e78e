/* SPDX-License-Identifier: BSD-3-Clause
 * The whole driver library. */
#ifndef IMNPU_IMNPU_H
#define IMNPU_IMNPU_H

#include <imnpu/alarm.h>
#include <imnpu/check.h>
#include <imnpu/cluster.h>
#include <imnpu/convolution.h>
#include <imnpu/counters.h>
#include <imnpu/interrupt.h>
#include <imnpu/machine.h>
#include <imnpu/memory.h>
#include <imnpu/power.h>
#include <imnpu/program.h>
#include <imnpu/semihosting.h>
#include <imnpu/status.h>
#include <imnpu/stream.h>
#include <imnpu/tensor.h>
#include <imnpu/tile.h>
#include <imnpu/timer.h>
#include <imnpu/uart.h>

#endif
