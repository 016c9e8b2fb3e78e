"""`imnpu report` with the name of a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdk import paths
from sdk.cli.main import USAGE, main


def test_a_network_with_json_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, picture = tmp_path / "vgg16.json", tmp_path / "vgg16.svg"
    outputs = ["--output", str(tmp_path / "firmware"), "--json", str(report), "--svg", str(picture)]
    assert main(["report", "vgg16", "--clusters", "8", *outputs]) == 0
    figures = json.loads(report.read_text())
    assert figures["exact"] is True
    assert {"name", "cycles", "published_cycles", "utilization_pct", "energy_nj"} <= set(figures["layers"][0])
    assert {"total_cycles", "inf_per_s", "tops_per_w", "exact"} <= set(figures)
    text = capsys.readouterr().out
    assert f" {figures['total_cycles']} " in text
    assert "(published 4776)" in text
    assert picture.read_text().startswith("<svg")


def test_any_network_from_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "residual.json"
    outputs = ["--output", str(tmp_path / "firmware"), "--json", str(report)]
    file = paths.examples() / "residual" / "network.toml"
    assert main(["report", "network", str(file), "--clusters", "3", *outputs]) == 0
    figures = json.loads(report.read_text())
    assert figures["exact"] is True
    kinds = {row["kind"] for row in figures["layers"]}
    assert kinds == {"convolution", "depthwise", "dense", "sum", "product"}
    for row in figures["layers"]:
        if row["kind"] == "sum":
            assert row["cycles"] == row["copy_cycles"] > 0
    text = capsys.readouterr().out
    assert "small residual network: 3 clusters" in text
    compressed = [row["name"] for row in figures["layers"] if row["compressed"]]
    assert compressed
    assert f"compressed kernels: {', '.join(compressed)}\n" in text


def test_a_network_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "network", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"imnpu: {tmp_path}/network.toml cannot be read: No such file")


def test_json_alone_goes_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "yolo2-tiny", "--timing", "strict", "--output", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["timing"] == "strict"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["vgg16", "--clusters", "9"], "--clusters: must be a whole number, 1..8, not '9'"),
        (["vgg16", "--timing", "fast"], "invalid choice: 'fast'"),
        (["vgg17"], "invalid choice: 'vgg17'"),
    ],
)
def test_wrong_arguments(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["report", *arguments])
    assert end.value.code == USAGE
    assert text in capsys.readouterr().err
