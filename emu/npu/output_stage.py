"""From psums to the output tensor: activation, pooling, the part of the result that is wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from asm.rules import Cause, RuleError
from emu.bus import Bus
from emu.npu import stream
from emu.npu.activation import Activation
from emu.npu.formats import Integers, element_dtype
from emu.npu.pooling import Pooling
from emu.npu.stream import Tensor
from emu.npu.timing import Cost

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class OutputStage:
    """What happens behind the psums of a command.

    Attributes:
        first_row: first row of the pooled result that is wanted; the destination says how many follow.
        tables: (address, bytes) of what the activation was fetched from.
    """

    activation: Activation
    pooling: Pooling
    first_row: int
    destination: Tensor
    tables: tuple[tuple[int, bytes], ...]

    def check(self, height: int, width: int) -> None:
        """Raises `RuleError` unless it can make the destination of a result of ``height`` x ``width`` psums."""
        output = self.destination
        output.check("output")
        output.check_writable("output")
        self.activation.check()
        self.pooling.check(output.element)
        _, rows = self.pooling.heights(height)
        if self.first_row + output.height > rows:
            raise RuleError(
                Cause.shape_mismatch,
                f"the output's height must be at most {rows - self.first_row} (the result has {rows} rows, "
                f"the output begins at row {self.first_row}), not {output.height}",
            )
        fewest, most = self.pooling.widths(width)
        if output.width != most and (output.width != fewest or fewest < 1):
            allowed = f"{most}" if fewest in (0, most) else f"{fewest} or {most}"
            raise RuleError(Cause.shape_mismatch, f"the output's width must be {allowed}, not {output.width}")

    def rows(self, height: int) -> range:
        """Rows of psums, of ``height``, that it needs."""
        return self.pooling.rows(self.first_row, self.destination.height, height)

    def activated_bytes(self, rows: int, columns: int) -> int:
        """Bytes of ``rows`` x ``columns`` activated pixels, packed."""
        return -(-rows * columns * self.destination.channels * self.destination.element.bits // 8)

    def empty(self, rows: int, columns: int) -> Integers:
        """An array for activated values that are not pooled yet, (rows, columns, channels)."""
        return np.empty((rows, columns, self.destination.channels), element_dtype(self.destination.element))

    def pool(self, activated: Integers) -> Integers:
        """Pooled values of (rows, columns, channels) of all `rows`."""
        return self.pooling.apply(activated, self.destination.height, self.destination.width)

    def store(self, bus: Bus, pooled: Integers) -> int:
        """Write the output; returns bytes written. Raises `BusError`."""
        return stream.write(bus, self.destination, pooled)

    def written(self, cost: Cost, size: int) -> Cost:
        """``cost``, now that it is known that the output had ``size`` bytes.

        A compressed output counts as it leaves, the other ones as they come out of the activation unit.
        """
        if not self.destination.compressed:
            return cost
        return replace(cost, output_bytes=size, activation_bytes=cost.input_bytes + cost.psum_bytes + size)
