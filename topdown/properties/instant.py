"""Free energies of solvation in milliseconds: read off the reduced sums that ship with a table.

The sums of the shape nearest to the molecule are reweighted to its bead types
(:class:`topdown.estimators.reduced_sums.ReducedSums`). What cannot be known that way is refused, with the simulation offered:
molecules with charges, without a shape, phases without sums, and bead types so far from what was sampled that too few
effective samples are left. A molecule without a shape can be put together from shapes of its parts, less well
(:mod:`topdown.properties.instant_pieces`).

Errors of geometry were measured on the sums of topdown1, with molecules of three to five beads in shapes other than the
nearest. Between water and an oil most of it cancels; between gas and liquid it does not, since a molecule that is more
compact meets less of any liquid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import hypot
from pathlib import Path
from typing import Final

import numpy as np

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.reduced_sums import CouplingValue, ReducedSums
from topdown.model import BeadTable, CGMolecule, Estimate
from topdown.properties.instant_pieces import Part, parts_with_counts
from topdown.properties.shape_sums import StoredShapeSums
from topdown.properties.shapes import MOST_BEADS, Shape, nearest_shape, shape_of
from topdown.properties.transfer import SolvationResult
from topdown.tables import load_bead_table
from topdown.tables.folder import SUMS_FOLDER, table_folder
from topdown.tables.molecules import read_molecule

#: Fewest effective samples for a number at all; between this and ``MIN_EFFECTIVE`` of the estimators it comes with a remark.
FEWEST: Final = 20.0
#: Largest difference of a distance between a molecule and the shape that stands for it [nm].
TOLERANCE: Final = 0.3
#: What a difference in a distance adds to the error in each liquid by itself, and in all liquids alike [kJ/mol/nm].
DISTANCE_ERROR, SHARED_DISTANCE_ERROR = 4.0, 40.0
#: What every part but one of a molecule put together from parts adds to the variance, as an error, in the same two ways [kJ/mol].
PART_ERROR, SHARED_PART_ERROR = 1.0, 5.0
#: Most beads of a molecule put together from parts.
MOST_PIECED_BEADS: Final = 24
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

    def solvation(
        self, molecule: CGMolecule, phase: str, *, temperature: float = 298.15, pieces: bool = False
    ) -> SolvationResult:
        """ΔG(gas → phase) of a molecule in the bead types of the table.

        Parameters
        ----------
        molecule : CGMolecule
        phase : str
        temperature : float
            [K]
        pieces : bool
            Put a molecule without a shape together from its parts.

        Raises
        ------
        SettingsError
            A phase without sums, a temperature they do not hold for, or no shape.
        SamplingError
            Too few effective samples.
        """
        if phase not in self.sums:
            known = ", ".join(self.sums)
            raise SettingsError(f"there are no instant free energies in {phase}", hint=f"only in {known}; {_HINT}")
        if any(bead.charge for bead in molecule.beads):
            raise SettingsError("a molecule with charges has no instant free energy", hint=_HINT)
        sampled_at = next(iter(self.sums[phase].values())).temperature
        if abs(sampled_at - temperature) > _TEMPERATURE_RANGE:
            raise SettingsError(f"instant free energies are for {sampled_at:g} K, not {temperature:g} K", hint=_HINT)
        try:
            name, order, difference = self.nearest_shape(molecule, phase)
        except SettingsError as error:
            found = self._from_parts(molecule, phase) if pieces else None
            if found is None:
                raise error
            return found
        reduced, value = self._in_shape(molecule, phase, name, order)
        return SolvationResult(
            phase=phase,
            delta_g=Estimate(
                value=value.value,
                standard_error=hypot(value.standard_error, DISTANCE_ERROR * difference),
                n_effective=value.n_effective,
                provenance=f"reweighted sums of {name}",
            ),
            shared_error=SHARED_DISTANCE_ERROR * difference,
            overlap=1.0,
            n_windows=0,
            n_frames=reduced.n_frames,
            n_solvent=0,
        )

    def _in_shape(
        self, molecule: CGMolecule, phase: str, name: str, order: Sequence[int]
    ) -> tuple[ReducedSums, CouplingValue]:
        """The sums of a shape, and ΔG of the beads ``order`` of a molecule along it; SamplingError from too few samples."""
        reduced = self.sums[phase][name]
        types = [molecule.beads[k].bead_type for k in order]
        outer = [self.table.pair(types[int(a.partition("#")[2])], b)[1] for a, b in reduced.pairs]
        inner = [
            self.table.pair(types[int(a.partition("#")[2])], types[int(b.partition("#")[2])])[1]
            for a, b in reduced.inner_pairs
        ]
        found = reduced.coupling(np.array([*outer, *inner]))
        if found.n_effective < FEWEST:
            raise SamplingError(
                f"only {found.n_effective:.0f} effective samples in {phase} for beads {' '.join(types)}", hint=_HINT
            )
        return reduced, found

    def _from_parts(self, molecule: CGMolecule, phase: str) -> SolvationResult | None:
        """ΔG from overlapping shapes of parts; None where they do not cover it."""
        if not 1 < molecule.n_beads <= MOST_PIECED_BEADS:
            return None
        shape = shape_of(molecule, self.table)
        templates = {name: self.shapes[name] for name in self.sums[phase]}
        nearest: dict[Part, tuple[str, tuple[int, ...], float] | None] = {}

        def known(part: Part) -> bool:
            if part not in nearest:
                found = nearest_shape(shape.part(sorted(part)), templates)
                nearest[part] = found if found is not None and found[2] <= TOLERANCE else None
            return nearest[part] is not None

        counts = parts_with_counts(shape.n_beads, _links(shape), known)
        if counts is None:
            return None
        value, variance, effective, n_frames = 0.0, 0.0, math.inf, 0
        for part, count in counts.items():
            beads = sorted(part)
            name, order, difference = nearest[part]  # type: ignore[misc]
            reduced, found = self._in_shape(molecule, phase, name, [beads[k] for k in order])
            value += count * found.value
            variance += count**2 * (found.standard_error**2 + (DISTANCE_ERROR * difference) ** 2)
            effective, n_frames = min(effective, found.n_effective), n_frames + reduced.n_frames
        joints = math.sqrt(max(sum(count > 0 for count in counts.values()) - 1, 1))
        return SolvationResult(
            phase=phase,
            delta_g=Estimate(
                value=value,
                standard_error=hypot(math.sqrt(variance), PART_ERROR * joints),
                n_effective=effective,
                provenance=f"reweighted sums of shapes of {len(counts)} parts",
            ),
            shared_error=SHARED_PART_ERROR * joints,
            overlap=1.0,
            n_windows=0,
            n_frames=n_frames,
            n_solvent=0,
            pieced=True,
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


def _links(shape: Shape) -> frozenset[tuple[int, int]]:
    """Bonds, and from a bead without any (a virtual site) to the two nearest."""
    links = set(shape.bonds)
    for bead in set(range(shape.n_beads)) - {k for bond in shape.bonds for k in bond}:
        nearest = np.argsort(shape.distances[bead], kind="stable")
        links |= {(min(bead, int(k)), max(bead, int(k))) for k in nearest[nearest != bead][:2]}
    return frozenset(links)


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
    sums = {file.stem.replace("_", " "): StoredShapeSums(file) for file in files}
    names = sorted({name for of_phase in sums.values() for name in of_phase})
    models = {name: read_molecule(folder / "shapes" / f"{name}.toml", parent.bead_types).model for name in names}
    return InstantSums(table=table, shapes={name: shape_of(model, parent) for name, model in models.items()}, sums=sums)
