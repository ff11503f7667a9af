"""What ``import topdown`` gives in a notebook or a prompt: short texts for people, the numbers of the commands."""

from __future__ import annotations

import pytest

import topdown
from topdown.errors import SettingsError


def test_a_mapped_molecule_shows_itself_shortly_and_prints_as_the_command_does() -> None:
    mapped = topdown.map("CCO", name="ethanol", conformers=False)
    assert repr(mapped) == "<MappedMolecule 'ethanol', martini3: SP1>"
    lines = str(mapped).splitlines()
    assert lines[0] == "ethanol  CCO"
    assert lines[3].split() == ["bead", "type", "atoms", "conf.", "reason"]
    assert "<svg" in mapped._repr_html_()


def test_a_bead_table_does_not_print_its_matrix() -> None:
    table = topdown.load_bead_table("martini2")
    blocks = len(table.building_blocks)
    assert blocks > 200
    assert repr(table) == f"<BeadTable martini2 2.1: 39 bead types, {blocks} building blocks>"


def test_transfer_by_name_is_that_of_the_command() -> None:
    found = topdown.transfer("CCCCO", to="hexadecane", instant=True)
    assert found.table == "topdown1"
    assert found.result.to_phase == "hexadecane"
    assert found.log_p == found.result.log_p
    assert f"log P {found.log_p:.2f} ± {found.log_p_error:.2f}" in repr(found)
    assert str(found).startswith("CCCCO  water → hexadecane at 298.15 K\n  model       topdown1, mapped: ")
    assert any("not simulated" in remark for remark in found.result.remarks)


def test_transfer_raises_what_the_command_says() -> None:
    with pytest.raises(SettingsError, match="net charge"):
        topdown.transfer("CC[NH3+]", instant=True)
    with pytest.raises(SettingsError, match="exclude each other"):
        topdown.transfer("CCO", instant=True, simulate=True)
