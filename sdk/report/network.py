"""Figures of a network that ran from firmware, beside the published ones.

*Cycles of a layer*, published timing: kernel load and work of its clusters as they counted them. The published rule
takes a group's rows to be shared evenly; where whole rows do not allow that, the figure is the group's average, and
`slowest_cluster_cycles` says what the slowest cluster took. Set-up instructions are counted apart.

*Energy*, as the published efficiency has it: every layer's input counts once, although every kernel round streams it
again. `energy_counted_nj` is what the clusters counted, with all streams.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

from emu.npu.energy import ACTIVATION_BYTE_FJ, ARRAY_FJ, KERNEL_WORD_FJ, OVERHEAD_FJ
from sdk.networks.measure import NetworkRun
from sdk.networks.measured import Measured
from sdk.networks.plan import LayerPlan

PUBLISHED_FILE = "published.toml"
FEMTO_PER_NANO, PICO_PER_NANO, NANO = 1e6, 1e3, 1e-9
TERA = 1e12
OPERATIONS_PER_MAC = 2


@dataclass(frozen=True, slots=True)
class LayerEnergy:
    """Where the energy of a layer goes, in nJ; activations: as counted, with every stream."""

    array: float
    overhead: float
    kernels: float
    activations: float
    leakage: float


@dataclass(frozen=True)
class LayerFigures:
    """One row of the report.

    Attributes:
        cycles: see the module.
        slowest_cycles: of the cluster that took longest.
        load_cycles, work_cycles, stall_cycles: of the group that took longest; `cycles` is their sum.
        control_cycles: of the cluster with most of them.
        published_cycles, published_utilisation_pct: None where nothing is published.
        energy_nj: every tensor counted once.
        wrong: elements of its output that differ from the reference.
    """

    plan: LayerPlan
    cycles: Fraction
    slowest_cycles: int
    load_cycles: int
    work_cycles: Fraction
    stall_cycles: Fraction
    control_cycles: int
    published_cycles: int | None
    published_utilisation_pct: int | None
    energy: LayerEnergy
    energy_nj: float
    energy_counted_nj: float
    wrong: int

    @property
    def utilisation_pct(self) -> float:
        """Share of the cluster's array that is read in a cycle of work."""
        return 100 * self.plan.mapping.utilisation(self.plan.workload)

    @property
    def deviation(self) -> int | None:
        """Cycles more than published."""
        return None if self.published_cycles is None else rounded(self.cycles) - self.published_cycles

    def as_json(self) -> dict[str, Any]:
        """The row as plain data."""
        workload, mapping = self.plan.workload, self.plan.mapping
        layer, source = workload.layer, workload.input
        return {
            "name": layer.name,
            "cycles": rounded(self.cycles),
            "published_cycles": self.published_cycles,
            "deviation_cycles": self.deviation,
            "utilization_pct": round(self.utilisation_pct, 2),
            "published_utilization_pct": self.published_utilisation_pct,
            "energy_nj": round(self.energy_nj, 3),
            "energy_counted_nj": round(self.energy_counted_nj, 3),
            "energy_parts_nj": {
                name: round(getattr(self.energy, name), 3) for name in LayerEnergy.__dataclass_fields__
            },
            "load_cycles": self.load_cycles,
            "work_cycles": rounded(self.work_cycles),
            "stall_cycles": rounded(self.stall_cycles),
            "control_cycles": self.control_cycles,
            "slowest_cluster_cycles": self.slowest_cycles,
            "input": [source.channels, source.height, source.width],
            "kernels": layer.kernels,
            "kernel_hw": layer.size,
            "weight_bits": layer.weights.bits,
            "feature_bits": source.format.bits,
            "kernel_bits": workload.kernel_bits,
            "weight_bytes": -(-workload.weight_bits // 8),
            "activation_bytes": source.stream_bytes,
            "mmacs": round(workload.macs / 1e6, 2),
            "stripes": mapping.stripes,
            "chain": mapping.chain,
            "parallel": mapping.parallel,
            "kernel_rounds": self.plan.rounds,
            "clusters": self.plan.clusters,
            "wrong_elements": self.wrong,
        }


@dataclass(frozen=True)
class NetworkFigures:
    """The whole report.

    Attributes:
        published_total: published totals by name: cycles, inf_per_s, tops_per_w; only those that are known.
    """

    run: NetworkRun
    timing: str
    layers: tuple[LayerFigures, ...]
    published_total: dict[str, float]

    @property
    def total_cycles(self) -> int:
        """Cycles of all layers."""
        return rounded(sum((layer.cycles for layer in self.layers), Fraction()))

    @property
    def inferences_per_second(self) -> float:
        """At the machine's clock, layer after layer."""
        return self.run.result.machine.clock_hz / self.total_cycles

    def tops_per_watt(self, counted: bool = False) -> float:
        """Efficiency; ``counted``: with every stream of every round, as the clusters count."""
        operations = OPERATIONS_PER_MAC * sum(layer.plan.workload.macs for layer in self.layers)
        energy = sum(layer.energy_counted_nj if counted else layer.energy_nj for layer in self.layers)
        return operations / (energy * NANO) / TERA

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        network, total = self.run.plan.network, self.published_total
        return {
            "network": network.name,
            "machine": self.run.result.machine.name,
            "clusters": self.run.plan.clusters,
            "timing": self.timing,
            "clock_hz": self.run.result.machine.clock_hz,
            "layers": [layer.as_json() for layer in self.layers],
            "total_cycles": self.total_cycles,
            "published_total_cycles": total.get("cycles"),
            "inf_per_s": round(self.inferences_per_second, 2),
            "published_inf_per_s": total.get("inf_per_s"),
            "tops_per_w": round(self.tops_per_watt(), 3),
            "published_tops_per_w": total.get("tops_per_w"),
            "tops_per_w_counted": round(self.tops_per_watt(counted=True), 3),
            "energy_nj": round(sum(layer.energy_nj for layer in self.layers), 3),
            "exact": self.run.exact,
            "machine_cycles": self.run.result.cycles,
        }


def rounded(cycles: Fraction) -> int:
    """The nearest whole number of cycles; halves go up, as in the published table."""
    return floor(cycles + Fraction(1, 2))


def network_figures(run: NetworkRun, timing: str, folder: Path) -> NetworkFigures:
    """The figures of a run.

    Args:
        timing: name of the timing model.
        folder: of the network; ``published.toml`` in there has the published figures, if there are any.
    """
    file = folder / PUBLISHED_FILE
    published = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    clusters = str(run.plan.clusters)
    total = {name: values[clusters] for name, values in published.get("total", {}).items() if clusters in values}
    layers = tuple(
        _layer(plan, counted, run, published.get("layers", {}).get(plan.workload.layer.name, {}))
        for plan, counted in zip(run.plan.layers, run.counted, strict=True)
    )
    return NetworkFigures(run, timing, layers, total)


def _layer(plan: LayerPlan, counted: tuple[Measured, ...], run: NetworkRun, published: dict[str, Any]) -> LayerFigures:
    workload = plan.workload
    groups = sorted({tasks[0].clusters for tasks in plan.tasks if tasks})
    members = [[counted[cluster] for cluster in group] for group in groups]
    load, work, stall = max((_shared(group) for group in members), key=_total)
    repeated = sum(one.activation_bytes for one in counted) - workload.activation_bytes
    energy = sum(one.energy_pj for one in counted) / PICO_PER_NANO
    return LayerFigures(
        plan=plan,
        cycles=load + work + stall,
        slowest_cycles=max(_slowest(group) for group in members),
        load_cycles=load,
        work_cycles=work,
        stall_cycles=stall,
        control_cycles=max(one.control_cycles for one in counted),
        published_cycles=published.get("cycles", {}).get(str(run.plan.clusters)),
        published_utilisation_pct=published.get("utilization_pct"),
        energy=_energy(plan, counted, energy),
        energy_nj=energy - repeated * ACTIVATION_BYTE_FJ / FEMTO_PER_NANO,
        energy_counted_nj=energy,
        wrong=run.wrong.get(workload.layer.tensor, 0),
    )


def _load(group: list[Measured]) -> int:
    """Cycles of loading: one cluster does it for all of the group."""
    return max(one.load_cycles for one in group)


def _shared(group: list[Measured]) -> tuple[int, Fraction, Fraction]:
    """Load, work and stalls of a group whose clusters share the work evenly."""
    work, stall = sum(one.work_cycles for one in group), sum(one.stall_cycles for one in group)
    return _load(group), Fraction(work, len(group)), Fraction(stall, len(group))


def _total(parts: tuple[int, Fraction, Fraction]) -> Fraction:
    load, work, stall = parts
    return load + work + stall


def _slowest(group: list[Measured]) -> int:
    return _load(group) + max(one.work_cycles + one.stall_cycles for one in group)


def _energy(plan: LayerPlan, counted: tuple[Measured, ...], total_nj: float) -> LayerEnergy:
    """Energy by component: what the clusters counted, by the constants of the energy model; leakage is the rest."""
    tile_cycles = sum(one.tile_cycles for one in counted)
    array = tile_cycles * ARRAY_FJ[plan.workload.bits_per_mac] / FEMTO_PER_NANO
    overhead = tile_cycles * OVERHEAD_FJ / FEMTO_PER_NANO
    kernels = sum(one.kernel_words for one in counted) * KERNEL_WORD_FJ / FEMTO_PER_NANO
    activations = sum(one.activation_bytes for one in counted) * ACTIVATION_BYTE_FJ / FEMTO_PER_NANO
    return LayerEnergy(array, overhead, kernels, activations, total_nj - array - overhead - kernels - activations)
