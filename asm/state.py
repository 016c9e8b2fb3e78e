"""What a cluster's set-up is known to be at a place in a program, followed along its text.

The assembler uses it to report broken rules early, the disassembler to mark them. It starts at *unknown*:
the host may have set anything before it started the program. Only pooling and partition, which a host hardly
sets for a program, are taken to be off until the program says something about them.

*Inaccuracies*: the state at a label is that of the text above it, whoever else jumps there; the body of a
loop is seen once, as its first iteration. After a jump or halt everything is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from asm import isa
from asm.rules import (
    ARRAY_FORMATS,
    ARRAY_NAMES,
    KERNEL_ROWS,
    LOOP_DEPTH,
    Cause,
    ElementFormat,
    KernelGeometry,
    RuleError,
    check_kernel_fits,
    check_output,
    check_topology,
    output_size,
)
from asm.shapes import AFTER_RESET, UNKNOWN, OutputSetup, PoolingSetup
from asm.tensor_words import TensorWords, element_format, tensors_of_words

PSUM_FORMATS = (ElementFormat.s32, ElementFormat.psum64)
"""Formats that psums have in memory."""


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
    depthwise: bool
    sparse: bool
    channels: int
    padding: dict[str, int]

    def geometry(self, chain: int) -> KernelGeometry:
        """The kernel over a chain of this length."""
        return KernelGeometry(self.height, self.width, self.channels, self.weights, chain, self.depthwise, self.sparse)

    def result_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result of an input of this height and width."""
        pad = self.padding
        return (
            output_size(height, pad["top"], pad["bottom"], self.height, self.stride_y),
            output_size(width, pad["left"], pad["right"], self.width, self.stride_x),
        )


