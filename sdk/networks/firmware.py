"""A network as a project: accelerator programs, packed kernels and tables, a C main.

The firmware reads the input from the input stream, starts all clusters, and sleeps until they are done. Behind each
layer every cluster's program keeps its counters in an array. Every tensor stays in system memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdk.networks.layer_program import RoundOffsets
from sdk.networks.lookup import table_bytes
from sdk.networks.measured import SYMBOL
from sdk.networks.memory import psum_bytes
from sdk.networks.names import (
    features_symbol,
    input_symbol,
    kernels_symbol,
    lookup_symbol,
    program_name,
    psums_symbol,
    table_symbol,
)
from sdk.networks.parameters import Parameters
from sdk.networks.plan import Plan
from sdk.networks.program import cluster_program
from sdk.networks.reference import Integers
from sdk.networks.tasks import LayerPlan
from sdk.project import FILE_NAME
from sdk.tensors import compress_kernels, pack_kernels, pack_requant, pack_tensor

MAIN = """\
/* Runs the {title} on {clusters} cluster{plural}, layer after layer. Written by sdk/networks/firmware.py. */
#include <stdint.h>
#include <stdio.h>

#include <imnpu/imnpu.h>

#include "project_data.h"

#define CLUSTERS {clusters}
#define LAYERS {layers}

{arrays}

/* What the clusters had counted behind each layer: their programs write it. */
IMNPU_SYSMEM imnpu_counters {counted}[LAYERS][CLUSTERS];

int main(void)
{{
    static const struct {{
        const uint32_t *code;
        size_t bytes;
    }} programs[CLUSTERS] = {{
{programs}
    }};
    IMNPU_CHECK(imnpu_init());
    for (int cluster = 0; cluster < CLUSTERS; ++cluster) {{
        IMNPU_CHECK(imnpu_cluster_claim_number(cluster));
    }}
    IMNPU_CHECK(imnpu_stream_start({input}, sizeof {input}));
    IMNPU_CHECK(imnpu_stream_wait(IMNPU_FOREVER));

    for (int cluster = CLUSTERS - 1; cluster >= 0; --cluster) {{
        IMNPU_CHECK(imnpu_program_start(cluster, programs[cluster].code, programs[cluster].bytes, NULL, 0));
    }}
    for (int cluster = 0; cluster < CLUSTERS; ++cluster) {{
        IMNPU_CHECK(imnpu_wait(cluster, IMNPU_FOREVER));
    }}
    printf("{title}: %d layers on %d clusters are done\\n", LAYERS, CLUSTERS);
    return 0;
}}
"""


@dataclass(frozen=True)
class NetworkFirmware:
    """Where the project is, and what its run needs.

    Attributes:
        folder: the project, for `sdk.project.open_project`.
        stream: bytes for the input stream.
    """

    folder: Path
    stream: bytes


def write_firmware(plan: Plan, parameters: Parameters, folder: Path) -> NetworkFirmware:
    """Writes the project of a network into ``folder``.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    offsets: dict[str, RoundOffsets] = {}
    tensors = []
    for layer_plan in plan.layers:
        layer = layer_plan.workload.layer
        table = pack_requant(parameters.tables[layer.name], layer.name)
        tensors.append(_write_tensor(folder, table_symbol(layer), table))
        offsets[layer.name] = []
        if not layer.kind.elementwise:
            packed, offsets[layer.name] = _pack_rounds(layer_plan, parameters.kernels[layer.name])
            tensors.append(_write_tensor(folder, kernels_symbol(layer), packed))
        if layer.lookup:
            tensors.append(_write_tensor(folder, lookup_symbol(layer), table_bytes(layer.lookup)))
    programs = []
    for cluster in range(plan.clusters):
        path = folder / f"cluster{cluster}.imn"
        _write(path, cluster_program(plan, cluster, offsets).encode())
        programs.append(path.name)
    _write(folder / "main.c", _main(plan).encode())
    names = ", ".join(f'"{name}"' for name in programs)
    head = f'name = "{plan.network.name}"\nsources = ["main.c"]\nprograms = [{names}]\n\n'
    _write(folder / FILE_NAME, (head + "\n".join(tensors)).encode())
    image = pack_tensor(parameters.image, plan.network.input.format, "input")
    return NetworkFirmware(folder, image.tobytes())


def _pack_rounds(plan: LayerPlan, weights: Integers) -> tuple[bytes, RoundOffsets]:
    """The kernels of all rounds and parts, one behind the other, and where each begins."""
    layer, mapping = plan.workload.layer, plan.mapping
    pack = compress_kernels if mapping.compressed else pack_kernels
    packed: bytes = b""
    offsets: RoundOffsets = []
    for share in mapping.shares(plan.workload):
        offsets.append([])
        for channels in mapping.channel_parts(plan.workload):
            offsets[-1].append(len(packed))
            part = weights[share.start : share.stop, :, :, channels.start : channels.stop]
            packed += pack(part, layer.weights, mapping.chain, layer.name)
    return packed, offsets


def _write_tensor(folder: Path, name: str, data: bytes) -> str:
    """Writes the bytes of an array; returns its lines of the project file."""
    _write(folder / f"{name}.bin", data)
    return f'[tensors.{name}]\nfile = "{name}.bin"\nlayout = "bytes"\n'


def _write(path: Path, data: bytes) -> None:
    """Writes a file unless it holds this already, so that builds stay incremental."""
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)


def _main(plan: Plan) -> str:
    network = plan.network
    arrays = [
        f"IMNPU_SYSMEM uint8_t {features_symbol(name)}[{shape.memory_bytes}];"
        for name, shape in network.tensors().items()
    ]
    for cluster in range(plan.clusters):
        size = psum_bytes(plan, cluster)
        arrays += [f"IMNPU_SYSMEM uint8_t {psums_symbol(cluster)}[{size}];"] if size else []
    names = [program_name(network, cluster) for cluster in range(plan.clusters)]
    return MAIN.format(
        title=network.title,
        clusters=plan.clusters,
        plural="" if plan.clusters == 1 else "s",
        layers=len(plan.layers),
        arrays="\n".join(arrays),
        counted=SYMBOL,
        programs="\n".join(f"        {{{name}, sizeof {name}}}," for name in names),
        input=input_symbol(),
    )
