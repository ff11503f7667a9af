"""What single liquids gave in a campaign of classes, kept in one file beside it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown.calibration.class_liquids import LiquidValue, Quantity
from topdown.errors import InputFileError
from topdown.resources import atomic_write_text

#: Differences of ε [kJ/mol] and σ [nm] up to which a run stands for another: far below what it can tell, far above the last
#: digits of a fit, in which processors and libraries differ.
EPSILON_TOLERANCE: Final = 0.002
SIGMA_TOLERANCE: Final = 5e-5

_Liquid = tuple[Quantity, str, tuple[str, ...], int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKey:
    """What the result of a run depends on.

    Attributes
    ----------
    quantity : {"density", "surface_tension"}
    smiles : str
    types : tuple of str
        Of the beads of the molecule.
    steps, seed : int
        Of the campaign.
    epsilon, sigma : tuple of float
        [kJ/mol], [nm]; upper triangle of the table of these types, in its order.
    """

    quantity: Quantity
    smiles: str
    types: tuple[str, ...]
    steps: int
    seed: int
    epsilon: tuple[float, ...]
    sigma: tuple[float, ...]

    @property
    def liquid(self) -> _Liquid:
        """The same without the table."""
        return (self.quantity, self.smiles, self.types, self.steps, self.seed)

    def away(self, other: RunKey) -> float:
        """Largest difference of the tables, as a part of what is tolerated."""
        epsilon = np.abs(np.subtract(self.epsilon, other.epsilon)).max() / EPSILON_TOLERANCE
        sigma = np.abs(np.subtract(self.sigma, other.sigma)).max() / SIGMA_TOLERANCE
        return float(max(epsilon, sigma))


class LiquidRuns:
    """Results of runs, in one file.

    Parameters
    ----------
    path : Path
        Read where it exists.

    Raises
    ------
    InputFileError
        A damaged file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: defaultdict[_Liquid, list[tuple[RunKey, LiquidValue | None]]] = defaultdict(list)
        if path.is_file():
            try:
                for entry in json.loads(path.read_text(encoding="utf-8")):
                    self.add(_key_of(entry), _value_of(entry))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputFileError(
                    f"damaged results of liquids: {error}", where=str(path), hint="remove the file to run them again"
                ) from None

    def __contains__(self, key: RunKey) -> bool:
        return self._nearest(key) is not None

    def __getitem__(self, key: RunKey) -> LiquidValue | None:
        found = self._nearest(key)
        if found is None:
            raise KeyError(key)
        return found[1]

    def __iter__(self) -> Iterator[tuple[RunKey, LiquidValue | None]]:
        return (entry for _, known in sorted(self._known.items()) for entry in known)

    def _nearest(self, key: RunKey) -> tuple[RunKey, LiquidValue | None] | None:
        near = min(self._known.get(key.liquid, ()), key=lambda known: known[0].away(key), default=None)
        return near if near is not None and near[0].away(key) <= 1.0 else None

    def add(self, key: RunKey, value: LiquidValue | None) -> None:
        """Keep one result; None of a run that gave nothing to learn from."""
        self._known[key.liquid].append((key, value))

    def save(self) -> None:
        """Write the file."""
        lines = [
            json.dumps({**asdict(key), "value": None if value is None else _plain(value)}, ensure_ascii=False)
            for key, value in self
        ]
        atomic_write_text(self._path, "[\n" + ",\n".join(lines) + "\n]\n")


def _plain(value: LiquidValue) -> dict[str, Any]:
    # Not rounded: steps from what is read back must be those that were taken, or later rounds would not be found again.
    found = {name: x for name, x in asdict(value).items() if name not in ("smiles", "quantity")}
    return found | {key: None if math.isnan(found[key]) else found[key] for key in ("value", "error")}


def _key_of(entry: dict[str, Any]) -> RunKey:
    return RunKey(
        quantity=entry["quantity"],
        smiles=entry["smiles"],
        types=tuple(entry["types"]),
        steps=int(entry["steps"]),
        seed=int(entry["seed"]),
        epsilon=tuple(float(x) for x in entry["epsilon"]),
        sigma=tuple(float(x) for x in entry["sigma"]),
    )


def _value_of(entry: dict[str, Any]) -> LiquidValue | None:
    found = entry["value"]
    if found is None:
        return None
    value, error = (math.nan if found[key] is None else float(found[key]) for key in ("value", "error"))
    return LiquidValue(
        smiles=entry["smiles"],
        quantity=entry["quantity"],
        value=value,
        error=error,
        alarm=found["alarm"],
        pairs=tuple((str(a), str(b)) for a, b in found["pairs"]),
        by_epsilon=tuple(float(x) for x in found["by_epsilon"]),
        by_sigma=tuple(float(x) for x in found["by_sigma"]),
    )
