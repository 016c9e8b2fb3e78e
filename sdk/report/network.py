"""Figures of a network that ran from firmware, beside the published ones.

*Cycles of a layer*, published timing: kernel load, work and stalls of its clusters as they counted them. The published
rule takes a group's rows to be shared evenly; where whole rows do not allow that, the figure is the group's average,
and `slowest_cluster_cycles` says what the slowest cluster took. Set-up instructions are counted apart. Strict timing:
load, work, stalls and set-up instructions of the slowest cluster.

*Energy*, as the published efficiency has it: every layer's input counts once, although every kernel round streams it
again. `energy_counted_nj` is what the clusters counted, with all streams. In both, the leakage of clusters that wait
for each other, or for the host that reads their counters, is left out.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

from emu.npu.energy import ACTIVATION_BYTE_FJ, ARRAY_FJ, KERNEL_WORD_FJ, OVERHEAD_FJ, leakage
from emu.npu.power import PowerState
from sdk.networks.cost import RuleCycles, layer_rule
from sdk.networks.measure import NetworkRun
from sdk.networks.measured import Measured
from sdk.networks.tasks import LayerPlan

PUBLISHED_FILE = "published.toml"
FEMTO_PER_NANO, PICO_PER_NANO, NANO = 1e6, 1e3, 1e-9
TERA = 1e12
OPERATIONS_PER_MAC = 2
STRICT = "strict"
RULE_PARTS = ("load", "work", "copy", "stall", "total")


@dataclass(frozen=True, slots=True)
class LayerEnergy:
    """Where the energy of a layer goes, in nJ; activations: as counted, with every stream."""

    array: float
    overhead: float
    kernels: float
    activations: float
    leakage: float


@dataclass(frozen=True, slots=True)
class LayerTime:
    """Cycles of a layer by cause; an average of clusters may have fractions.

    Attributes:
        control: set-up and control instructions, where the timing model counts them.
        copy: of sums and products.
    """

    load: Fraction
    work: Fraction
    stall_input: Fraction
    stall_output: Fraction
    stall_port: Fraction
    control: Fraction = Fraction()
    copy: Fraction = Fraction()

    @property
    def stalls(self) -> Fraction:
        """Cycles in which clusters waited for their streams."""
        return self.stall_input + self.stall_output + self.stall_port

    @property
    def total(self) -> Fraction:
        """All cycles."""
        return self.load + self.work + self.copy + self.stalls + self.control


@dataclass(frozen=True)
class LayerFigures:
    """One row of the report.

    Attributes:
        time: see the module; of the group of clusters that took longest.
        slowest: of the cluster that took longest, the load of its group's kernels and set-up instructions included.
        published_cycles, published_utilisation_pct: None where nothing is published.
        energy_nj: every tensor counted once.
        wrong: elements of its output that differ from the reference.
    """

    plan: LayerPlan
    time: LayerTime
    slowest: LayerTime
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
    def cycles(self) -> int:
        """Whole cycles."""
        return rounded(self.time.total)

    @property
    def slowest_without_control(self) -> int:
        """Load, work and stalls of the slowest cluster."""
        return rounded(self.slowest.total - self.slowest.control)

    @property
    def rule(self) -> RuleCycles:
        """What the published rule says."""
        return layer_rule(self.plan)

    @property
    def beyond_rule(self) -> LayerTime:
        """What the layer took beyond the published rule, cause by cause; an unshared stream is an input stall."""
        time, rule = self.time, self.rule
        return LayerTime(
            time.load - rule.load,
            time.work - rule.work,
            time.stall_input - rule.stall,
            time.stall_output,
            time.stall_port,
            time.control,
            time.copy - rule.copy,
        )

    @property
    def deviation(self) -> int | None:
        """Cycles more than published."""
        return None if self.published_cycles is None else self.cycles - self.published_cycles

    def as_json(self) -> dict[str, Any]:
        """The row as plain data."""
        workload, mapping = self.plan.workload, self.plan.mapping
        layer, source = workload.layer, workload.input
        return {
            "name": layer.name,
            "cycles": self.cycles,
            "published_cycles": self.published_cycles,
            "deviation_cycles": self.deviation,
            "utilization_pct": round(self.utilisation_pct, 2),
            "published_utilization_pct": self.published_utilisation_pct,
            "energy_nj": round(self.energy_nj, 3),
            "energy_counted_nj": round(self.energy_counted_nj, 3),
            "energy_parts_nj": {
                name: round(getattr(self.energy, name), 3) for name in LayerEnergy.__dataclass_fields__
            },
            "rule_cycles": {name: float(getattr(self.rule, name)) for name in RULE_PARTS},
            "beyond_rule_cycles": {
                **{name: float(getattr(self.beyond_rule, name)) for name in LayerTime.__dataclass_fields__},
                "total": float(self.beyond_rule.total),
            },
            "load_cycles": rounded(self.time.load),
            "work_cycles": rounded(self.time.work),
            "copy_cycles": rounded(self.time.copy),
            "stall_input_cycles": rounded(self.time.stall_input),
            "stall_output_cycles": rounded(self.time.stall_output),
            "stall_port_cycles": rounded(self.time.stall_port),
            "control_cycles": rounded(self.slowest.control),
            "slowest_cluster_cycles": self.slowest_without_control,
            "input": [source.channels, source.height, source.width],
            "kind": layer.kind.value,
            "kernels": workload.kernels,
            "kernel_hw": layer.size[0] if layer.size[0] == layer.size[1] else list(layer.size),
            "weight_bits": layer.weights.bits,
            "feature_bits": source.format.bits,
            "kernel_bits": workload.kernel_bits,
            "weight_bytes": -(-workload.weight_bits // 8),
            "activation_bytes": source.stream_bytes,
            "mmacs": round(workload.macs / 1e6, 2),
            "stripes": mapping.stripes,
            "chain": mapping.chain,
            "parallel": mapping.parallel,
            "parts": mapping.parts,
            "interleave": mapping.interleave,
            "overlap": mapping.overlap,
            "compressed": mapping.compressed,
            "broadcast": mapping.broadcast,
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
    layers: tuple[LayerFigures, ...]
    published_total: dict[str, float]

    @property
    def total_cycles(self) -> int:
        """Cycles of all layers."""
        return rounded(sum((layer.time.total for layer in self.layers), Fraction()))

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
            "timing": self.run.timing,
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


def network_figures(run: NetworkRun, folder: Path) -> NetworkFigures:
    """The figures of a run.

    Args:
        folder: of the network; ``published.toml`` in there has the published figures, if there are any.
    """
    file = folder / PUBLISHED_FILE
    published = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    clusters = str(run.plan.clusters)
    total = {name: values[clusters] for name, values in published.get("total", {}).items() if clusters in values}
    known = published.get("layers", {})
    layers = tuple(
        _layer(plan, counted, run, known.get(plan.workload.layer.name, {}))
        for plan, counted in zip(run.plan.layers, run.counted, strict=True)
    )
    return NetworkFigures(run, layers, total)


def _layer(plan: LayerPlan, counted: tuple[Measured, ...], run: NetworkRun, published: dict[str, Any]) -> LayerFigures:
    workload = plan.workload
    groups = sorted({tasks[0].clusters for tasks in plan.tasks if tasks})
    members = [[counted[cluster] for cluster in group] for group in groups]
    slowest = max((_slowest(group) for group in members), key=_total)
    shared = max((_shared(group) for group in members), key=_total)
    repeated = sum(one.activation_bytes for one in counted) - workload.activation_bytes
    energy = sum(one.energy_pj for one in counted) / PICO_PER_NANO - _waiting(counted, run)
    return LayerFigures(
        plan=plan,
        time=slowest if run.timing == STRICT else shared,
        slowest=slowest,
        published_cycles=published.get("cycles", {}).get(str(run.plan.clusters)),
        published_utilisation_pct=published.get("utilization_pct"),
        energy=_energy(plan, counted, energy),
        energy_nj=energy - repeated * ACTIVATION_BYTE_FJ / FEMTO_PER_NANO,
        energy_counted_nj=energy,
        wrong=run.wrong.get(workload.layer.tensor, 0),
    )


def _load(group: list[Measured]) -> Fraction:
    """Cycles of loading: one cluster does it for all of the group."""
    return Fraction(max(one.load_cycles for one in group))


def _shared(group: list[Measured]) -> LayerTime:
    """A group whose clusters share work and stalls evenly."""

    def average(name: str) -> Fraction:
        return Fraction(sum(getattr(one, name) for one in group), len(group))

    return LayerTime(
        load=_load(group),
        work=average("work_cycles"),
        stall_input=average("stall_input_cycles"),
        stall_output=average("stall_output_cycles"),
        stall_port=average("stall_port_cycles"),
        copy=average("copy_cycles"),
    )


def _slowest(group: list[Measured]) -> LayerTime:
    """The slowest cluster of a group."""
    load = _load(group)
    return max((_alone(one, load) for one in group), key=_total)


def _alone(one: Measured, load: Fraction) -> LayerTime:
    """One cluster; ``load``: of its group's kernels."""
    counted = (one.work_cycles, one.stall_input_cycles, one.stall_output_cycles, one.stall_port_cycles)
    cycles = (*counted, one.control_cycles, one.copy_cycles)
    return LayerTime(load, *(Fraction(part) for part in cycles))


def _total(time: LayerTime) -> Fraction:
    return time.total


def _waiting(counted: tuple[Measured, ...], run: NetworkRun) -> float:
    """Leakage of clusters that waited, in nJ."""
    cycles = sum(one.wait_cycles for one in counted)
    return leakage(cycles, run.result.machine.clock_hz, PowerState()) / FEMTO_PER_NANO


def _energy(plan: LayerPlan, counted: tuple[Measured, ...], total_nj: float) -> LayerEnergy:
    """Energy by component: what the clusters counted, by the constants of the energy model; leakage is the rest."""
    tile_cycles = sum(one.tile_cycles for one in counted)
    array = tile_cycles * ARRAY_FJ[plan.workload.array_bits] / FEMTO_PER_NANO
    overhead = tile_cycles * OVERHEAD_FJ / FEMTO_PER_NANO
    kernels = sum(one.kernel_words for one in counted) * KERNEL_WORD_FJ / FEMTO_PER_NANO
    activations = sum(one.activation_bytes for one in counted) * ACTIVATION_BYTE_FJ / FEMTO_PER_NANO
    return LayerEnergy(array, overhead, kernels, activations, total_nj - array - overhead - kernels - activations)
