"""Free energies of solvation in milliseconds: read off the reduced sums that ship with a table.

The sums of the shape nearest to the molecule are reweighted to its bead types
(:class:`topdown.estimators.reduced_sums.ReducedSums`). What cannot be known that way is refused, with the simulation offered:
molecules with charges, without a shape, phases without sums, and bead types so far from what was sampled that too few
effective samples are left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import hypot
from pathlib import Path
from typing import Final

import numpy as np

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.reduced_sums import ReducedSums
from topdown.model import BeadTable, CGMolecule, Estimate
from topdown.properties.shape_sums import read_shape_sums
from topdown.properties.shapes import MOST_BEADS, Shape, nearest_shape, shape_of
from topdown.properties.transfer import SolvationResult
from topdown.tables import load_bead_table
from topdown.tables.folder import SUMS_FOLDER, table_folder
from topdown.tables.molecules import read_molecule

#: Fewest effective samples for a number at all; between this and ``MIN_EFFECTIVE`` of the estimators it comes with a remark.
FEWEST: Final = 20.0
#: Largest difference of a distance between a molecule and the shape that stands for it [nm].
TOLERANCE: Final = 0.12
#: What a difference in a distance adds to the error [kJ/mol/nm].
DISTANCE_ERROR: Final = 8.0
_HINT: Final = "leave --instant out to simulate it"
_TEMPERATURE_RANGE: Final = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class InstantSums:
    """The shapes and reduced sums of a table.

    Attributes
    ----------
    table : BeadTable
    shapes : mapping of str to Shape
    sums : mapping of phase to mapping of shape to ReducedSums
    """

    table: BeadTable
    shapes: Mapping[str, Shape]
    sums: Mapping[str, Mapping[str, ReducedSums]]

    @property
    def phases(self) -> tuple[str, ...]:
        """Phases there are sums of."""
        return tuple(self.sums)

    def solvation(self, molecule: CGMolecule, phase: str, *, temperature: float = 298.15) -> SolvationResult:
        """ΔG(gas → phase) of a molecule in the bead types of the table.

        Raises
        ------
        SettingsError
            A phase without sums, or a temperature they do not hold for.
        SamplingError
            Too few effective samples.
        """
        if phase not in self.sums:
            known = ", ".join(self.sums)
            raise SettingsError(f"there are no instant free energies in {phase}", hint=f"only in {known}; {_HINT}")
        if any(bead.charge for bead in molecule.beads):
            raise SettingsError("a molecule with charges has no instant free energy", hint=_HINT)
        shape, order, difference = self.nearest_shape(molecule, phase)
        reduced = self.sums[phase][shape]
        if abs(reduced.temperature - temperature) > _TEMPERATURE_RANGE:
            raise SettingsError(
                f"instant free energies are for {reduced.temperature:g} K, not {temperature:g} K", hint=_HINT
            )
        types = [molecule.beads[k].bead_type for k in order]
        outer = [self.table.pair(types[int(a.partition("#")[2])], b)[1] for a, b in reduced.pairs]
        inner = [
            self.table.pair(types[int(a.partition("#")[2])], types[int(b.partition("#")[2])])[1]
            for a, b in reduced.inner_pairs
        ]
        found = reduced.coupling(np.array([*outer, *inner]))
        if found.n_effective < FEWEST:
            raise SamplingError(
                f"only {found.n_effective:.0f} effective samples in {phase} for beads {' '.join(types)}",
                hint=_HINT,
            )
        return SolvationResult(
            phase=phase,
            delta_g=Estimate(
                value=found.value,
                standard_error=hypot(found.standard_error, DISTANCE_ERROR * difference),
                n_effective=found.n_effective,
                provenance=f"reweighted sums of {shape}",
            ),
            overlap=1.0,
            n_windows=0,
            n_frames=reduced.n_frames,
            n_solvent=0,
        )

    def nearest_shape(self, molecule: CGMolecule, phase: str) -> tuple[str, tuple[int, ...], float]:
        """Name of the nearest shape with sums in ``phase``, the order of the molecule's beads along it, and the difference.

        Raises
        ------
        SettingsError
            None is near enough.
        """
        if molecule.n_beads > MOST_BEADS:
            raise SettingsError(f"no shape of {molecule.n_beads} beads was sampled", hint=_HINT)
        shape = shape_of(molecule, self.table)
        best = nearest_shape(shape, {name: self.shapes[name] for name in self.sums[phase]})
        sizes = "".join(shape.sizes)
        if best is None:
            raise SettingsError(f"no shape of beads {sizes} was sampled", hint=_HINT)
        if best[2] > TOLERANCE:
            raise SettingsError(f"the nearest shape of beads {sizes} differs by {best[2]:.2f} nm", hint=_HINT)
        return best


def has_instant_sums(table_name: str | Path) -> bool:
    """Whether a table ships sums."""
    return bool(_files(table_name))


def _files(table_name: str | Path) -> list[Path]:
    return sorted((table_folder(table_name) / SUMS_FOLDER).glob("*.npz"))


@lru_cache(maxsize=2)
def load_instant_sums(table_name: str | Path) -> InstantSums:
    """The shapes and reduced sums beside a table.

    Raises
    ------
    SettingsError
        The table has none.
    """
    folder = table_folder(table_name)
    files = _files(table_name)
    if not files:
        raise SettingsError(f"the table {table_name} has no sums for instant free energies", hint=_HINT)
    table = load_bead_table(table_name)
    parent = load_bead_table(table.provenance.parent)
    sums = {file.stem.replace("_", " "): read_shape_sums(file)[0] for file in files}
    names = sorted({name for of_phase in sums.values() for name in of_phase})
    models = {name: read_molecule(folder / "shapes" / f"{name}.toml", parent.bead_types).model for name in names}
    return InstantSums(table=table, shapes={name: shape_of(model, parent) for name, model in models.items()}, sums=sums)
