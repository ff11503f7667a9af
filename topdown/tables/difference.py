"""What changed between two bead tables."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from topdown.model.bead_table import BeadTable, NonbondedScheme


@dataclass(frozen=True, slots=True, kw_only=True)
class PairChange:
    """One pair whose parameters differ: ε [kJ/mol] and σ [nm] in the first and in the second table."""

    type_a: str
    type_b: str
    epsilon_a: float
    epsilon_b: float
    sigma_a: float
    sigma_b: float

    @property
    def epsilon_change(self) -> float:
        """ε of the second table minus ε of the first [kJ/mol]."""
        return self.epsilon_b - self.epsilon_a

    @property
    def sigma_change(self) -> float:
        """σ of the second table minus σ of the first [nm]."""
        return self.sigma_b - self.sigma_a


@dataclass(frozen=True, slots=True, kw_only=True)
class BeadTableDifference:
    """Difference of two tables, a → b.

    Attributes
    ----------
    name_a, name_b : str
    only_in_a, only_in_b : tuple of str
        Bead types that the other table lacks.
    n_common_pairs : int
        Pairs both tables hold.
    changes : tuple of PairChange
        Pairs with another ε or σ: largest |Δε| first, then largest |Δσ|, then by name.
    scheme_changes : tuple of str
        Differences of the cut-off scheme and of how long bonds are made, as ``"cutoff 1.1 -> 1.2"``.
    """

    name_a: str
    name_b: str
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]
    n_common_pairs: int
    changes: tuple[PairChange, ...]
    scheme_changes: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """True when types, pairs and scheme agree."""
        return not (self.only_in_a or self.only_in_b or self.changes or self.scheme_changes)


def diff_bead_tables(a: BeadTable, b: BeadTable) -> BeadTableDifference:
    """Compare two tables over the bead types they share.

    Parameters
    ----------
    a, b : BeadTable

    Returns
    -------
    BeadTableDifference
        Values are compared exactly: a rounded copy counts as changed.
    """
    common = sorted(t.name for t in a.bead_types if t.name in b)
    rows_a, rows_b = a.indices(common), b.indices(common)
    eps_a, eps_b = a.epsilon[np.ix_(rows_a, rows_a)], b.epsilon[np.ix_(rows_b, rows_b)]
    sig_a, sig_b = a.sigma[np.ix_(rows_a, rows_a)], b.sigma[np.ix_(rows_b, rows_b)]
    changed = np.argwhere(np.triu((eps_a != eps_b) | (sig_a != sig_b)))
    changes = [
        PairChange(
            type_a=common[i],
            type_b=common[j],
            epsilon_a=float(eps_a[i, j]),
            epsilon_b=float(eps_b[i, j]),
            sigma_a=float(sig_a[i, j]),
            sigma_b=float(sig_b[i, j]),
        )
        for i, j in changed.tolist()
    ]
    changes.sort(key=lambda c: (-abs(c.epsilon_change), -abs(c.sigma_change), c.type_a, c.type_b))
    schemes = [
        (field.name, getattr(a.scheme, field.name), getattr(b.scheme, field.name)) for field in fields(NonbondedScheme)
    ]
    schemes.append(("bond_lengths", a.bond_lengths, b.bond_lengths))
    scheme = tuple(f"{name} {_short(old)} -> {_short(new)}" for name, old, new in schemes if old != new)
    return BeadTableDifference(
        name_a=a.name,
        name_b=b.name,
        only_in_a=tuple(t.name for t in a.bead_types if t.name not in b),
        only_in_b=tuple(t.name for t in b.bead_types if t.name not in a),
        n_common_pairs=len(common) * (len(common) + 1) // 2,
        changes=tuple(changes),
        scheme_changes=scheme,
    )


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
