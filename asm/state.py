"""What a cluster's set-up is known to be at a place in a program, followed along its text.

The assembler uses it to report broken rules early, the disassembler to mark them. It starts at *unknown*:
the host may have set anything before it started the program.

*Inaccuracies*: the state at a label is that of the text above it, whoever else jumps there; the body of a
loop is seen once, as its first iteration. After a jump or halt everything is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

from asm import isa
from asm.rules import (
    ARRAY_FORMATS,
    KERNEL_ROWS,
    LOOP_DEPTH,
    Cause,
    ElementFormat,
    KernelGeometry,
    RuleError,
    check_output,
    check_topology,
)


@dataclass(frozen=True, slots=True)
class Tiling:
    """How the tiles are wired."""

    chain: int
    parallel: int
    stripes: int
    interleave: bool

    @property
    def tiles(self) -> int:
        """Tiles in use, from tile 0 on."""
        return self.chain * self.parallel * self.stripes


@dataclass(frozen=True, slots=True)
class KernelSetup:
    """Kernel shape, formats and padding in force."""

    height: int
    width: int
    stride_y: int
    stride_x: int
    weights: ElementFormat
    features: ElementFormat
    channels: int
    padding: dict[str, int]

    def geometry(self, chain: int) -> KernelGeometry:
        """The kernel over a chain of this length."""
        return KernelGeometry(self.height, self.width, self.channels, self.weights, chain)


class ClusterState:
    """The known part of a cluster's set-up; None means unknown."""

    def __init__(self) -> None:
        self.loops = 0
        self.forget()

    def forget(self) -> None:
        """Everything could have changed, apart from the loops around this place."""
        self.tiling: Tiling | None = None
        self.compute: int | None = None
        self.kernel: KernelSetup | None = None
        self.loaded: int | None = None
        self.bypass: bool | None = None

    def end_loop(self) -> None:
        """The body of a loop ends here."""
        self.loops -= 1

    def apply(self, instruction: isa.Instruction, offset: int) -> None:
        """Goes past ``instruction``, which lies at ``offset`` in the blob.

        Raises:
            RuleError: it breaks a rule. What it would have set is unknown then.
        """
        words = [layout.unpack(word) for layout, word in zip(instruction.payload, instruction.words, strict=True)]
        match instruction:
            case isa.Jump() | isa.Halt():
                self.forget()
            case isa.Loop():
                self._loop(words[1]["offset"], offset + instruction.size)
            case isa.SetTopology():
                self._topology(**words[0])
            case isa.SetMode():
                self.compute = words[0]["compute"]
            case isa.SetKernel():
                self._kernel(*words)
            case isa.SetActivation():
                self.bypass = bool(words[0]["bypass"])
            case isa.Load():
                self._load(words[1]["kernels"])
            case isa.Conv():
                size = len(isa.TENSOR)
                self._conv(_merged(words[:size]), _merged(words[size:]))
            case isa.Copy():
                _check_copy(words[2]["bytes"], [word["count"] for word in words if "count" in word])

    def _loop(self, end: int, body: int) -> None:
        self.loops += 1
        if self.loops > LOOP_DEPTH:
            raise RuleError(Cause.loop_depth, f"loops nest at most {LOOP_DEPTH} deep")
        if end <= body:
            raise RuleError(Cause.bad_field, "the body of a loop needs at least one instruction")

    def _topology(self, chain: int, parallel: int, stripes: int, interleave: int) -> None:
        self.tiling, self.loaded = None, 0
        check_topology(chain, parallel, stripes)
        self.tiling = Tiling(chain, parallel, stripes, bool(interleave))

    def _kernel(self, shape: dict[str, int], formats: dict[str, int], padding: dict[str, int]) -> None:
        self.kernel, self.loaded = None, 0
        weights, features = element_format(formats["weights"]), element_format(formats["features"])
        for name, form in (("weights", weights), ("features", features)):
            if form not in ARRAY_FORMATS:
                raise RuleError(Cause.bad_field, f"{name} must be u1, s1, u2, s2, u4 or s4, not {form.name}")
        for stride in ("stride_y", "stride_x"):
            if shape[stride] < 1:
                raise RuleError(Cause.bad_field, "stride must be at least 1, not 0")
        kernel = KernelSetup(**shape, weights=weights, features=features, channels=formats["channels"], padding=padding)
        if self.tiling is not None:
            kernel.geometry(self.tiling.chain).check()
        self.kernel = kernel

    def _load(self, count: int) -> None:
        self.loaded = None
        if self.tiling is not None:
            check_load(count, self.tiling.parallel)
            if self.kernel is not None:
                self.kernel.geometry(self.tiling.chain).check()
        self.loaded = count

    def _conv(self, source: dict[str, int], target: dict[str, int]) -> None:
        formats = {}
        for name, tensor in (("input", source), ("output", target)):
            formats[name] = form = element_format(tensor["format"])
            if tensor["bits"] % form.bits:
                raise RuleError(
                    Cause.bad_field,
                    f"the {name}'s pixel stride must be a multiple of {form.bits} bits, not {tensor['bits']}",
                )
        if self.tiling is not None and self.compute is not None:
            _check_mode(self.tiling.tiles, self.compute)
        if self.loaded == 0:
            raise RuleError(Cause.kernels_not_loaded, "no kernels are loaded since the last topology or kernel")
        if self.kernel is not None:
            self._check_shapes(self.kernel, source, target, formats["input"])
        if self.loaded is not None and target["channels"] != self.loaded:
            raise RuleError(
                Cause.shape_mismatch,
                f"the output must have {self.loaded} channels, one for each loaded kernel, not {target['channels']}",
            )
        if self.bypass and formats["output"] is not ElementFormat.s32:
            raise RuleError(
                Cause.bad_field, f"with activation bypass the output must be s32, not {formats['output'].name}"
            )

    def _check_shapes(
        self, kernel: KernelSetup, source: dict[str, int], target: dict[str, int], features: ElementFormat
    ) -> None:
        if features is not kernel.features:
            raise RuleError(
                Cause.bad_field,
                f"the input must be {kernel.features.name}, as the kernel's features, not {features.name}",
            )
        if source["channels"] != kernel.channels:
            raise RuleError(
                Cause.shape_mismatch,
                f"the input must have {kernel.channels} channels, as the kernel, not {source['channels']}",
            )
        pad = kernel.padding
        check_output(
            "height", target["height"], source["height"], pad["top"], pad["bottom"], kernel.height, kernel.stride_y
        )
        check_output(
            "width", target["width"], source["width"], pad["left"], pad["right"], kernel.width, kernel.stride_x
        )


