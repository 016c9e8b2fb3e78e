"""Who computes: NumPy, which defines the results, or compiled code, which is faster and gives the same ones.

The environment variable `IMNPU_ARITHMETIC` says which: `numpy`, `compiled`, or `auto` (also if it is not set), which
leaves small convolutions to NumPy until a large one comes: loading the compiled code takes longer than they do. A
cluster asks when it is made.

*Inaccuracies*: none; both are exact.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asm.parameters import PoolingMode
from emu.bus import Bus
from emu.npu.activation import Activation
from emu.npu.convolution import PSUM_HIGH, Job, Weights, input_rows
from emu.npu.formats import BYTE_BITS, Integers
from emu.npu.native import convolution as native
from emu.npu.native import streamed
from emu.npu.native.kernels import Kernels
from emu.npu.native.requantisation import Requantisation, prepare_requantisation
from emu.npu.pooling import Pooling
from emu.npu.streamed import Streamed

VARIABLE = "IMNPU_ARITHMETIC"
CHOICES = ("auto", "numpy", "compiled")
SMALL_MACS = 1 << 20
"""Convolutions with fewer multiply-accumulates are small."""
HALVES = Pooling(PoolingMode.max, 2, 2, 2, 2)
"""The pooling that compiled code does on the way."""
PREPARED = 256
"""Prepared activation tables that are kept."""


class UnknownArithmeticError(ValueError):
    """The environment asks for arithmetic that does not exist."""


class Arithmetic(Protocol):
    """Computes convolutions."""

    def stream(self, job: Streamed, weights: Weights, bus: Bus) -> Callable[[], None] | None:
        """What does all of ``job`` while its tensors are on the bus; None: step by step then. Raises `BusError`."""

    def activate(self, job: Job, activation: Activation, out: Integers) -> None:
        """Put activated values into ``out``, (rows, columns, kernels)."""


class NumpyArithmetic:
    """The definition."""

    def stream(self, job: Streamed, weights: Weights, bus: Bus) -> Callable[[], None] | None:
        return None

    def activate(self, job: Job, activation: Activation, out: Integers) -> None:
        bound = job.bound
        for first, sums in job.psums():
            out[first : first + len(sums)] = activation.apply(sums, bound)


class CompiledArithmetic(NumpyArithmetic):
    """Compiled code for whatever it can do, NumPy for the rest."""

    def stream(self, job: Streamed, weights: Weights, bus: Bus) -> Callable[[], None] | None:
        if job.prepared is None or job.prepared[0] is not weights:
            job.prepared = weights, _prepare_stream(job, weights)
        _, prepared = job.prepared
        if prepared is None:
            return None
        place = job.destination.address, job.destination.extent
        source, target = bus.view(job.source.address, job.source.extent), bus.view(*place, write=True)
        run = streamed.bind(prepared, source, target)

        def carry_out() -> None:
            run()
            bus.written(*place)

        return carry_out

    def activate(self, job: Job, activation: Activation, out: Integers) -> None:
        kernels = _kernels(job)
        if kernels is None:
            super().activate(job, activation, out)
            return
        features, padding = _band(job)
        if _requantises(activation) and job.initial is None:
            table = _requantisation(activation)
            out[...] = native.convolve_requantise(features, kernels, table, job.strides, padding, largest=job.largest)
            return
        sums = native.convolve(features, kernels, job.strides, padding, job.largest)
        for row, made in enumerate(out):
            psums = sums[row] if job.initial is None else sums[row] + job.initial[row]
            made[...] = activation.apply(psums, job.bound)


NUMPY, COMPILED = NumpyArithmetic(), CompiledArithmetic()


@dataclass(slots=True)
class Choice:
    """Who computes which convolution.

    Attributes:
        word: one of `CHOICES`.
    """

    word: str
    _loaded: bool = False

    @classmethod
    def of_environment(cls) -> Choice:
        """What the environment asks for now. Raises `UnknownArithmeticError`."""
        word = os.environ.get(VARIABLE, CHOICES[0])
        if word not in CHOICES:
            raise UnknownArithmeticError(f"{VARIABLE} must be {', '.join(CHOICES)}, not {word}")
        return cls(word)

    def arithmetic(self, macs: int) -> Arithmetic:
        """Who computes a convolution of so many multiply-accumulates."""
        if self.word == "numpy" or (self.word == "auto" and macs < SMALL_MACS and not self._loaded):
            return NUMPY
        self._loaded = True
        return COMPILED


def _requantises(activation: Activation) -> bool:
    """Whether compiled code knows this activation."""
    return not activation.bypass and not activation.lookup and activation.element.bits <= BYTE_BITS


@functools.lru_cache(maxsize=PREPARED)
def _requantisation(activation: Activation) -> Requantisation:
    lowest, highest = activation.bounds()
    return prepare_requantisation(np.stack(activation.columns(), axis=1), lowest, highest)


def _kernels(job: Job) -> Kernels | None:
    """The kernels for compiled code; None if it cannot do this job: psums may saturate, rows are not consecutive."""
    weights = job.weights
    if weights.depthwise or job.rows.step != 1 or job.reach > PSUM_HIGH:
        return None
    first, last, _, _ = _input_rows(job)
    return _prepared(weights) if first < last else None


def _prepared(weights: Weights) -> Kernels | None:
    """The kernels of ``weights``, which remember them; None if they are not bytes."""
    if weights.prepared is None:
        kernels = weights.kernels
        for dtype in (np.int8, np.uint8):
            limits = np.iinfo(dtype)
            if limits.min <= kernels.min() and kernels.max() <= limits.max:
                weights.prepared = native.prepare(kernels.astype(dtype))
                break
    return weights.prepared


def _prepare_stream(job: Streamed, weights: Weights) -> streamed.Prepared | None:
    """What compiled code needs for all of ``job``; None if it cannot do that."""
    pooled = job.pooling == HALVES
    if not (pooled or job.pooling.mode is PoolingMode.none) or not _requantises(job.activation):
        return None
    if weights.depthwise or weights.magnitude * job.largest > PSUM_HIGH:
        return None
    kernels = _prepared(weights)
    if kernels is None:
        return None
    return streamed.prepare(job, kernels, _requantisation(job.activation), pooled)


def _input_rows(job: Job) -> tuple[int, int, int, int]:
    return input_rows(job.rows, job.strides[0], job.weights.height, job.padding[0], job.features.shape[0])


def _band(job: Job) -> tuple[NDArray[np.integer], tuple[int, int, int, int]]:
    """The part of the features that the job needs, and its padding."""
    first, last, above, below = _input_rows(job)
    return job.features[first:last], (above, below, *job.padding[2:])
