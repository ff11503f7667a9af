"""Write the phytosterols and ergosterol of ``bead_tables/martini3/sterols.toml``: our terms on the cholesterol frame.

    python scripts/derive_sterols.py

The ring system is that of the released cholesterol model (constraints, virtual sites, masses), which the first entry of
the file holds; that entry is left as it is. The side chain has one bead more. The bond, the angle and the improper that
hold its first bead are those of cholesterol, each moved by the difference between conformers of the sterol and of
cholesterol; the bond to the second bead and the angle at the first are those of the conformers (ETKDG, MMFF94, as for any
other molecule). Force constants are Boltzmann inversions of the conformers, none above that of cholesterol. Atoms of the
beads and bead types are those of the M3 Bible (Martini Force Field Initiative).
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem

from topdown.mapping.bead_measures import BeadMeasure
from topdown.mapping.conformers import BeadEnsemble, bead_ensemble, superposed
from topdown.mapping.geometry import ANGLE_RANGE, BOND_RANGE
from topdown.resources import bead_tables_folder

SOURCE = "side chain derived here from conformers, on the frame of M3-Sterol-Parameters: cholesterol version 1.0"
CITATION = (
    "frame: L. Borges-Araujo et al., J. Chem. Theory Comput. 19, 7387 (2023), doi:10.1021/acs.jctc.3c00547; "
    "beads: M3 Bible"
)
#: Types of the M3 Bible where they are not those of cholesterol; the two beads of the side chain are C2 and C3.
TYPES = {
    "ergosterol": {"R1": "SC5", "C2": "SC3", "C3": "SC2"},
    "beta-sitosterol": {"C2": "SC2", "C3": "SC2"},
    "stigmasterol": {"C2": "SC2", "C3": "SC2"},
    "campesterol": {"C2": "SC2", "C3": "SC2"},
}
#: The stiffest bond of the side chain of a sterol, that of cholesterol [kJ/mol/nm²].
STIFFEST_BOND = 15000.0
CONFIDENCE = 0.7
SEEDS = range(1, 9)


def measured(template: str, frame: dict[str, Any], names: list[str]) -> tuple[BeadMeasure, BeadEnsemble]:
    """The beads of a sterol in conformers of all :data:`SEEDS`."""
    numbered = Chem.MolFromSmiles(template)
    bead_of = [atom.GetAtomMapNum() - 1 for atom in numbered.GetAtoms()]
    for atom in numbered.GetAtoms():
        atom.SetAtomMapNum(0)
    atoms: list[list[int]] = [[k for k, bead in enumerate(bead_of) if bead == place] for place in range(len(names))]
    for k, name in frame["also"]:
        atoms[names.index(name)].append(k)
    groups = tuple(tuple(sorted(group)) for group in atoms)
    made = [bead_ensemble(numbered, groups, seed=seed, with_hydrogens=True) for seed in SEEDS]
    found = [ensemble for ensemble in made if ensemble is not None]
    ensemble = BeadEnsemble(
        positions=np.concatenate([e.positions for e in found]),
        weights=np.concatenate([e.weights for e in found]) / len(found),
    )
    return BeadMeasure(numbered, groups, ensemble), ensemble


def side_chain(template: str, frame: dict[str, Any], names: list[str], model: BeadMeasure) -> dict[str, Any]:
    """Bonds, angles, dihedrals and positions of a sterol; ``model`` holds the conformers of cholesterol."""
    measure, ensemble = measured(template, frame, names)
    at = {name: place for place, name in enumerate(names)}
    (_, _, length, _), (*_, theta, stiff, function), (*_, phi, hold, _, _) = (
        frame[key][0] for key in ("bonds", "angles", "dihedrals")
    )
    first, second, bent = (at["C1"], at["C2"]), (at["C2"], at["C3"]), (at["C1"], at["C2"], at["C3"])
    side, turn = (at["R4"], at["R3"], at["C2"]), (at["R6"], at["R4"], at["R3"], at["C2"])
    bonds = [
        ["C1", "C2", round(length + measure.length(first) - model.length(first), 3), _force(measure, first)],
        ["C2", "C3", round(measure.length(second), 3), _force(measure, second)],
    ]
    # Boltzmann inversion of the cosine; of the angle itself it has sin² more.
    side_angle, side_force = measure.angle(side)
    side_force *= math.sin(math.radians(side_angle)) ** 2
    bend, bend_force = measure.angle(bent)
    mean, agreement = measure.dihedral(turn)
    turned = (mean - model.dihedral(turn)[0] + 180.0) % 360.0 - 180.0
    spread = measure.kt / max(2.0 * (1.0 - agreement), 1e-6)
    rigid = [at[name] for name in frame["rigid"]]
    places = np.array(frame["positions"])[: len(rigid)]
    best = _onto(ensemble.best, rigid, places)
    positions = [*places, *(best[at[name]] for name in ("C2", "C3"))]
    for one, two, wanted, _ in bonds:
        along = positions[at[two]] - positions[at[one]]
        positions[at[two]] = positions[at[one]] + along * (wanted / np.linalg.norm(along))
    return {
        "bonds": bonds,
        "angles": [
            [
                *("R4", "R3", "C2"),
                float(round(theta + side_angle - model.angle(side)[0])),
                float(round(min(max(side_force, ANGLE_RANGE[0]), stiff))),
                function,
            ],
            [
                "C1",
                "C2",
                "C3",
                float(round(bend)),
                float(round(min(max(bend_force, ANGLE_RANGE[0]), ANGLE_RANGE[1]))),
                2,
            ],
        ],
        "dihedrals": [
            ["R6", "R4", "R3", "C2", float(round(phi + turned)), float(round(min(max(spread, 10.0), hold))), 2, 0]
        ],
        "positions": np.array(positions) - np.mean(positions, axis=0),
    }


def _force(measure: BeadMeasure, pair: tuple[int, int]) -> float:
    return float(round(min(max(measure.stiffness(pair), BOND_RANGE[0]), STIFFEST_BOND), -2))


def _onto(x: np.ndarray, chosen: list[int], target: np.ndarray) -> np.ndarray:
    """All of ``x`` moved as the chosen beads move onto ``target``."""
    anchors = x[chosen]
    moved = superposed(anchors, target)
    # The same turn for the others: solve it from the anchors, which are not in one plane.
    centred, onto = anchors - anchors.mean(axis=0), moved - moved.mean(axis=0)
    turn = np.linalg.lstsq(centred, onto, rcond=None)[0]
    return np.asarray((x - anchors.mean(axis=0)) @ turn + moved.mean(axis=0))


def written(name: str, template: str, frame: dict[str, Any], model: BeadMeasure) -> str:
    """The TOML text of one sterol."""
    types = {**frame["beads"], **TYPES[name]}
    names = [*frame["rigid"], "C2", "C3"]
    found = side_chain(template, frame, names, model)

    def quoted(items: list[Any]) -> str:
        return (
            "["
            + ", ".join(
                f'"{x}"' if isinstance(x, str) else quoted(x) if isinstance(x, list) else repr(x) for x in items
            )
            + "]"
        )

    def block(key: str, rows: list[list[Any]]) -> list[str]:
        return [f"{key} = [", *(f"  {quoted(row)}," for row in rows), "]"]

    lines = [
        "[[sterols]]",
        f'name = "{name}"',
        f'source = "{SOURCE}"',
        f'citation = "{CITATION}"',
        f"confidence = {CONFIDENCE}",
        f"template = '{template}'",
        f"also = {quoted(frame['also'])}  # atoms of the template, counted from 0, that a second bead shares",
        "beads = { " + ", ".join(f'{bead} = "{types[bead]}"' for bead in names) + " }",
        "masses = { " + ", ".join(f"{bead} = {mass}" for bead, mass in frame["masses"].items()) + " }",
        *block("bonds", found["bonds"]),
        *block("constraints", frame["constraints"]),
        *block("angles", found["angles"]),
        *block("dihedrals", found["dihedrals"]),
        *block("sites", frame["sites"]),
        f"rigid = {quoted(frame['rigid'])}  # excluded from one another",
        "positions = [",
        *(f"  [{x:.7f}, {y:.7f}, {z:.7f}],  # {bead}" for bead, (x, y, z) in zip(names, found["positions"])),
        "]",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    path = Path(bead_tables_folder()) / "martini3" / "sterols.toml"
    text = path.read_text(encoding="utf-8")
    sterols = tomllib.loads(text)["sterols"]
    kept = text.split("[[sterols]]")[:2]
    frame = sterols[0]
    model, _ = measured(frame["template"], frame, list(frame["beads"]))
    entries = [written(s["name"], s["template"], frame, model) for s in sterols[1:]]
    path.write_text("[[sterols]]".join(kept).rstrip("\n") + "\n\n" + "\n".join(entries), encoding="utf-8")


if __name__ == "__main__":
    main()