def check_load(count: int, parallel: int) -> None:
    """Raises `RuleError` unless ``parallel`` chains can hold ``count`` kernels."""
    limit = KERNEL_ROWS * parallel
    if not 1 <= count <= limit:
        raise RuleError(
            Cause.bad_field,
            f"one load brings 1..{limit} kernels ({KERNEL_ROWS} x parallel {parallel}), not {count}",
        )


def _check_copy(length: int, counts: list[int]) -> None:
    if min(length, *counts) < 1:
        raise RuleError(Cause.bad_field, "a copy moves at least 1 byte, and repeats at least once")


def element_format(number: int) -> ElementFormat:
    """The format with this number; raises `RuleError` if there is none."""
    try:
        return ElementFormat(number)
    except ValueError:
        raise RuleError(Cause.bad_field, f"{number} is not an element format") from None


def _check_mode(tiles: int, compute: int) -> None:
    idle = [tile for tile in range(tiles) if not compute >> tile & 1]
    if idle:
        raise RuleError(
            Cause.tile_mode,
            f"the topology uses tiles 0..{tiles - 1}, but tile {idle[0]} is in memory mode",
        )


def _merged(words: list[dict[str, int]]) -> dict[str, int]:
    """The fields of a tensor's words in one dictionary; their names differ."""
    return {name: value for word in words for name, value in word.items()}
