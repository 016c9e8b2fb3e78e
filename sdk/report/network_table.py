"""The report of a network as tables, in the columns of the published one."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from rich import box
from rich.console import Console
from rich.table import Table

from sdk.report.network import STRICT, LayerFigures, NetworkFigures, rounded

UNKNOWN = "-"


def print_report(figures: NetworkFigures, console: Console) -> None:
    """Mapping, cycles, totals, notes."""
    plan, result = figures.run.plan, figures.run.result
    mega = result.machine.clock_hz / 1e6
    plural = "" if plan.clusters == 1 else "s"
    console.print(
        f"{plan.network.title}: {plan.clusters} cluster{plural} of {result.machine.name} at {mega:g} MHz, "
        f"{figures.run.timing} timing, run from firmware"
    )
    console.print(_mapping_table(figures))
    console.print(_cycles_table(figures))
    for line in _notes(figures):
        console.print(line)


def _table(title: str, *columns: str) -> Table:
    """An empty table that fits 80 characters; the first column is the layer's name."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=0, pad_edge=False)
    table.add_column("layer", no_wrap=True, vertical="bottom")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True, vertical="bottom")
    return table


def _mapping_table(figures: NetworkFigures) -> Table:
    table = _table(
        "layers and mapping (stripes x chain x parallel)", "input", "kernels", "size", "w/f\nbits", "kernel\nbits",
        "weight\nbytes", "activ.\nbytes", "MMAC", "mapping", "rounds",
    )  # fmt: skip
    for row in figures.layers:
        workload, mapping = row.plan.workload, row.plan.mapping
        layer, source = workload.layer, workload.input
        table.add_row(
            layer.name,
            f"{source.channels}x{source.height}x{source.width}",
            str(layer.kernels),
            f"{layer.size}x{layer.size}",
            f"{layer.weights.bits}/{source.format.bits}",
            str(workload.kernel_bits),
            f"{-(-workload.weight_bits // 8)}",
            str(source.stream_bytes),
            f"{workload.macs / 1e6:.2f}",
            f"{mapping.stripes}x{mapping.chain}x{mapping.parallel}",
            str(row.plan.rounds),
        )
    return table


def _cycles_table(figures: NetworkFigures) -> Table:
    parts = _parts(figures)
    compared = figures.run.timing != STRICT
    columns = ("util.\n%", *(("publ.\n%",) if compared else ()), *parts, "cycles", "publ.\ncycles", "dev.")
    table = _table("counted by the clusters", *columns, "energy\nnJ", "exact")
    for row in figures.layers:
        table.add_row(
            row.plan.workload.layer.name,
            f"{row.utilisation_pct:.0f}",
            *((_known(row.published_utilisation_pct),) if compared else ()),
            *(str(rounded(getattr(row.time, part))) for part in parts),
            str(row.cycles),
            _known(row.published_cycles),
            _deviation(row.deviation),
            f"{row.energy_nj:.0f}",
            "no" if row.wrong else "yes",
        )
    total, published = figures.total_cycles, figures.published_total.get("cycles")
    table.add_section()
    table.add_row(
        "total",
        *(("", "") if compared else ("",)),
        *(str(rounded(_sum(getattr(row.time, part) for row in figures.layers))) for part in parts),
        str(total),
        _known(published),
        _deviation(None if published is None else total - int(published)),
        f"{sum(row.energy_nj for row in figures.layers):.0f}",
        "yes" if figures.run.exact else "no",
    )
    return table


def _parts(figures: NetworkFigures) -> tuple[str, ...]:
    """Causes of cycles that make up a layer's time."""
    parts = ("load", "work", "stalls")
    return (*parts, "control") if figures.run.timing == STRICT else parts


def _sum(parts: Iterable[Fraction]) -> Fraction:
    return sum(parts, Fraction())


def _known(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _deviation(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:+d}" if value else "0"


def _notes(figures: NetworkFigures) -> list[str]:
    published = figures.published_total
    lines = [
        f"{figures.inferences_per_second:.1f} inferences/s{_publication(published.get('inf_per_s'))}",
        f"{figures.tops_per_watt():.2f} TOPS/W{_publication(published.get('tops_per_w'))}, each layer's input and "
        "results counted once;",
        f"{figures.tops_per_watt(counted=True):.2f} TOPS/W with the input of every kernel round, as clusters count it",
        "all outputs equal the integer reference" if figures.run.exact else _wrong(figures),
    ]
    if figures.run.timing == STRICT:
        lines += _difference(figures)
    uneven = [row for row in figures.layers if row.slowest_without_control > row.cycles + 1]
    if uneven:
        lines.append(
            f"rows that clusters cannot share evenly; the slowest takes: {', '.join(_slowest(row) for row in uneven)}"
        )
    return lines


def _difference(figures: NetworkFigures) -> list[str]:
    """Why strict timing takes longer than the published rule, cause by cause."""
    rows = figures.layers
    more = {
        "work (rows of tiles that are filled in part, rows that clusters cannot share evenly)": _sum(
            row.time.work - row.rule.work for row in rows
        ),
        "loads (padding of slices)": _sum(row.time.load - row.rule.load for row in rows),
        "stalls": _sum(row.time.stalls - row.rule.stall for row in rows),
        "control": _sum(row.time.control for row in rows),
    }
    whole = rounded(_sum(more.values()))
    parts = (f"  {rounded(cycles):+d} {cause}" for cause, cycles in more.items())
    return [f"{whole:+d} cycles compared with the published rule:", *parts]


def _publication(value: float | None) -> str:
    return "" if value is None else f" (published {value:g})"


def _slowest(row: LayerFigures) -> str:
    return f"{row.plan.workload.layer.name} {row.slowest_without_control} cycles"


def _wrong(figures: NetworkFigures) -> str:
    parts = ", ".join(f"{name}: {count} elements" for name, count in figures.run.wrong.items())
    return f"outputs differ from the integer reference: {parts}"
