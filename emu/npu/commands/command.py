"""What every command has in common.

A command is made from the registers when it starts; later writes do not change it. It is checked at once, and
carried out in one go when its time is over: inputs and kernels are those of its end. Only the activation table
and the look-up table are fetched at the start.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, ClassVar

from asm import parameters
from asm.parameters import CommandCode
from asm.rules import Cause, RuleError
from emu.bus import Bus
from emu.npu.stream import Tensor
from emu.npu.timing import Cost
from emu.registers import Register

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster


class Command(ABC):
    """One command with all its values.

    Attributes:
        kind: its number in COMMAND.
    """

    kind: ClassVar[CommandCode]

    @classmethod
    @abstractmethod
    def of_registers(cls, cluster: Cluster) -> Command:
        """The command that the registers describe. Raises `RuleError`, `BusError`."""

    @property
    @abstractmethod
    def fetched(self) -> tuple[tuple[int, bytes], ...] | None:
        """What was fetched from memory when it was made, (address, bytes); None if it must be made anew each time."""

    def is_current(self, bus: Bus) -> bool:
        """Whether what was fetched from memory when it was made is still the same. Raises `BusError`."""
        return self.fetched is not None and all(starmap(bus.holds, self.fetched))

    @property
    @abstractmethod
    def cost(self) -> Cost:
        """What time depends on, as far as it is known at the start."""

    @abstractmethod
    def check(self) -> None:
        """Raises `RuleError` if no machine could carry it out."""

    @abstractmethod
    def check_machine(self, cluster: Cluster) -> None:
        """Raises `RuleError` or `BusError` if it cannot be carried out in the machine's present state."""

    @abstractmethod
    def carry_out(self, cluster: Cluster) -> Cost:
        """The effect, all of it.

        Returns:
            What counters and energy depend on: `cost`, with the bytes that compressed tensors really had.

        Raises:
            RuleError: what lies in memory is not what it must be; nothing is written then.
            BusError: memory went away in the meantime; nothing is written then.
        """

    def bound(self, cluster: Cluster) -> Callable[[], object]:
        """What carries it out once more, with all that is known of it now that it has been carried out.

        It may be called for as long as read-only memories do not change, and memories have no blocked pages that had
        none.
        """
        return partial(self.carry_out, cluster)


def signed(word: int, bits: int = 32) -> int:
    """The lower ``bits`` bits of a word as two's complement."""
    word &= (1 << bits) - 1
    return word - (1 << bits) if word >> (bits - 1) else word


def tensor_of_registers(cluster: Cluster, first: Register) -> Tensor:
    """The tensor that five registers describe. Raises `RuleError`."""
    return Tensor.of_words(cluster.register_words(first, len(parameters.TENSOR)))


def input_tensor(cluster: Cluster, first: Register, name: str) -> Tensor:
    """The same, checked; if it is compressed, with the bytes that its rows have now. Raises `RuleError`, `BusError`."""
    tensor = tensor_of_registers(cluster, first)
    tensor.check(name)
    return tensor.measured(cluster.bus)


def other_clusters(cluster: Cluster, bits: int) -> tuple[int, ...]:
    """Numbers of a set of clusters without this one. Raises `RuleError` if the machine does not have one of them."""
    numbers = tuple(number for number in range(bits.bit_length()) if bits >> number & 1 and number != cluster.index)
    for number in numbers:
        if cluster.peer(number) is None:
            raise RuleError(
                Cause.bad_field, f"cluster {number} is in the set of clusters, but this machine does not have it"
            )
    return numbers
