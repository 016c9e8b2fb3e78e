"""Small networks for hypothesis: every kind of layer, every mapping."""

from __future__ import annotations

from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from sdk.networks.layers import NetworkError
from sdk.networks.network import Network
from sdk.networks.network_file import network_of

FORMATS = ("u1", "s1", "u2", "s2", "u4", "s4", "u8", "s8")
LOOKUPS = ("sigmoid", "tanh", "hard_swish", "leaky_relu")
TOPOLOGIES = [(a, b, c) for a in range(1, 9) for b in range(1, 9) for c in range(1, 9) if a * b * c <= 8]
Table = dict[str, Any]


@st.composite
def mappings(draw: st.DrawFn) -> Table:
    """Any topology, any technique."""
    table: Table = dict(zip(("stripes", "chain", "parallel"), draw(st.sampled_from(TOPOLOGIES)), strict=True))
    for name in ("interleave", "overlap", "compressed", "broadcast"):
        table[name] = draw(st.booleans())
    table["parts"] = draw(st.sampled_from([1, 1, 2, 3]))
    return table


@st.composite
def behind(draw: st.DrawFn) -> Table:
    """Activation and pooling."""
    table: Table = {"output": draw(st.sampled_from(FORMATS)), "relu": draw(st.booleans())}
    if draw(st.booleans()):
        table |= {"pool": [draw(st.integers(1, 3)), draw(st.integers(1, 3))]}
        table |= {"pooling": draw(st.sampled_from(["max", "average"]))}
        if draw(st.booleans()):
            table["pool_stride"] = [draw(st.integers(1, 3)), draw(st.integers(1, 3))]
    if table["output"] != "s1" and draw(st.booleans()):
        table["lookup"] = draw(st.sampled_from(LOOKUPS))
    elif table["output"] == "s1" and table.get("pooling") == "average":
        table["output"] = "s2"
    return table


@st.composite
def windows(draw: st.DrawFn) -> Table:
    """Size, stride and padding of kernels: square or not."""
    size, stride = (
        st.one_of(st.integers(1, most), st.lists(st.integers(1, most), min_size=2, max_size=2)) for most in (3, 2)
    )
    padding = st.one_of(st.integers(0, 1), *(st.lists(st.integers(0, 2), min_size=n, max_size=n) for n in (2, 4)))
    return {"size": draw(size), "stride": draw(stride), "padding": draw(padding)}


@st.composite
def tile_layers(draw: st.DrawFn, name: str) -> Table:
    """A layer with kernels."""
    kind = draw(st.sampled_from(["convolution", "convolution", "depthwise", "dense"]))
    table: Table = {"name": name, "kind": kind, "weights": draw(st.sampled_from(FORMATS)), **draw(behind())}
    if kind != "depthwise":
        table["kernels"] = draw(st.integers(1, 80))
    if kind != "dense":
        table |= draw(windows()) | {"unshared": draw(st.booleans())}
    if draw(st.booleans()):
        table["mapping"] = draw(mappings())
        table["mapping"]["broadcast"] &= kind != "depthwise" and not table.get("unshared")
    return table


@st.composite
def networks(draw: st.DrawFn) -> Table:
    """A layer with kernels and its twin, a sum or product of both, another layer with kernels; see `network`."""
    first = draw(tile_layers("A"))
    twin = {**first, "name": "B", "source": "input", "weights": draw(st.sampled_from(FORMATS))}
    combined: Table = {"name": "C", "kind": draw(st.sampled_from(["sum", "product"])), "operand": "A", **draw(behind())}
    if combined["kind"] == "sum":
        combined["scales"] = [draw(st.integers(-3, 3)), draw(st.integers(1, 3))]
    last = draw(tile_layers("D"))
    start = {
        "height": draw(st.integers(1, 14)),
        "width": draw(st.integers(1, 9)),
        "channels": draw(st.integers(1, 24)),
        "format": draw(st.sampled_from(FORMATS)),
    }
    search, seed = draw(st.sampled_from(["best", "published"])), draw(st.integers(0, 1 << 32))
    return {"name": "small", "seed": seed, "search": search, "input": start, "layers": [first, twin, combined, last]}


def network(table: Table) -> Network:
    """The network; hypothesis draws another one if its layers do not fit together."""
    try:
        return network_of(table, "small")
    except NetworkError:
        reject()
