"""The example networks from firmware: exact outputs, cycles and efficiency beside the published ones."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from sdk import paths
from sdk.networks.cost import published_cycles
from sdk.networks.measure import run_network
from sdk.networks.network_file import load_network
from sdk.networks.plan import plan_network
from sdk.report.network import NetworkFigures, network_figures
from sdk.report.network_picture import draw
from sdk.report.network_table import print_report
from sdk.toolchain import ToolchainError

with (Path(__file__).parents[2] / "data" / "vgg16_published.csv").open(encoding="utf-8") as file:
    PUBLISHED = {row["layer"]: row for row in csv.DictReader(file)}
COLUMNS = {1: "cycles_1cluster", 8: "cycles_8clusters"}
TOTALS = {1: 865214, 8: 125618}
PUBLISHED_TOPS_PER_WATT = 46.8


VGG = [("vgg16", 1), ("vgg16", 8)]
YOLO = [("yolo2_tiny", 1), ("yolo2_tiny", 8)]


def _name(param: tuple[str, int]) -> str:
    return f"{param[0]}-{param[1]}"


@pytest.fixture(scope="module", params=[*VGG, *YOLO], ids=_name)
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NetworkFigures:
    name, clusters = request.param
    folder = paths.examples() / name
    plan = plan_network(load_network(folder), clusters)
    try:
        run = run_network(plan, tmp_path_factory.mktemp(name))
    except ToolchainError as error:
        pytest.skip(str(error))
    return network_figures(run, folder)


def test_outputs_are_exact(figures: NetworkFigures) -> None:
    assert figures.run.wrong == {}


def test_cycles_are_those_of_the_rule(figures: NetworkFigures) -> None:
    clusters = figures.run.plan.clusters
    for layer in figures.layers:
        rule = published_cycles(layer.plan.workload, layer.plan.mapping, clusters)
        assert abs(layer.time.total - rule) <= 1, layer.plan.workload.layer.name
    whole = sum(published_cycles(layer.plan.workload, layer.plan.mapping, clusters) for layer in figures.layers)
    assert abs(figures.total_cycles - whole) <= 1


@pytest.mark.parametrize("figures", VGG, indirect=True, ids=_name)
def test_vgg16_has_the_published_cycles(figures: NetworkFigures) -> None:
    clusters = figures.run.plan.clusters
    report = figures.as_json()
    assert [row["name"] for row in report["layers"]] == list(PUBLISHED)
    for row in report["layers"]:
        cell = int(PUBLISHED[row["name"]][COLUMNS[clusters]])
        assert row["published_cycles"] == cell
        assert abs(row["cycles"] - cell) <= 1
        assert round(row["utilization_pct"]) == int(PUBLISHED[row["name"]]["utilization_pct"])
    assert report["published_total_cycles"] == TOTALS[clusters]
    assert abs(report["total_cycles"] - TOTALS[clusters]) <= 1
    assert report["exact"] is True
    if clusters == 1:
        assert report["tops_per_w"] == pytest.approx(PUBLISHED_TOPS_PER_WATT, rel=0.02)


def test_parts_add_up(figures: NetworkFigures) -> None:
    report = json.loads(json.dumps(figures.as_json()))
    for row in report["layers"]:
        stalls = sum(row[f"stall_{cause}_cycles"] for cause in ("input", "output", "port"))
        assert row["cycles"] == pytest.approx(row["load_cycles"] + row["work_cycles"] + stalls, abs=1)
        assert row["slowest_cluster_cycles"] >= row["cycles"] - 1
        assert row["energy_counted_nj"] == pytest.approx(sum(row["energy_parts_nj"].values()), rel=1e-5)
        assert 0 < row["energy_nj"] <= row["energy_counted_nj"]
    assert report["energy_nj"] == pytest.approx(sum(row["energy_nj"] for row in report["layers"]), rel=1e-6)
    operations = 2e6 * sum(row["mmacs"] for row in report["layers"])
    assert report["tops_per_w"] == pytest.approx(operations / report["energy_nj"] / 1000, rel=1e-3)
    assert report["inf_per_s"] == pytest.approx(600e6 / report["total_cycles"], rel=1e-4)


@pytest.mark.parametrize("clusters", [1, 8])
@pytest.mark.parametrize("name", ["vgg16", "yolo2_tiny"])
def test_strict_timing_is_never_faster_and_every_cycle_has_a_cause(name: str, clusters: int, tmp_path: Path) -> None:
    folder = paths.examples() / name
    try:
        run = run_network(plan_network(load_network(folder), clusters), tmp_path, timing="strict")
    except ToolchainError as error:
        pytest.skip(str(error))
    figures = network_figures(run, folder)
    report = figures.as_json()
    assert report["exact"] is True
    for row in report["layers"]:
        rule = row["rule_cycles"]
        assert rule["total"] == rule["load"] + rule["work"] + rule["stall"]
        assert row["cycles"] >= rule["total"]
        assert row["load_cycles"] >= int(rule["load"])
        assert row["work_cycles"] >= int(rule["work"])
        causes = ("load", "work", "stall_input", "stall_output", "stall_port", "control")
        assert row["cycles"] == sum(row[f"{cause}_cycles"] for cause in causes)
        beyond = row["beyond_rule_cycles"]
        assert beyond.pop("total") == pytest.approx(row["cycles"] - rule["total"], abs=1e-6)
        assert sum(beyond.values()) == pytest.approx(row["cycles"] - rule["total"], abs=1e-6)
    console = Console(width=80)
    with console.capture() as capture:
        print_report(figures, console)
    assert "…" not in capture.get()
    table = capture.get().partition("beyond the published rule")[2].splitlines()
    for row in report["layers"]:
        words = next(line.split() for line in table if line.split()[:1] == [row["name"]])
        rule, *more, whole, cycles = (float(word) for word in words[1:])
        assert rule + whole == pytest.approx(cycles, abs=0.1)
        assert sum(more) == pytest.approx(whole, abs=0.2)
        assert cycles == row["cycles"]


def test_the_table_fits_a_narrow_terminal_and_names_every_layer(figures: NetworkFigures) -> None:
    console = Console(width=80)
    with console.capture() as capture:
        print_report(figures, console)
    text = capture.get()
    assert "…" not in text
    for layer in figures.layers:
        assert text.count(f" {layer.plan.workload.layer.name} ") >= 2
    assert "all outputs equal the integer reference" in text


def test_the_picture_is_svg_with_every_layer(figures: NetworkFigures) -> None:
    root = ElementTree.fromstring(draw(figures))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for layer in figures.layers:
        assert layer.plan.workload.layer.name in texts
    width = float(root.attrib["viewBox"].split()[2])
    for bar in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(bar.attrib.get("x", 0)) + float(bar.attrib["width"]) <= width
