"""C compilers and linkers for the host CPUs: zig, which pip installs, and GCC where it is on PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

NAMES = ("zig", "gcc")
"""Toolchains that can be asked for."""
OPTIMISATIONS = ("0", "s", "2")
"""Values of the option -O."""


class ToolchainError(Exception):
    """A compiler is not there, or it refused its input; the text is for people."""


class CompileError(ToolchainError):
    """A compiler refused its input.

    Attributes:
        diagnostics: what it printed, each with file and line.
    """

    @property
    def diagnostics(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Target:
    """How the compilers call a host CPU.

    Attributes:
        architecture: ``arm`` or ``riscv``.
        startup: folder of its start-up code in ``firmware/startup`` and of its sources in ``firmware/src``.
        zig: options of ``zig cc`` and ``zig build-lib``.
        zig_abi: options of ``zig cc`` alone.
        gcc: command of GCC.
        gcc_flags: options of GCC.
        gcc_package: what to install where GCC is missing.
    """

    architecture: str
    startup: str
    zig: tuple[str, ...]
    zig_abi: tuple[str, ...]
    gcc: str
    gcc_flags: tuple[str, ...]
    gcc_package: str


TARGETS: dict[str, Target] = {
    "cortex-m4f": Target(
        architecture="arm",
        startup="cortex_m",
        zig=("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"),
        zig_abi=(),
        gcc="arm-none-eabi-gcc",
        gcc_flags=("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        gcc_package="gcc-arm-none-eabi",
    ),
    "rv32imc": Target(
        architecture="riscv",
        startup="rv32",
        zig=("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+c+zicsr"),
        zig_abi=("-mabi=ilp32",),
        gcc="riscv64-unknown-elf-gcc",
        # The old ISA version has the CSR instructions in its base, as GCC 12's multilib selection needs it.
        gcc_flags=("-march=rv32imc", "-misa-spec=2.2", "-mabi=ilp32"),
        gcc_package="gcc-riscv64-unknown-elf",
    ),
}
"""The host CPUs, by the names that machines use."""

COMMON_FLAGS = (
    "-std=gnu11", "-g", "-gdwarf-4", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-fno-common",
    "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-stack-protector", "-fno-omit-frame-pointer",
    "-Wall", "-Wextra",
)  # fmt: skip


def prefix_map(folder: Path, name: str) -> list[str]:
    """Options that make outputs say ``name`` where the path of ``folder`` would be.

    The second one is for GCC 12, which tells its assembler about no other.
    """
    return [f"-ffile-prefix-map={folder}={name}", f"-fdebug-prefix-map={folder}={name}"]


class Toolchain(ABC):
    """One compiler for one host CPU."""

    def __init__(self, target: Target) -> None:
        self.target = target

    @property
    @abstractmethod
    def identity(self) -> str:
        """Name and version: objects of different identities are not mixed."""

    @property
    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """Environment variables of the compiler's processes."""

    @property
    @abstractmethod
    def compiler(self) -> tuple[str, ...]:
        """The command that compiles, with the options of the host CPU."""

    @abstractmethod
    def link_command(self, objects: Sequence[Path], script: Path, folder: Path, elf: Path) -> list[str]:
        """The command that links ``objects`` by the linker ``script``, which includes memory.ld of ``folder``.

        The map is written beside the ELF, with the suffix ``.map``.
        """

    def compile_command(self, source: str, output: Path, options: Sequence[str]) -> list[str]:
        """The command that compiles ``source`` to ``output`` and writes its dependencies beside it (``.d``)."""
        depfile = output.with_suffix(".d")
        return [
            *self.compiler, *COMMON_FLAGS, *options, "-MD", "-MF", str(depfile), "-c", source, "-o", str(output),
        ]  # fmt: skip

    def run(self, command: Sequence[str], folder: Path) -> str:
        """Runs ``command`` in ``folder``; returns what it printed.

        Raises:
            ToolchainError: the command failed; the text is what it printed.
        """
        done = subprocess.run(
            command, cwd=folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode != 0:
            raise CompileError(done.stdout.strip() or f"{command[0]} ended with {done.returncode}")
        return done.stdout


class Zig(Toolchain):
    """clang and lld out of the ziglang wheel.

    Args:
        cache: where zig keeps its cache and where the run-time library of the CPU is built once.
    """

    def __init__(self, target: Target, cache: Path) -> None:
        super().__init__(target)
        try:
            import ziglang
        except ImportError:
            raise ToolchainError("zig is missing: pip install ziglang, or use --toolchain gcc") from None
        self._folder = Path(ziglang.__file__).parent
        self._zig = str(self._folder / "zig")
        self._cache = cache

    @cached_property
    def identity(self) -> str:
        """For example ``zig-0.15.1``."""
        return "zig-" + subprocess.check_output([self._zig, "version"], text=True).strip()

    @property
    def environment(self) -> Mapping[str, str]:
        """zig's caches are put where the other caches are."""
        zig_cache = str(self._cache / "zig")
        return os.environ | {"ZIG_GLOBAL_CACHE_DIR": zig_cache, "ZIG_LOCAL_CACHE_DIR": zig_cache}

    @property
    def compiler(self) -> tuple[str, ...]:
        """``zig cc``, without the checks that it adds by default, and with the assertions that it removes at -O.

        Functions set up their frames at their beginning: where LLVM does it later, what it writes for Arm about
        the frames is wrong, and backtraces lose a caller. Debug information does not say where zig is installed.
        """
        headers = prefix_map(self._folder / "lib", "zig")
        options = ("-fno-sanitize=undefined", "-UNDEBUG", "-mllvm", "-enable-shrink-wrap=false", *headers)
        return (self._zig, "cc", *self.target.zig, *self.target.zig_abi, *options)

    def link_command(self, objects: Sequence[Path], script: Path, folder: Path, elf: Path) -> list[str]:
        """lld itself: ``zig cc`` as a linker knows no map file."""
        return [
            self._zig, "ld.lld", "--gc-sections", "--build-id=none", "-L", str(folder), "-T", str(script),
            "-Map", str(elf.with_suffix(".map")), *map(str, objects), str(self._runtime_library()), "-o", str(elf),
        ]  # fmt: skip

    def _runtime_library(self) -> Path:
        """zig's compiler-rt (64-bit division, soft float) for the CPU; it takes some seconds, once."""
        library = self._cache / "compiler-rt" / f"{self.target.startup}-{self.identity}.a"
        if not library.exists():
            library.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=library.parent) as folder:
                made = Path(folder) / library.name
                self.run(
                    [
                        self._zig, "build-lib", *self.target.zig, "-OReleaseSmall", "-fstrip", "-ffunction-sections",
                        "-fdata-sections", "--name", "compiler_rt", f"-femit-bin={made}",
                        str(self._folder / "lib" / "compiler_rt.zig"),
                    ],
                    Path(folder),
                )  # fmt: skip
                made.replace(library)
        return library


