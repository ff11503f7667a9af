"""Virials beside GROMACS's own: of virtual sites of every construction, and of restraints under both scalings of their points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topdown.engine.observables import measure
from topdown.engine.parameters import build_parameters
from topdown.formats import read_gromacs_topology, write_gromacs
from topdown.model import Bead, Bond, CGMolecule, FlatBottomRestraint, PositionRestraint, System, VirtualSite
from topdown.tables import load_bead_table, load_molecule

SITES = (
    VirtualSite(site=4, construction="2", atoms=(0, 1), parameters=(-0.6,)),
    VirtualSite(site=5, construction="2fd", atoms=(1, 2), parameters=(-0.45,)),
    VirtualSite(site=6, construction="3", atoms=(0, 1, 2), parameters=(0.9, 0.8)),
    VirtualSite(site=7, construction="3fd", atoms=(2, 0, 1), parameters=(0.3, -0.5)),
    VirtualSite(site=8, construction="3fad", atoms=(3, 1, 0), parameters=(130.0, 0.45)),
    VirtualSite(site=9, construction="3out", atoms=(0, 1, 2), parameters=(0.3, 0.4, -4.0)),
    VirtualSite(site=10, construction="4fdn", atoms=(0, 1, 2, 3), parameters=(0.8, 0.7, 0.6)),
    VirtualSite(site=11, construction="n", atoms=(7, 3, 1), parameters=(2.0, 1.0, 0.5)),
)
CORNERS = np.array([[0, 0, 0], [0.5, 0, 0], [0.15, 0.5, 0.1], [-0.2, -0.1, 0.5]])


def _frame(**restraints) -> CGMolecule:
    """Four beads with mass that hold eight sites, which alone are charged and alone interact with others strongly."""
    return CGMolecule(
        name="frame",
        beads=tuple(
            Bead(name=f"B{k}", bead_type="C1", mass=0.0 if k > 3 else 50.0 + k, charge=(0.0 if k < 4 else (-1.0) ** k))
            for k in range(12)
        ),
        bonds=tuple(Bond(atoms=(0, k), length=0.5, force_constant=5000.0) for k in (1, 2, 3)),
        virtual_sites=SITES,
        exclusions=tuple((i, j) for i in range(12) for j in range(i + 1, 12)),
        **restraints,
    )


def _system(molecule: CGMolecule) -> System:
    """Turned frames and ions around a lattice, some across the faces of the box."""
    rng, box = np.random.default_rng(5), np.array([4.8, 5.0, 5.2])
    places = []
    for cell in np.ndindex(2, 2, 2):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        shape = np.concatenate([CORNERS, np.tile(CORNERS[:1], (8, 1))]) + rng.normal(0.0, 0.02, (12, 3))
        places.append(shape @ turn + box * np.array(cell) / 2)
    ions = [box * (np.array(cell) + 0.5) / 2 for cell in np.ndindex(2, 2, 2)]
    positions = np.concatenate([*places, np.array(ions)])
    return System(
        table=load_bead_table("martini3").subset(["C1", "TQ5"]),
        components=((molecule, 8), (load_molecule("martini3", "NA"), 4), (load_molecule("martini3", "CL"), 4)),
        positions=positions,
        reference_positions=positions + rng.uniform(-0.5, 0.5, positions.shape),
        box=box,
    )


def _virials(gromacs, system: System, folder, scaling: str) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Ours and GROMACS's [kJ/mol], and GROMACS's energies; forces are compared on the way."""
    files = write_gromacs(system, folder, decimals=10)
    run = files["single_point"]
    run.write_text(run.read_text() + f"\nrefcoord-scaling = {scaling}\n")
    theirs, forces = gromacs.single_point(files)
    again = read_gromacs_topology(files["top"], files["gro"], reference=files.get("reference"))
    parameters = build_parameters(again, refcoord_scaling=scaling)
    _, ours, our_forces = measure(parameters, np.array(again.whole().positions), np.array(again.box))
    assert np.sqrt(np.mean((our_forces - forces) ** 2) / np.mean(forces**2)) < (1e-7 if gromacs.double else 1e-4)
    return ours, np.array([[theirs[f"Vir-{a}{b}"] for b in "XYZ"] for a in "XYZ"]), theirs


def test_virial_of_virtual_sites(gromacs, tmp_path):
    system = replace(_system(_frame()), reference_positions=None)
    ours, theirs, _ = _virials(gromacs, system, tmp_path, "no")
    assert np.abs(theirs).min() > 1.0
    assert np.abs(ours - theirs).max() < (1e-7 if gromacs.double else 1e-4) * np.abs(theirs).max()


@pytest.mark.parametrize("scaling", ["no", "all"])
def test_virial_of_restraints_on_the_diagonal(gromacs, tmp_path, scaling):
    restraints = {
        "position_restraints": (PositionRestraint(atom=0, force_constants=(2000.0, 0.0, 3000.0)),),
        "flat_bottom_restraints": (
            FlatBottomRestraint(atom=1, geometry=1, radius=0.1, force_constant=1500.0),
            FlatBottomRestraint(atom=2, geometry=8, radius=-0.9, force_constant=1500.0),
            FlatBottomRestraint(atom=3, geometry=4, radius=0.1, force_constant=1500.0),
        ),
    }
    system = _system(_frame(**restraints))
    ours, theirs, terms = _virials(gromacs, system, tmp_path, scaling)
    assert terms["Position Rest."] > 100.0
    assert terms["Flat-b. P-R."] > 100.0
    limit = (1e-7 if gromacs.double else 1e-4) * np.abs(theirs).max()
    assert np.abs(np.diag(ours - theirs)).max() < limit
    other = build_parameters(system, refcoord_scaling="all" if scaling == "no" else "no")
    wrong = measure(other, np.array(system.whole().positions), np.array(system.box))[1]
    assert np.abs(np.diag(wrong - theirs)).max() > 100 * limit
