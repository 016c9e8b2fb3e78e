"""`python -m sdk.export [--check]`: writes the generated files, or reports how they differ."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from sdk.export import outputs

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 if ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m sdk.export", description="Regenerate what the machines declare.")
    parser.add_argument("--check", action="store_true", help="change nothing; show differences and exit with 1")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository (default: this one)")
    options = parser.parse_args(arguments)
    stale = 0
    for name, text in outputs().items():
        path = options.root / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        stale += 1
        if options.check:
            lines = difflib.unified_diff(old.splitlines(True), text.splitlines(True), name, f"{name} (generated)")
            sys.stdout.writelines(lines)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    if options.check and stale:
        print(f"{stale} generated files are out of date: run `python -m sdk.export`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
