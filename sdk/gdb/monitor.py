"""What gdb's ``monitor`` command knows: the NPU, which gdb itself has no words for."""

from __future__ import annotations

from sdk.session import Session

HELP = """\
monitor clusters   what each cluster is doing, and where in its program
monitor tiles N    the tiles of cluster N
monitor cycles     cycles and instructions since reset
"""


def answer(session: Session, text: str) -> str:
    """The text that gdb shows."""
    match text.split():
        case ["clusters"]:
            return "".join(
                f"cluster {item.cluster}: {item.status}{'' if item.place is None else f', at {item.place}'}\n"
                for item in session.accelerators()
            )
        case ["tiles", number] if number.isdecimal() and int(number) < len(session.clusters):
            return "".join(
                f"tile {tile.number}: {'compute' if tile.compute else 'memory'}, "
                f"{tile.kernels} kernels{'' if tile.weights is None else f' of {tile.weights.name}'}, "
                f"{100 * tile.occupancy:.0f} % occupied\n"
                for tile in session.tiles(int(number))
            )
        case ["tiles", *_]:
            return f"write: monitor tiles N, N from 0 to {len(session.clusters) - 1}\n"
        case ["cycles"]:
            core = session.machine.core
            return f"{session.machine.clock.now:,} cycles, {core.instructions:,} instructions\n"
    return HELP
