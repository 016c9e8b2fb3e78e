"""Who waits for whom: barriers, and programs that wait for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asm.rules import Cause, RuleError

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster


@dataclass(frozen=True, slots=True)
class EventWait:
    """A program waits for an event flag."""

    event: int

    def __str__(self) -> str:
        return f"event {self.event}"


@dataclass(frozen=True, slots=True)
class BarrierWait:
    """A program waits until others come to the same barrier.

    Attributes:
        clusters: who takes part, one bit each.
    """

    event: int
    clusters: int

    def __str__(self) -> str:
        return f"barrier {self.event} of clusters {', '.join(map(str, members(self.clusters))) or 'none'}"


def members(clusters: int) -> list[int]:
    """Numbers of the clusters in a set."""
    return [number for number in range(clusters.bit_length()) if clusters >> number & 1]


def check_barrier(cluster: Cluster, barrier: BarrierWait) -> None:
    """Raises `RuleError` unless every cluster of the barrier exists and ``cluster`` is one of them."""
    numbers = members(barrier.clusters)
    if cluster.index not in numbers:
        raise RuleError(Cause.bad_field, f"cluster {cluster.index} came to {barrier}, and is not one of them")
    for number in numbers:
        if cluster.peer(number) is None:
            raise RuleError(Cause.bad_field, f"{barrier} cannot be met: this machine has no cluster {number}")


def arrived(cluster: Cluster, barrier: BarrierWait) -> list[Cluster]:
    """The barrier's clusters, if ``cluster`` was the last of them; else none."""
    everyone = [peer for peer in cluster.peers if barrier.clusters >> peer.index & 1]
    return everyone if all(peer.sequencer.waiting == barrier for peer in everyone) else []


def stuck(clusters: list[Cluster]) -> list[Cluster]:
    """Clusters at barriers that can never be met, because those that are missing wait at other ones of these.

    Only a barrier is that certain: the host can set an event, and start a program on a cluster that runs none.
    """
    found = [cluster for cluster in clusters if isinstance(cluster.sequencer.waiting, BarrierWait)]
    while True:
        kept = [cluster for cluster in found if any(peer in found for peer in _missing(cluster))]
        if kept == found:
            return found
        found = kept


def end_waits(clusters: list[Cluster]) -> bool:
    """Stop programs that wait for ever with an error that says who waits for whom; whether there are any."""
    ended = [(cluster, RuleError(Cause.deadlock, _wait_text(cluster))) for cluster in clusters]
    for cluster, error in ended:
        pc, info = cluster.sequencer.pc, cluster.sequencer.header
        cluster.sequencer.stop()
        cluster.report(error, pc=pc, info=info)
    return bool(ended)


def waits_of(clusters: list[Cluster]) -> list[tuple[Cluster, str]]:
    """Every cluster whose program waits, and for what and whom."""
    return [(cluster, _wait_text(cluster)) for cluster in clusters if cluster.sequencer.waiting is not None]


def _missing(cluster: Cluster) -> list[Cluster]:
    """Who has not come to the barrier that a cluster waits at."""
    wait = cluster.sequencer.waiting
    assert isinstance(wait, BarrierWait)
    return [peer for peer in cluster.peers if wait.clusters >> peer.index & 1 and peer.sequencer.waiting != wait]


def _wait_text(cluster: Cluster) -> str:
    wait = cluster.sequencer.waiting
    if isinstance(wait, BarrierWait):
        return f"cluster {cluster.index} waits at {wait} for " + ", ".join(map(_state, _missing(cluster)))
    others = [peer for peer in cluster.peers if peer is not cluster and peer.sequencer.running]
    doing = ", ".join(map(_state, others)) or "no other cluster is running a program"
    return f"cluster {cluster.index} waits for {wait}, which nobody has signalled: {doing}"


def _state(cluster: Cluster) -> str:
    wait = cluster.sequencer.waiting
    if wait is None:
        return f"cluster {cluster.index}, which runs {'on' if cluster.sequencer.running else 'no program'}"
    return f"cluster {cluster.index}, which waits {'at' if isinstance(wait, BarrierWait) else 'for'} {wait}"
