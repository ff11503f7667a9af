"""Molecules of one and two beads in a made-up water and oil, whose strengths are known: for fits of classes."""

import numpy as np

from topdown.calibration.class_fit import ClassMolecule, ClassProblem, Observation
from topdown.estimators.reduced_sums import ReducedSums
from topdown.tables import load_bead_table

PARENT = load_bead_table("martini3")
SOLVENTS = ("W", "C1")
BASE = np.array([0.4, 0.6])
KINDS = {
    "polar": {(0, "O"): 1.0, (1, "OH"): 1.0},
    "apolar": {(0, "C"): 2.0},
    "mixed": {(0, "C"): 1.0, (0, "O"): 1.0},
}
TRUE = {(0, "O"): np.array([0.25, -0.1]), (1, "OH"): np.array([0.1, -0.1]), (0, "C"): np.array([-0.08, 0.05])}


def made_up_sums(rng: np.random.Generator, sizes: str, other: str) -> ReducedSums:
    """Sums that scatter about -8 for every bead, as those of a bead in a liquid do."""
    n = 400
    sums = rng.normal(-8.0, 1.0, (n, len(sizes)))
    return ReducedSums(
        pairs=tuple((f"{size}#{k}", other) for k, size in enumerate(sizes)),
        inner_pairs=(),
        sums=np.rint(sums * 256).astype(np.int16),
        offsets=np.zeros(n, dtype=np.float32),
        inefficiency=np.ones(n, dtype=np.float32),
        free_sums=np.zeros((1, 0), dtype=np.int16),
        free_offsets=np.array([-np.log(n)], dtype=np.float32),
        temperature=298.15,
        path_error=0.1,
        n_frames=n,
    )


def molecules() -> list[ClassMolecule]:
    found = []
    for a in KINDS:
        found.append(ClassMolecule(smiles=a, sizes=("R",), features=(KINDS[a],), shape="one", order=(0,)))
        for b in KINDS:
            found.append(
                ClassMolecule(
                    smiles=f"{a}-{b}", sizes=("R", "S"), features=(KINDS[a], KINDS[b]), shape="two", order=(0, 1)
                )
            )
    return found


def problem(values: np.ndarray | None = None, noise: float = 0.0, seed: int = 0) -> ClassProblem:
    rng = np.random.default_rng(11)
    sums = {
        phase: {"one": made_up_sums(rng, "R", other), "two": made_up_sums(rng, "RS", other)}
        for phase, other in (("water", "W"), ("oil", "C1"))
    }
    wanted = [(k, phase) for k in range(len(molecules())) for phase in ("oil", "gas")]
    values = np.zeros(len(wanted)) if values is None else values
    values = values + noise * np.random.default_rng(seed).standard_normal(len(wanted))
    observations = [
        Observation(molecule=k, phase=phase, value=float(v), error=0.5, calibration=True)
        for (k, phase), v in zip(wanted, values)
    ]
    return ClassProblem(molecules(), observations, sums, PARENT, SOLVENTS)


def true_places() -> np.ndarray:
    return np.array(
        [
            BASE + sum(count * TRUE[feature] for feature, count in found.items())
            for m in molecules()
            for found in m.features
        ]
    )
