"""`imnpu report chip`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdk.cli.main import main
from sdk.report.chip import chip_report


def test_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "chip", "--quick"]) == 0
    shown = capsys.readouterr().out
    for figure in chip_report().figures:
        row = next(line for line in shown.splitlines() if f"│ {figure.title} " in line)
        assert f" {figure.published.value:g} " in row
        assert f"{figure.residual_pct:+.2f} %" in row
    assert "NPU alone, awake 1 % of the time, battery of 3700 mWh: 448 days by the published powers" in shown
    assert shown.count("published: ") == 2


def test_json_on_stdout_is_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "chip", "--quick", "--json", "--battery", "1850", "--awake", "0"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads(json.dumps(chip_report(1850, 0).as_json()))
    assert report["battery"]["published_days"] == pytest.approx(1.85 / 267e-6 / 24)
    assert report["vgg16"]["1"]["cycles"] == 865_214
    assert {"name", "published", "model", "residual_pct", "source"} <= set(report["figures"][0])


def test_the_network_runs_from_firmware(capsys: pytest.CaptureFixture[str]) -> None:
    """What its clusters counted agrees with the model's rules."""
    assert main(["report", "chip", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    figure = next(figure for figure in report["figures"] if figure["name"] == "vgg16_efficiency")
    assert figure["model_at"].endswith("firmware run")
    assert figure["model"] == pytest.approx(report["vgg16"]["1"]["tops_per_w"], rel=1e-3)
    assert figure["model"] != report["vgg16"]["1"]["tops_per_w"]


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures, picture = tmp_path / "chip.json", tmp_path / "chip.svg"
    assert main(["report", "chip", "--quick", "--json", str(figures), "--svg", str(picture)]) == 0
    assert "st18: published and model" in capsys.readouterr().out
    assert json.loads(figures.read_text())["comparisons"]
    assert picture.read_text().startswith("<svg ")


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing" / "chip.svg"
    assert main(["report", "chip", "--quick", "--svg", str(missing)]) == 1
    assert capsys.readouterr().err == (
        f"imnpu: {missing}: cannot be written: there is no folder {missing.parent}: make it, or name another\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--battery", "0"], "argument --battery: must be more than 0, not 0"),
        (["--battery", "much"], "argument --battery: invalid number value: 'much'"),
        (["--awake", "101"], "argument --awake: must be 0..100, not 101"),
        (["--awake", "nan"], "argument --awake: must be 0..100, not nan"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["report", "chip", *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_a_report_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["report"])
    assert stop.value.code == 2
    assert "the following arguments are required" in capsys.readouterr().err
