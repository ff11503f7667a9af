"""How well topdown1 predicts free energies of transfer, beside what else there is.

    python benchmarks/topdown1.py                 every molecule with a measured value

Predictions are instant ones (reweighted sums), those put together from parts of a molecule apart. Beside them, on the same rows:
Crippen's logP as RDKit has it (octanol only); a ridge regression on counts of atom groups, trained on the calibration rows;
martini3's own bead types and ε through the same sums (σ by size alone, which leaves out martini3's exceptions). Errors in
kJ/mol; intervals by bootstrap over molecules.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from rdkit import Chem
from rdkit.Chem import Crippen

from topdown.errors import TopdownError
from topdown.mapping import map_molecule, parse_smiles
from topdown.mapping.chemotypes import chemotype
from topdown.mapping.environments import atom_features
from topdown.properties.instant import InstantSums, load_instant_sums
from topdown.properties.measurements import load_measurements
from topdown.tables import load_bead_table

PHASES = ("octanol", "hexadecane", "chloroform", "carbon tetrachloride", "toluene")
PER_LOG = 5.708


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write every prediction here")
    arguments = parser.parse_args()
    sums = load_instant_sums("topdown1")
    martini3 = load_bead_table("martini3")
    rows = [r for r in load_measurements("transfer_free_energy") if r.phase.removesuffix("/water") in PHASES]
    measured: dict[tuple[str, str], tuple[float, str]] = {}
    for r in rows:
        if r.canonical_smiles != "O":
            measured.setdefault((r.canonical_smiles, r.phase.removesuffix("/water")), (r.value, r.split))
    molecules = sorted({smiles for smiles, _ in measured})
    predicted: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    refused: Counter[str] = Counter()
    seconds = {"mapping": 0.0, "reweighting": 0.0}
    stated: dict[tuple[str, str], float] = {}
    other = InstantSums(table=martini3, shapes=sums.shapes, sums=sums.sums)
    for smiles in molecules:
        start = time.process_time()
        model = map_molecule(smiles, sums.table, name=smiles)
        seconds["mapping"] += time.process_time() - start
        published = map_molecule(smiles, martini3, name=smiles)
        for phase in PHASES:
            if (smiles, phase) not in measured:
                continue
            start = time.process_time()
            try:
                water, oil = (sums.solvation(model, name, pieces=True) for name in ("water", phase))
                name = "topdown1, from parts" if water.pieced or oil.pieced else "topdown1"
                predicted[name][smiles, phase] = water.delta_g.value - oil.delta_g.value
                stated[smiles, phase] = float(np.hypot(water.delta_g.standard_error, oil.delta_g.standard_error))
            except TopdownError as error:
                refused[str(error).split(" for ")[0].split(" differs")[0][:60]] += 1
            seconds["reweighting"] += time.process_time() - start
            try:
                water, oil = other.solvation(published, "water"), other.solvation(published, phase)
                predicted["martini3 ε, same sums"][smiles, phase] = water.delta_g.value - oil.delta_g.value
            except TopdownError:
                pass
            if phase == "octanol":
                predicted["Crippen"][smiles, phase] = PER_LOG * Crippen.MolLogP(Chem.MolFromSmiles(smiles))
    for phase in PHASES:
        predicted["group ridge"].update(ridge(measured, phase))
    report(measured, predicted)
    report_groups(measured, predicted)
    print(f"\nrefused: {dict(refused)}")
    n = len(molecules)
    each = {what: 1e3 * spent / n for what, spent in seconds.items()}
    print(f"{n} molecules: mapping {each['mapping']:.1f} ms, reweighting {each['reweighting']:.1f} ms each")
    if arguments.json:
        found = [
            {"smiles": s, "phase": p, "measured": v, "split": split}
            | {name: round(values[s, p], 3) for name, values in predicted.items() if (s, p) in values}
            for (s, p), (v, split) in measured.items()
        ]
        arguments.json.write_text(json.dumps(found, indent=0, ensure_ascii=False))


def ridge(measured: dict[tuple[str, str], tuple[float, str]], phase: str) -> dict[tuple[str, str], float]:
    """Ridge on counts of atom groups (element, hydrogens, multiple bonds, ring), penalty by 5-fold cross-validation."""
    names = [s for s, p in measured if p == phase]
    counts = [
        Counter(t for found in atom_features(parse_smiles(s).mol) for level, t in found if level == 1) for s in names
    ]
    columns = sorted({t for c in counts for t in c})
    x = np.array([[c[t] for t in columns] + [1.0] for c in counts])
    y = np.array([measured[s, phase][0] for s in names])
    fit = np.array([measured[s, phase][1] == "calibration" for s in names])

    def solve(rows: np.ndarray, penalty: float) -> np.ndarray:
        return np.linalg.solve(x[rows].T @ x[rows] + penalty * np.eye(x.shape[1]), x[rows].T @ y[rows])

    folds = np.random.default_rng(0).integers(0, 5, len(y))
    errors = {}
    for penalty in (0.1, 0.3, 1.0, 3.0, 10.0):
        off = [x[fit & (folds == k)] @ solve(fit & (folds != k), penalty) - y[fit & (folds == k)] for k in range(5)]
        errors[penalty] = float(np.mean(np.concatenate(off) ** 2))
    best = x @ solve(fit, min(errors, key=lambda p: errors[p]))
    return {(s, phase): float(v) for s, v in zip(names, best)}


def report(
    measured: dict[tuple[str, str], tuple[float, str]], predicted: dict[str, dict[tuple[str, str], float]]
) -> None:
    rng = np.random.default_rng(0)
    for split in ("calibration", "validation"):
        print(
            f"\n{split}\n| phase | | n | RMSE | MAE | bias | topdown1, same rows, gain (95 %) |\n|---|---|---|---|---|---|---|"
        )
        for phase in PHASES:
            for name, values in predicted.items():
                keys = [k for k, (_, s) in measured.items() if s == split and k[1] == phase and k in values]
                if not keys:
                    continue
                off = np.array([values[k] - measured[k][0] for k in keys])
                line = f"| {phase} | {name} | {len(keys)} | {rmse(off):.2f} | {np.abs(off).mean():.2f} | {off.mean():+.2f} |"
                shared = [k for k in keys if k in predicted["topdown1"]]
                if name != "topdown1" and shared:
                    a = np.array([values[k] - measured[k][0] for k in shared])
                    b = np.array([predicted["topdown1"][k] - measured[k][0] for k in shared])
                    draws = rng.integers(0, len(a), (2000, len(a)))
                    gain = np.array([rmse(a[d]) - rmse(b[d]) for d in draws])
                    low, high = np.percentile(gain, [2.5, 97.5])
                    line += f" {rmse(b):.2f}, {rmse(a) - rmse(b):+.2f} ({low:+.2f} to {high:+.2f}) |"
                else:
                    line += " |"
                print(line)


def report_groups(
    measured: dict[tuple[str, str], tuple[float, str]], predicted: dict[str, dict[tuple[str, str], float]]
) -> None:
    """Errors by the chemistry of the molecule, all phases together, on rows that both have."""
    kinds: dict[str, list[tuple[str, str]]] = defaultdict(list)
    ours, theirs = predicted["topdown1"], predicted["group ridge"]
    for (smiles, phase), (_, split) in measured.items():
        if split == "validation" and (smiles, phase) in ours and (smiles, phase) in theirs:
            kinds[chemotype(smiles)].append((smiles, phase))
    print(
        "\n| validation, molecules that are | n | topdown1 RMSE | MAE | bias | ridge RMSE |\n|---|---|---|---|---|---|"
    )
    for kind, keys in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0])):
        off = np.array([ours[k] - measured[k][0] for k in keys])
        ridge_off = np.array([theirs[k] - measured[k][0] for k in keys])
        print(
            f"| {kind} | {len(keys)} | {rmse(off):.2f} | {np.abs(off).mean():.2f} | {off.mean():+.2f} | {rmse(ridge_off):.2f} |"
        )


def rmse(off: np.ndarray) -> float:
    return float(np.sqrt(np.mean(off**2)))


if __name__ == "__main__":
    main()