class ClusterState:
    """The known part of a cluster's set-up; None means unknown."""

    def __init__(self) -> None:
        self.loops = 0
        self.output: OutputSetup
        self.forget()
        self.output = AFTER_RESET

    def forget(self) -> None:
        """Everything could have changed, apart from the loops around this place."""
        self.tiling: Tiling | None = None
        self.compute: int | None = None
        self.kernel: KernelSetup | None = None
        self.loaded: int | None = None
        self.bypass: bool | None = None
        self.output = UNKNOWN

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
                self._activation(bool(words[0]["bypass"]), bool(words[0]["lookup"]))
            case isa.Wait():
                self.loaded = None  # another cluster may have broadcast kernels to this one
            case isa.Barrier():
                self.loaded = None  # the same
                if not isa.EventImmediate.clusters.extract(instruction.immediate_word):
                    raise RuleError(Cause.bad_field, "a barrier needs the clusters that take part, at least one")
            case isa.SetPooling():
                self._pooling(**words[0])
            case isa.SetPartition():
                self.output = replace(self.output, first_row=words[0]["first_row"], whole=False)
            case isa.Load():
                self._load(words[1]["kernels"])
            case isa.Conv():
                source, target = tensors_of_words(words, "input", "output")
                self._conv(source, target)
            case isa.Accumulate():
                source, target, psums = tensors_of_words(words, "input", "output", "psums")
                self._conv(source, target)
                self._psums(source, target, psums)
            case isa.Sum() | isa.Product():
                first, target, second = tensors_of_words(words, "first input", "output", "second input")
                self._element_wise(first, second, target)
            case isa.Copy() | isa.Fill():
                counts = [word["count"] for word in words if "count" in word]
                if min(words[2]["bytes"], *counts) < 1:
                    raise RuleError(
                        Cause.bad_field,
                        f"a {instruction.mnemonic} moves at least 1 byte, and repeats at least once",
                    )

    def _loop(self, end: int, body: int) -> None:
        self.loops += 1
        if self.loops > LOOP_DEPTH:
            raise RuleError(Cause.loop_depth, f"loops nest at most {LOOP_DEPTH} deep")
        if end <= body:
            raise RuleError(Cause.bad_field, "the body of a loop needs at least one instruction")

    # ---- set-up

    def _topology(self, chain: int, parallel: int, stripes: int, interleave: int) -> None:
        self.tiling, self.loaded = None, 0
        check_topology(chain, parallel, stripes)
        self.tiling = Tiling(chain, parallel, stripes, bool(interleave))

    def _kernel(self, shape: dict[str, int], formats: dict[str, int], padding: dict[str, int]) -> None:
        self.kernel, self.loaded = None, 0
        weights, features = element_format(formats["weights"]), element_format(formats["features"])
        for name, form in (("weights", weights), ("features", features)):
            if form not in ARRAY_FORMATS:
                raise RuleError(Cause.bad_field, f"{name} must be {ARRAY_NAMES}, not {form.name}")
        for stride in ("stride_y", "stride_x"):
            if shape[stride] < 1:
                raise RuleError(Cause.bad_field, "stride must be at least 1, not 0")
        kernel = KernelSetup(
            **shape,
            weights=weights,
            features=features,
            depthwise=bool(formats["depthwise"]),
            sparse=bool(formats["sparse"]),
            channels=formats["channels"],
            padding=padding,
        )
        if kernel.depthwise and kernel.channels != 1:
            raise RuleError(Cause.bad_field, f"a depthwise kernel has 1 channel, not {kernel.channels}")
        if self.tiling is not None:
            kernel.geometry(self.tiling.chain).check()
        self.kernel = kernel

    def _activation(self, bypass: bool, lookup: bool) -> None:
        self.bypass = None
        if bypass and lookup:
            raise RuleError(Cause.bad_field, "with bypass there is no look-up: psums leave as they are")
        self.bypass = bypass

    def _pooling(self, **fields: int) -> None:
        self.output = replace(self.output, pooling=None)
        self.output = replace(self.output, pooling=PoolingSetup.of_fields(**fields))

    # ---- commands

    def _load(self, count: int) -> None:
        self.loaded = None
        if self.tiling is not None:
            check_load(count, self.tiling.parallel)
            if self.kernel is not None:
                self.kernel.geometry(self.tiling.chain).check()
        self.loaded = count

    def _conv(self, source: TensorWords, target: TensorWords) -> None:
        if self.tiling is not None and self.compute is not None:
            _check_mode(self.tiling.tiles, self.compute)
        if self.loaded == 0:
            raise RuleError(Cause.kernels_not_loaded, "no kernels are loaded since the last topology or kernel")
        if self.kernel is not None:
            self._check_input(self.kernel, source)
            self._check_output(self.kernel, source, target)
        if self.loaded is not None and target.channels != self.loaded:
            raise RuleError(
                Cause.shape_mismatch,
                f"the output must have {self.loaded} channels, one for each loaded kernel, not {target.channels}",
            )
        self._check_target(target)

    def _check_input(self, kernel: KernelSetup, source: TensorWords) -> None:
        if source.format is not kernel.features:
            raise RuleError(
                Cause.bad_field,
                f"the input must be {kernel.features.name}, as the kernel's features, not {source.format.name}",
            )
        if not kernel.depthwise:
            if source.channels != kernel.channels:
                raise RuleError(
                    Cause.shape_mismatch,
                    f"the input must have {kernel.channels} channels, as the kernel, not {source.channels}",
                )
        elif self.loaded is not None and source.channels != self.loaded:
            raise RuleError(
                Cause.shape_mismatch,
                f"the input must have {self.loaded} channels, one for each depthwise kernel, not {source.channels}",
            )

    def _check_output(self, kernel: KernelSetup, source: TensorWords, target: TensorWords) -> None:
        top, bottom, left, right = kernel.padding.values()
        if self.output == AFTER_RESET:
            check_output("height", target.height, source.height, top, bottom, kernel.height, kernel.stride_y)
            check_output("width", target.width, source.width, left, right, kernel.width, kernel.stride_x)
        else:
            check_kernel_fits("height", source.height + top + bottom, kernel.height, kernel.stride_y)
            check_kernel_fits("width", source.width + left + right, kernel.width, kernel.stride_x)
            self.output.check(kernel.result_size(*source.size), target.size, target.format)

    def _check_target(self, target: TensorWords) -> None:
        target.check_writable("output")
        if self.bypass and target.format not in PSUM_FORMATS:
            raise RuleError(
                Cause.bad_field, f"with activation bypass the output must be s32 or psum64, not {target.format.name}"
            )
        if self.bypass is False and target.format is ElementFormat.psum64:
            raise RuleError(Cause.bad_field, "an output of psum64 needs activation bypass; use s32")

    def _psums(self, source: TensorWords, target: TensorWords, psums: TensorWords) -> None:
        if psums.format not in PSUM_FORMATS:
            raise RuleError(Cause.bad_field, f"psums must be s32 or psum64, not {psums.format.name}")
        if psums.channels != target.channels:
            raise RuleError(
                Cause.shape_mismatch,
                f"the psums must have {target.channels} channels, as the output, not {psums.channels}",
            )
        if self.kernel is not None:
            result_height, width = self.kernel.result_size(*source.size)
            height = self.output.rows_made(result_height, target.height)
            if height is not None and psums.size != (height, width):
                raise RuleError(
                    Cause.shape_mismatch,
                    f"there must be {height} x {width} psums, one for each sum before pooling, "
                    f"not {psums.height} x {psums.width}",
                )

    def _element_wise(self, first: TensorWords, second: TensorWords, target: TensorWords) -> None:
        if first.shape != second.shape:
            raise RuleError(
                Cause.shape_mismatch, f"the inputs must have one shape, not {first.shape} and {second.shape}"
            )
        if target.channels != first.channels:
            raise RuleError(
                Cause.shape_mismatch,
                f"the output must have {first.channels} channels, as the inputs, not {target.channels}",
            )
        for name, tensor in (("first", first), ("second", second)):
            if tensor.format is ElementFormat.psum64:
                raise RuleError(Cause.bad_field, f"the {name} input cannot be psum64; use s32")
        self.output.check(first.size, target.size, target.format)
        self._check_target(target)


def check_load(count: int, parallel: int) -> None:
    """Raises `RuleError` unless ``parallel`` chains can hold ``count`` kernels."""
    limit = KERNEL_ROWS * parallel
    if not 1 <= count <= limit:
        raise RuleError(
            Cause.bad_field,
            f"one load brings 1..{limit} kernels ({KERNEL_ROWS} x parallel {parallel}), not {count}",
        )


def _check_mode(tiles: int, compute: int) -> None:
    idle = [tile for tile in range(tiles) if not compute >> tile & 1]
    if idle:
        raise RuleError(
            Cause.tile_mode,
            f"the topology uses tiles 0..{tiles - 1}, but tile {idle[0]} is in memory mode",
        )
