"""GROMACS as an oracle: run it, and rebuild the systems whose energies it has computed before."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from topdown.formats import read_gro
from topdown.model import Angle, Bead, Bond, CGMolecule, Constraint, Dihedral, System, VirtualSite
from topdown.tables import load_bead_table, load_molecule

REFERENCE = Path(__file__).parents[1] / "reference_data" / "gromacs"


@dataclass(frozen=True)
class Gromacs:
    """One GROMACS program; every call is single-threaded and leaves its files in the folder given."""

    program: str

    @property
    def double(self) -> bool:
        return self.program == "gmx_d"

    def call(self, folder: Path, *arguments: str, answer: str = "") -> str:
        done = subprocess.run(
            [self.program, "-nobackup", *arguments],
            cwd=folder,
            input=answer,
            capture_output=True,
            text=True,
            timeout=300,
        )
        text = done.stdout + done.stderr
        assert done.returncode == 0, text[-4000:]
        return text

    def grompp(self, files: dict[str, Path], run: str, *, strict: bool = True) -> str:
        """Prepare ``run``; returns what grompp said, after checking that it neither warned nor (``strict``) noted anything."""
        said = self.call(
            files["top"].parent,
            *("grompp", "-f", files[run].name, "-c", files["gro"].name, "-p", files["top"].name),
            *("-n", files["ndx"].name, "-o", f"{run}.tpr", "-po", f"{run}_out.mdp"),
            *(("-r", files["reference"].name) if "reference" in files else ()),
        )
        complaints = [line for line in said.splitlines() if re.match(r"\s*(NOTE|WARNING|ERROR|There w)", line)]
        assert not (strict and complaints), said
        return said

    def single_point(self, files: dict[str, Path], *, strict: bool = True) -> tuple[dict[str, float], np.ndarray]:
        """Energy terms by GROMACS's names [kJ/mol] and forces (n, 3) [kJ/mol/nm]."""
        folder = files["top"].parent
        self.grompp(files, "single_point", strict=strict)
        tables = [name for name in files if name.endswith(".xvg")]
        options = ("-nt", "1", "-pin", "off", *(("-tableb", *tables) if tables else ()))
        self.call(folder, "mdrun", "-s", "single_point.tpr", "-deffnm", "single_point", *options)
        every = "\n".join(str(k) for k in range(1, 100)) + "\n0\n"
        self.call(folder, "energy", "-f", "single_point.edr", "-o", "energy.xvg", "-dp", answer=every)
        lines = (folder / "energy.xvg").read_text().splitlines()
        names = [line.split('"')[1] for line in lines if re.match(r"@ s\d+ legend", line)]
        values = [float(word) for word in lines[-1].split()[1:]]
        inputs = ("-f", "single_point.trr", "-s", "single_point.tpr", "-n", files["ndx"].name)
        self.call(folder, "traj", *inputs, "-of", "force.xvg", "-fp", "-xvg", "none", answer="0\n")
        forces = np.array((folder / "force.xvg").read_text().split()[1:], dtype=np.float64)
        return dict(zip(names, values, strict=True)), forces.reshape(-1, 3)


