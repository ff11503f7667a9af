"""The restraint of two centres beside GROMACS's pull code, umbrella along z: energy, forces and the virial of one frame."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.engine import CentreRestraint
from topdown.engine.observables import measure
from topdown.engine.parameters import build_parameters
from topdown.formats import read_gromacs_topology, write_gromacs

PULL = """
pull = yes
pull-ngroups = 2
pull-ncoords = 1
pull-group1-name = Lipids
pull-pbc-ref-prev-step-com = yes
pull-group1-pbcatom = {middle}
pull-group2-name = Held
pull-group2-pbcatom = {held}
pull-coord1-type = umbrella
pull-coord1-geometry = direction
pull-coord1-groups = 1 2
pull-coord1-vec = 0 0 1
pull-coord1-start = no
pull-coord1-init = {distance}
pull-coord1-k = {k}
"""


def _index(name: str, beads: np.ndarray) -> str:
    return f"[ {name} ]\n" + "\n".join(str(bead + 1) for bead in beads) + "\n"


@pytest.mark.parametrize("shift", [0.0, 4.3])
def test_energy_forces_and_virial_are_those_of_the_pull_code(gromacs, reference, tmp_path, shift):
    """64 + 64 POPC against two waters above one leaflet; as stored, and with the bilayer across the face."""
    system = reference("popc128").system
    box = np.array(system.box)
    moved = system.positions + np.array([0.0, 0.0, shift])
    system = system.with_coordinates(moved - box * np.floor(moved / box)).whole()
    lipids = np.arange(128 * 12)
    height = system.positions[lipids, 2]
    centre = np.angle(np.exp(2j * np.pi * height / box[2]).mean()) * box[2] / (2 * np.pi)
    away = height - centre - box[2] * np.round((height - centre) / box[2])
    assert np.ptp(away) > 0.5 * box[2]  # wider than what nearest images of a bead at its rim would make of it
    waters = np.arange(128 * 12, 128 * 12 + 1728)
    above = system.positions[waters, 2] - centre
    above -= box[2] * np.round(above / box[2])
    held = waters[np.argsort(np.abs(above - 3.1))[:2]]
    restraint = CentreRestraint(
        group=tuple(int(bead) for bead in held),
        reference=tuple(range(len(lipids))),
        distance=2.75,
        force_constant=700.0,
    )
    files = write_gromacs(system, tmp_path, decimals=10)
    run = files["single_point"]
    middle = int(lipids[np.argmin(np.abs(away))]) + 1
    run.write_text(run.read_text() + PULL.format(middle=middle, held=held[0] + 1, distance=2.75, k=700.0))
    files["ndx"].write_text(files["ndx"].read_text() + _index("Lipids", lipids) + _index("Held", held))
    theirs, forces = gromacs.single_point(files, strict=False)
    again = read_gromacs_topology(files["top"], files["gro"])
    parameters = build_parameters(again, restraint=restraint)
    energies, virial, ours = measure(parameters, np.array(again.whole().positions), np.array(again.box))
    digits = 1e-7 if gromacs.double else 1e-4
    assert theirs["COM Pull En."] > 5.0
    assert energies[5] == pytest.approx(theirs["COM Pull En."], rel=digits)
    assert np.sqrt(np.mean((ours - forces) ** 2) / np.mean(forces**2)) < digits
    diagonal = np.array([theirs[f"Vir-{a}{a}"] for a in "XYZ"])  # off it GROMACS adds the centres' offsets in x and y
    share = energies[5] * (2.75 + np.sqrt(2 * energies[5] / 700.0)) * np.sqrt(700.0 / (2 * energies[5]))
    assert share > 30.0  # -1/2 ζ f: what the restraint adds to the virial along z
    assert np.abs(np.diag(virial) - diagonal).max() < digits * np.abs(diagonal).max()
