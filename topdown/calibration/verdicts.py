"""Is a parameter determined, and if not, would more data or longer simulations help?

determined    the posterior is at most half as wide as the prior;
MD-limited    it is not, but would be with endless simulations; or the campaign ended (rounds, budget) while the fit still
              wanted to move the parameter by more than its posterior standard deviation;
data-limited  neither: the targets do not see it, whatever is simulated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topdown.calibration.result import Verdict

FloatArray = npt.NDArray[np.float64]

#: Posterior in prior width at which a parameter counts as determined.
DETERMINED = 0.5


def verdicts(prior: FloatArray, posterior: FloatArray, endless: FloatArray, wanted: FloatArray) -> list[Verdict]:
    """The verdict of each parameter.

    Parameters
    ----------
    prior, posterior, endless : (P,) float64
        Standard deviations: of the prior, of the posterior, and of the posterior without statistical errors.
    wanted : (P,) float64
        How far the fit still wants to move each.
    """
    found: list[Verdict] = []
    for before, after, best, step in zip(prior, posterior, endless, wanted):
        if abs(step) > after and best <= DETERMINED * before:
            found.append("MD-limited")
        elif after <= DETERMINED * before:
            found.append("determined")
        else:
            found.append("MD-limited" if best <= DETERMINED * before else "data-limited")
    return found
