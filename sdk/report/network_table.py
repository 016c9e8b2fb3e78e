"""The report of a network as tables, in the columns of the published one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from rich import box
from rich.console import Console
from rich.table import Table

from sdk.report.network import STRICT, LayerFigures, NetworkFigures, rounded

UNKNOWN = "-"
EXPLANATION = [
    "work beyond the rule: rows of tiles that are filled in part, rows that clusters cannot share evenly;",
    "load: padding of slices; input: tables, and a stream that the rule knows already (negative: work hides it)",
]

TECHNIQUES = {
    "compressed": "compressed kernels",
    "overlap": "loads that overlap with work",
    "broadcast": "features broadcast to several clusters",
}


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
    if figures.run.timing == STRICT:
        console.print(_difference_table(figures))
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
            str(workload.kernels),
            layer.kind.value if layer.kind.elementwise else f"{layer.size[0]}x{layer.size[1]}",
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
    parts = ("load", "work", "copy", "stalls") if _copies(figures) else ("load", "work", "stalls")
    return (*parts, "control") if figures.run.timing == STRICT else parts


def _copies(figures: NetworkFigures) -> bool:
    """Whether there are sums or products."""
    return any(row.plan.workload.layer.kind.elementwise for row in figures.layers)


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
    lines += _techniques(figures)
    if figures.run.timing == STRICT:
        lines += EXPLANATION
    uneven = [row for row in figures.layers if row.slowest_without_control > row.cycles + 1]
    if uneven:
        lines.append(
            f"rows that clusters cannot share evenly; the slowest takes: {', '.join(_slowest(row) for row in uneven)}"
        )
    return lines


def _techniques(figures: NetworkFigures) -> Iterator[str]:
    """Which layers use more than the published tables do."""
    for technique, text in TECHNIQUES.items():
        names = [row.plan.workload.layer.name for row in figures.layers if getattr(row.plan.mapping, technique)]
        if names:
            yield f"{text}: {', '.join(names)}"
    parts = [row for row in figures.layers if row.plan.mapping.parts > 1]
    if parts:
        counts = (f"{row.plan.workload.layer.name} {row.plan.mapping.parts}" for row in parts)
        yield f"parts of a kernel, one after the other: {', '.join(counts)}"


def _difference_table(figures: NetworkFigures) -> Table:
    """Why strict timing takes longer than the published rule, layer by layer and cause by cause."""
    titles = {"load": "load", "work": "work", "copy": "copy"} if _copies(figures) else {"load": "load", "work": "work"}
    titles |= {f"stall_{cause}": f"{cause}\nstall" for cause in ("input", "output", "port")}
    causes = (*titles, "control")
    table = _table("beyond the published rule", "rule", *titles.values(), "control", "sum", "cycles")
    for row in figures.layers:
        more = row.beyond_rule
        table.add_row(
            row.plan.workload.layer.name,
            _cycles(row.rule.total),
            *(_more(getattr(more, cause)) for cause in causes),
            _more(more.total),
            str(row.cycles),
        )
    table.add_section()
    table.add_row(
        "total",
        _cycles(_sum(row.rule.total for row in figures.layers)),
        *(_more(_sum(getattr(row.beyond_rule, cause) for row in figures.layers)) for cause in causes),
        _more(_sum(row.beyond_rule.total for row in figures.layers)),
        str(figures.total_cycles),
    )
    return table


def _cycles(cycles: Fraction) -> str:
    """With one decimal where it is no whole number: the rule has fractions."""
    return str(cycles) if cycles.denominator == 1 else f"{float(cycles):.1f}"


def _more(cycles: Fraction) -> str:
    """A difference with its sign."""
    return f"+{_cycles(cycles)}" if cycles > 0 else _cycles(cycles)


def _publication(value: float | None) -> str:
    return "" if value is None else f" (published {value:g})"


def _slowest(row: LayerFigures) -> str:
    return f"{row.plan.workload.layer.name} {row.slowest_without_control} cycles"


def _wrong(figures: NetworkFigures) -> str:
    parts = ", ".join(f"{name}: {count} elements" for name, count in figures.run.wrong.items())
    return f"outputs differ from the integer reference: {parts}"
