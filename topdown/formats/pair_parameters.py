"""Lennard-Jones parameters as GROMACS topologies give them, turned into σ and ε.

Combination rule 1 reads C6 and C12 [kJ/mol nm⁶, kJ/mol nm¹²], rules 2 and 3 read σ [nm] and ε [kJ/mol]; the rule itself only
matters for pairs without an entry of their own (GROMACS reference manual, "Non-bonded parameters").
"""

from __future__ import annotations

import math

from topdown.errors import TopologyError

Parameters = tuple[float, float]


def sigma_epsilon(c6: float, c12: float) -> Parameters:
    """σ = (C12/C6)^(1/6), ε = C6²/(4 C12); both 0 when C6 and C12 are.

    Examples
    --------
    >>> sigma, epsilon = sigma_epsilon(0.21558, 0.0023238)  # published Martini 2 P4-P4
    >>> round(sigma, 4), round(epsilon, 3)
    (0.47, 5.0)
    """
    if c6 == 0 and c12 == 0:
        return 0.0, 0.0
    return (c12 / c6) ** (1.0 / 6.0), c6 * c6 / (4.0 * c12)


def converted(rule: int, values: Parameters, *, pair: str, where: str) -> Parameters:
    """(σ [nm], ε [kJ/mol]) of a pair whose two numbers are ``values`` under combination rule ``rule``.

    Raises
    ------
    TopologyError
        Parameters that are not a Lennard-Jones potential with a minimum: negative, or only one of C6 and C12 zero.
    """
    if min(values) < 0:
        raise TopologyError(f"negative Lennard-Jones parameters for {pair}", where=where)
    if rule != 1:
        return values
    if (values[0] == 0) != (values[1] == 0):
        raise TopologyError(
            f"only one of C6 and C12 is zero for {pair}", where=where, hint="such a pair has no sigma and epsilon"
        )
    return sigma_epsilon(*values)


def combined(rule: int, a: Parameters, b: Parameters) -> Parameters:
    """Parameters of an unlisted pair: geometric means (rules 1 and 3), or mean σ and geometric ε (rule 2)."""
    second = math.sqrt(abs(a[1] * b[1]))
    return (0.5 * (a[0] + b[0]) if rule == 2 else math.sqrt(abs(a[0] * b[0]))), second
