"""Whether a calibrated table makes molecules stick to their own kind, which transfer free energies hardly see."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from topdown.calibration.targets import Target, TransferTarget
from topdown.model.bead_table import BeadTable
from topdown.model.measurement import Estimate
from topdown.properties.second_virial import second_virial

#: A molecule counts as stickier when B₂ falls by more than this part of its size and by three standard errors.
STICKIER = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class VirialComparison:
    """Second virial coefficient of a solute with itself [nm³], with the start table and with the new one."""

    name: str
    before: Estimate
    after: Estimate

    @property
    def is_stickier(self) -> bool:
        """Whether two of them attract each other clearly more than before."""
        fall = self.before.value - self.after.value
        noise = math.hypot(self.before.standard_error, self.after.standard_error)
        return fall > STICKIER * abs(self.before.value) and fall > 3.0 * noise


def compare_second_virials(
    targets: Iterable[Target], before: BeadTable, after: BeadTable, temperature: float
) -> tuple[VirialComparison, ...]:
    """B₂ of every solute with both tables, by name; each molecule once."""
    solutes = {t.molecule_key: t.molecule for t in targets if isinstance(t, TransferTarget)}
    rows = [
        VirialComparison(
            name=molecule.name,
            before=second_virial(molecule, before, temperature),
            after=second_virial(molecule, after, temperature),
        )
        for _, molecule in sorted(solutes.items())
    ]
    return tuple(sorted(rows, key=lambda row: row.name))