@pytest.fixture(params=["gmx", "gmx_d"])
def gromacs(request: pytest.FixtureRequest) -> Gromacs:
    """GROMACS in mixed and in double precision, whichever is installed."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return Gromacs(request.param)


def popc_2021() -> CGMolecule:
    """POPC as first published with Martini 3 (martini_v3.0.0_phospholipids_v1); the shipped model is the later one."""
    names = ["NC3", "PO4", "GL1", "GL2", "C1A", "D2A", "C3A", "C4A", "C1B", "C2B", "C3B", "C4B"]
    types = ["Q1", "Q5", "SN4a", "N4a", "C1", "C4h", "C1", "C1", "C1", "C1", "C1", "C1"]
    charges = [1.0, -1.0] + [0.0] * 10
    bonds = {
        **{(0, 1): (0.40, 7000.0), (1, 2): (0.42, 1350.0), (2, 3): (0.312, 2500.0), (2, 4): (0.47, 5000.0)},
        **{(4, 5): (0.47, 3800.0), (5, 6): (0.47, 3800.0), (6, 7): (0.47, 3800.0), (3, 8): (0.47, 3600.0)},
        **{(8, 9): (0.47, 3800.0), (9, 10): (0.47, 3800.0), (10, 11): (0.47, 3800.0)},
    }
    angles = {
        **{(1, 2, 3): (108.0, 21.5), (1, 2, 4): (139.1, 31.2), (2, 4, 5): (180.0, 35.0), (4, 5, 6): (120.0, 35.0)},
        **{(5, 6, 7): (180.0, 35.0), (3, 8, 9): (180.0, 35.0), (8, 9, 10): (180.0, 35.0), (9, 10, 11): (180.0, 35.0)},
    }
    return CGMolecule(
        name="POPC",
        beads=tuple(
            Bead(name=n, bead_type=t, charge=q, mass=54.0 if t == "SN4a" else 72.0)
            for n, t, q in zip(names, types, charges)
        ),
        bonds=tuple(Bond(atoms=a, length=r, force_constant=k) for a, (r, k) in bonds.items()),
        angles=tuple(Angle(atoms=a, angle=t, force_constant=k, function=2) for a, (t, k) in angles.items()),
    )


def cholesterol_2023() -> CGMolecule:
    """Cholesterol of Martini 3 (Borges-Araújo et al., J. Chem. Theory Comput. 19, 7387, 2023, doi:10.1021/acs.jctc.3c00547)."""
    names = ["ROH", "R1", "R2", "R3", "R4", "R5", "R6", "C1", "C2"]
    types = ["P1", "SC4", "SC3", "SC3", "SC3", "TC2", "TC2", "C2", "C2"]
    masses = [0.0, 159.8, 157.0, 0.0, 0.0, 0.0, 0.0, 115.2, 72.0]
    sites = {
        **{0: (1.08999, 0.35891, 0.22947), 3: (-0.41067, 0.83597, -0.05311), 4: (0.69138, -0.10352, 0.17476)},
        **{5: (0.77524, 0.22413, 0.92700), 6: (0.06219, 0.32398, 0.76967)},
    }
    lengths = {(7, 2): 0.75012, (7, 1): 0.78504, (2, 1): 0.34797}
    return CGMolecule(
        name="CHOL",
        beads=tuple(Bead(name=n, bead_type=t, mass=m) for n, t, m in zip(names, types, masses)),
        bonds=(Bond(atoms=(7, 8), length=0.44, force_constant=15000.0),),
        constraints=tuple(Constraint(atoms=a, length=r) for a, r in lengths.items()),
        angles=(Angle(atoms=(4, 3, 8), angle=99.0, force_constant=250.0, function=1),),
        dihedrals=(Dihedral(atoms=(6, 4, 3, 8), angle=-70.0, force_constant=50.0, function=2),),
        virtual_sites=tuple(
            VirtualSite(site=k, construction="3out", atoms=(7, 2, 1), parameters=p) for k, p in sites.items()
        ),
        exclusions=tuple((i, j) for i in range(7) for j in range(i + 1, 8)),
    )


def _components(name: str) -> tuple[tuple[CGMolecule, int], ...]:
    solute = CGMolecule(name="SLT", beads=(Bead(name="C1", bead_type="C1"),))
    m3 = {label: load_molecule("martini3", label) for label in ("W", "HD", "OCO", "NA", "CL")}
    popc, chol = popc_2021(), cholesterol_2023()
    m2 = {label: load_molecule("martini2", label) for label in ("W", "DPPC")}
    return {
        "w400c1": ((solute, 1), (m3["W"], 400)),
        "w1600": ((m3["W"], 1600),),
        "hd1000": ((m3["HD"], 1000),),
        "oco2000": ((m3["OCO"], 2000),),
        "popc128": ((popc_2021(), 64), (popc_2021(), 64), (m3["W"], 1728), (m3["NA"], 19), (m3["CL"], 19)),
        "popcchol": ((popc, 44), (chol, 19)) * 2 + ((m3["W"], 1791), (m3["NA"], 20), (m3["CL"], 20)),
        "dppc128_m2": ((m2["DPPC"], 64), (m2["DPPC"], 64), (m2["W"], 1763)),
    }[name]


@dataclass(frozen=True)
class Reference:
    """A system rebuilt from shipped tables and models, with GROMACS's double-precision answers."""

    system: System
    energies: dict[str, float]
    forces: np.ndarray
    virial: np.ndarray


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory):
    """Load one of the stored reference systems by folder name."""

    def load(name: str) -> Reference:
        folder = REFERENCE / name
        path = tmp_path_factory.mktemp(name) / "conf.gro"
        path.write_bytes(gzip.decompress((folder / "conf.gro.gz").read_bytes()))
        gro = read_gro(path)
        components = _components(name)
        beads = tuple(bead.name for molecule, count in components for _ in range(count) for bead in molecule.beads)
        assert beads == gro.names
        types = {bead.bead_type for molecule, _ in components for bead in molecule.beads}
        table = load_bead_table("martini2" if name.endswith("_m2") else "martini3").subset(types)
        energies = json.loads((folder / "energies.json").read_text())
        virial = np.array([[energies[f"Vir-{a}{b}"] for b in "XYZ"] for a in "XYZ"])
        system = System(table=table, components=components, positions=gro.positions, box=gro.box, title=name)
        return Reference(system, energies, np.load(folder / "forces.npz")["forces"], virial)

    return load