class Gcc(Toolchain):
    """A cross GCC on PATH."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        path = shutil.which(target.gcc)
        if path is None:
            raise ToolchainError(
                f"{target.gcc} is not on PATH: install it (Debian: apt install {target.gcc_package}), "
                "or use --toolchain zig"
            )
        self._gcc = path

    @cached_property
    def identity(self) -> str:
        """For example ``gcc-12.2.1``."""
        return "gcc-" + subprocess.check_output([self._gcc, "-dumpfullversion"], text=True).strip()

    @property
    def environment(self) -> Mapping[str, str]:
        """As it is, but with messages in English."""
        return os.environ | {"LC_ALL": "C"}

    @property
    def compiler(self) -> tuple[str, ...]:
        """GCC, told not to turn the loops of memcpy() and memset() into calls of themselves."""
        return (self._gcc, *self.target.gcc_flags, "-fno-tree-loop-distribute-patterns")

    def link_command(self, objects: Sequence[Path], script: Path, folder: Path, elf: Path) -> list[str]:
        """GCC as linker, with nothing but its run-time library."""
        return [
            self._gcc, *self.target.gcc_flags, "-nostdlib", "-nostartfiles", "-static", "-Wl,--gc-sections",
            "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments", f"-Wl,-L,{folder}", "-T", str(script),
            f"-Wl,-Map={elf.with_suffix('.map')}", *map(str, objects), "-lgcc", "-o", str(elf),
        ]  # fmt: skip


def find_toolchain(name: str, host: str, cache: Path) -> Toolchain:
    """The toolchain ``name`` (`NAMES`) for the CPU ``host`` (`TARGETS`).

    Raises:
        ToolchainError: it is not installed.
    """
    target = TARGETS[host]
    return Zig(target, cache) if name == "zig" else Gcc(target)
