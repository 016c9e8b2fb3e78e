"""The `imnpu` command: finds the subcommand, and turns every error into one message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from sdk.cli.parsers import SUBCOMMANDS, subcommand_parser, top_parser

ERROR, USAGE, INTERNAL, INTERRUPTED, BROKEN_PIPE = 1, 2, 70, 130, 141
"""Exit codes: wrong input, wrong arguments, a defect of this program, Ctrl-C, the reader of stdout went away."""
BLAS_THREADS = "OPENBLAS_NUM_THREADS"
"""Read when NumPy is imported. The matrices of tiles are small: threads that wait for each other make them slower, the
more so the busier the computer is."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of writing, which do not say to which file."""
PACKAGES = ("asm", "emu", "sdk")
"""The exceptions that are defined here speak to people; others are defects."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault(BLAS_THREADS, "1")
    _open_missing_streams()
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return BROKEN_PIPE
    except Exception as error:
        if os.environ.get("IMNPU_DEBUG") == "1":
            raise
        return _report(error)
    return code


def _dispatch(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "--help"
    if name.startswith("-"):
        top_parser().parse_args([name])
    if name not in SUBCOMMANDS:
        return _unknown(name)
    args = subcommand_parser(name).parse_args(arguments[1:])
    code: int = import_module(SUBCOMMANDS[name].module).main(args)
    return code


def _open_missing_streams() -> None:
    """Replace standard streams that whoever started this program has closed: Python has None instead of them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open to the program's end


def _discard_output() -> None:
    """Forget what stdout has not taken: the interpreter flushes it again at its end, and that must not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unknown(name: str) -> int:
    import difflib

    near = difflib.get_close_matches(name, SUBCOMMANDS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"commands: {', '.join(SUBCOMMANDS)}"
    print(f"imnpu: there is no command {name!r}: {hint}", file=sys.stderr)
    return USAGE


def _report(error: Exception) -> int:
    """Say what went wrong; returns the exit code."""
    if type(error).__module__.partition(".")[0] in PACKAGES:
        # Editors find files and lines in what compilers print; nothing may stand in front of that.
        print(error if hasattr(error, "diagnostics") else f"imnpu: {error}", file=sys.stderr)
        return ERROR
    if isinstance(error, OSError) and error.filename is not None:
        print(f"imnpu: {error.filename}: {error.strerror}", file=sys.stderr)
        return ERROR
    if isinstance(error, OSError) and error.errno in FULL:
        _discard_output()
        print(f"imnpu: the output cannot be written: {error.strerror}", file=sys.stderr)
        return ERROR
    text = " ".join(str(error).split())
    print(
        f"imnpu: internal error: {type(error).__name__}: {text} (set IMNPU_DEBUG=1 for the traceback)", file=sys.stderr
    )
    return INTERNAL


if __name__ == "__main__":
    sys.exit(main())
