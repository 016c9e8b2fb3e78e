"""Finding machines by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from emu.machines import NAMES, UnknownMachineError, machine_map


def test_a_typo_gets_a_suggestion() -> None:
    with pytest.raises(UnknownMachineError) as caught:
        machine_map("st18-rv23")
    assert str(caught.value) == (
        "there is no machine 'st18-rv23': did you mean 'st18-rv32'? "
        "known machines: st18, st18-rv32, mps2-an385, mps2-an386, mps2-an500, mps2-an505, microbit, virt"
    )


def test_a_name_unlike_any_other_gets_the_list() -> None:
    with pytest.raises(UnknownMachineError, match=r"^there is no machine 'xyz': known machines: st18, .*, virt$"):
        machine_map("xyz")


@pytest.mark.parametrize("clusters", [0, 9, -1])
def test_the_number_of_clusters_is_checked(clusters: int) -> None:
    with pytest.raises(UnknownMachineError, match=rf"^st18 can have 1\.\.8 clusters, not {clusters}$"):
        machine_map("st18", clusters)


def test_the_names_cost_no_heavy_import() -> None:
    code = "import sys, emu.machines; print(sorted({'numpy', 'unicorn', 'numba'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
    assert len(NAMES) == 2
