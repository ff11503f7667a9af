"""Whether the area of a membrane has come to rest: what decides when a relaxation may end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from topdown.estimators.time_series import detect_equilibration, statistical_inefficiency
from topdown.model._arrays import FloatArray

#: Part of the run that must follow equilibration: the end of a long drift looks like rest when it is looked at alone.
SHORTEST_PART: Final = 0.5
#: Independent values that a steady stretch must hold, and the error of its mean as a part of it at most.
FEWEST_INDEPENDENT: Final = 20.0
LARGEST_ERROR: Final = 0.01
#: Difference of the two halves of the stretch in standard errors, and as a part of the mean, at most.
LARGEST_DRIFT: Final = 2.0
LARGEST_CHANGE: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """Judgement on a series of areas.

    Attributes
    ----------
    steady : bool
    drift : float
        Second half less first half of what follows equilibration, as a part of the mean.
    drift_error : float
        Standard error of ``drift``.
    n_effective : float
        Independent values in that stretch.
    """

    steady: bool
    drift: float
    drift_error: float
    n_effective: float

    def as_json(self) -> dict[str, float | bool | None]:
        """Plain values; ``null`` where too few areas tell nothing."""
        known = math.isfinite(self.drift_error)
        return {
            "steady": self.steady,
            "drift": self.drift if known else None,
            "drift_error": self.drift_error if known else None,
            "n_effective": self.n_effective,
        }


def steadiness(areas: FloatArray) -> Steadiness:
    """Judge a series of areas at equal intervals.

    The start that still equilibrates is left out. The rest is steady when it is half of the series or more, holds twenty
    independent values, has a mean with an error of at most 1 %, and two halves that differ by no more than two standard errors
    and 2 %.

    Parameters
    ----------
    areas : (n,) float64

    Returns
    -------
    Steadiness
        Not steady, with infinite errors, for fewer than 20 values.
    """
    areas = np.asarray(areas, dtype=np.float64)
    if len(areas) < 20:
        return Steadiness(steady=False, drift=0.0, drift_error=math.inf, n_effective=0.0)
    kept = areas[detect_equilibration(areas).start :]
    mean, spread = float(kept.mean()), float(np.std(kept, ddof=1))
    first, second = np.array_split(kept, 2)
    # Halves whose means differ look correlated as a whole: each is asked for its own inefficiency.
    inefficiency = max(statistical_inefficiency(first), statistical_inefficiency(second))
    drift = float(second.mean() - first.mean()) / mean
    errors = [float(np.std(half, ddof=1)) * math.sqrt(inefficiency / len(half)) for half in (first, second)]
    drift_error = math.hypot(*errors) / mean
    n_effective = len(kept) / inefficiency
    return Steadiness(
        steady=(
            len(kept) >= SHORTEST_PART * len(areas)
            and n_effective >= FEWEST_INDEPENDENT
            and spread / math.sqrt(n_effective) <= LARGEST_ERROR * mean
            and abs(drift) <= min(LARGEST_DRIFT * drift_error, LARGEST_CHANGE)
        ),
        drift=drift,
        drift_error=drift_error,
        n_effective=n_effective,
    )
