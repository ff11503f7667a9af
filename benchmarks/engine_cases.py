"""What the engine's benchmark runs: systems of stored coordinates, copies of them side by side, and GROMACS's settings."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from topdown.formats import read_gro
from topdown.model import Bead, CGMolecule, System
from topdown.tables import load_bead_table, load_molecule

REFERENCE = Path(__file__).resolve().parents[1] / "tests" / "reference_data" / "gromacs"
#: [ps], [K]
TIME_STEP = 0.02
TEMPERATURE = 300.0
#: States whose sums a window stores, and the one it samples: λ = 0.5.
LAMBDAS = tuple(k / 10 for k in range(11))
MIDDLE = 5
#: Steps between two stored frames of a window.
STORE_EVERY = 100


@dataclass(frozen=True, kw_only=True)
class Case:
    """One system and how it is run.

    Attributes
    ----------
    name, label : str
        For the command line and for tables.
    folder : str
        Stored coordinates, below ``REFERENCE``.
    components : tuple of (str, int)
        Shipped molecules and counts in the order of the coordinates; ``C1`` is a solute of one bead.
    copies : (int, int, int)
        How often the box is repeated along x, y and z.
    coupled : bool
        Whether the solute is half coupled along a soft-core path.
    barostat : {"isotropic", "semiisotropic"}
    """

    name: str
    label: str
    folder: str
    components: tuple[tuple[str, int], ...]
    copies: tuple[int, int, int] = (1, 1, 1)
    coupled: bool = False
    barostat: Literal["isotropic", "semiisotropic"] = "isotropic"

    def system(self) -> System:
        """The stored coordinates, repeated, with molecules and pairs of the shipped Martini 3 table."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "conf.gro"
            path.write_bytes(gzip.decompress((REFERENCE / self.folder / "conf.gro.gz").read_bytes()))
            gro = read_gro(path)
        components = tuple((_molecule(label), count) for label, count in self.components)
        table = load_bead_table("martini3").subset({t for m, _ in components for t in m.type_names})
        system = System(table=table, components=components, positions=gro.positions, box=gro.box, title=self.label)
        return replicate(system, self.copies)


def _molecule(label: str) -> CGMolecule:
    if label == "C1":
        return CGMolecule(name="SLT", beads=(Bead(name="C1", bead_type="C1"),))
    return load_molecule("martini3", label)


def water_case(copies: tuple[int, int, int], name: str = "") -> Case:
    """The box of 1,600 W repeated."""
    n = 1600 * int(np.prod(copies))
    return Case(name=name or f"water_{n}", label=f"{n:,} W", folder="w1600", components=(("W", 1600),), copies=copies)


_SOLUTE = (("C1", 1), ("W", 400))
_BILAYER = (("POPC", 128), ("W", 1728), ("NA", 19), ("CL", 19))
CASES: Mapping[str, Case] = {
    case.name: case
    for case in (
        Case(name="water_solute", label="400 W + C1", folder="w400c1", components=_SOLUTE),
        Case(name="window", label="400 W + C1, window at 0.5", folder="w400c1", components=_SOLUTE, coupled=True),
        water_case((1, 1, 1), "water"),
        water_case((2, 2, 2)),
        water_case((4, 4, 4)),
        Case(name="popc", label="128 POPC + W + NaCl", folder="popc128", components=_BILAYER, barostat="semiisotropic"),
        Case(name="hexadecane", label="1,000 hexadecane", folder="hd1000", components=(("HD", 1000),)),
        Case(name="octanol", label="2,000 octanol", folder="oco2000", components=(("OCO", 2000),)),
    )
}
#: Copies of the 1,600 W for the cost of one bead from 10³ to 10⁶ of them.
SCALING: Mapping[int, tuple[int, int, int]] = {
    1_600: (1, 1, 1),
    12_800: (2, 2, 2),
    102_400: (4, 4, 4),
    1_024_000: (8, 8, 10),
}


def replicate(system: System, copies: tuple[int, int, int]) -> System:
    """``system`` side by side with copies of itself: the same density, and no two beads closer than before.

    Molecules stand copy after copy; a single component stays one component.
    """
    if min(copies) < 1:
        raise ValueError(f"a box is repeated at least once along each axis, got {copies}")
    shifts = np.stack(np.meshgrid(*(np.arange(n) for n in copies), indexing="ij"), axis=-1).reshape(-1, 3) * system.box
    n = len(shifts)
    components = system.components * n
    if len(system.components) == 1:
        molecule, count = system.components[0]
        components = ((molecule, count * n),)
    positions = (system.positions[None] + shifts[:, None]).reshape(-1, 3)
    return replace(system, components=components, positions=positions, box=system.box * np.array(copies))


def pair_count(system: System) -> int:
    """Pairs of beads within the cut-off, those excluded from the sums as well."""
    from scipy.spatial import cKDTree  # not on top: processes whose start is timed import this file

    box = np.asarray(system.box)
    tree = cKDTree(np.mod(system.positions, box) % box, boxsize=box)
    return (int(tree.count_neighbors(tree, system.table.scheme.cutoff)) - system.n_beads) // 2


def mdp_text(
    case: Case, *, solute: str = "", ensemble: Literal["npt", "nve"] = "npt", index: int = MIDDLE, **other: object
) -> str:
    """GROMACS's run parameters: Martini's usual, in a window with the derivatives and energies reweighting needs.

    ``other`` overrides options by name, underscores for hyphens.
    """
    options: dict[str, object] = {
        "integrator": "md",
        "dt": TIME_STEP,
        "nsteps": -1,
        "nstcalcenergy": 100,
        "nstenergy": 1000,
        "nstlog": 0,
        "cutoff-scheme": "Verlet",
        "nstlist": 20,
        "verlet-buffer-tolerance": 0.005,
        "coulombtype": "reaction-field",
        "rcoulomb": 1.1,
        "epsilon-r": 15,
        "epsilon-rf": 0,
        "vdw-modifier": "Potential-shift-verlet",
        "rvdw": 1.1,
        "gen-vel": "yes",
        "gen-temp": TEMPERATURE,
        "gen-seed": 1,
    }
    if ensemble == "npt":
        options |= _coupling(2 if case.barostat == "semiisotropic" else 1, case.barostat)
    if case.coupled:
        options |= _free_energy(solute, LAMBDAS, index)
    options |= {key.replace("_", "-"): value for key, value in other.items()}
    return "".join(f"{key} = {value}\n" for key, value in options.items())


def _coupling(directions: int, kind: str) -> dict[str, object]:
    return {
        "tcoupl": "v-rescale",
        "tc-grps": "System",
        "tau-t": 1.0,
        "ref-t": TEMPERATURE,
        "pcoupl": "C-rescale",
        "pcoupltype": kind,
        "tau-p": 4.0,
        "compressibility": " ".join(["3e-4"] * directions),
        "ref-p": " ".join(["1.0"] * directions),
    }


def _free_energy(solute: str, lambdas: Sequence[float], index: int) -> dict[str, object]:
    return {
        "free-energy": "yes",
        "init-lambda-state": index,
        "vdw-lambdas": " ".join(map(str, lambdas)),
        "couple-moltype": solute,
        "couple-lambda0": "none",
        "couple-lambda1": "vdw",
        "couple-intramol": "no",
        "sc-alpha": 0.5,
        "sc-power": 1,
        "calc-lambda-neighbors": -1,
        "nstdhdl": STORE_EVERY,
    }
