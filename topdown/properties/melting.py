"""Melting point of a liquid of single beads, from a crystal that grows or melts beside its own melt.

Below the melting point both faces of the crystal move into the melt, above it back, at the melting point neither way. With φ the
crystalline part of the box and H its edge across the two faces, each face moves at

    v = d(φ H/2)/dt,

and near the melting point v goes through zero (the method of moving faces: Broughton, Gilmer and Jackson, Phys. Rev. Lett. 49,
1496, 1982). A crystal melts faster above it than it grows as far below, so that a parabola is fitted to runs at four temperatures
and more, a line to fewer. The barostat lets the volume follow, and the thermostat takes the heat of melting away. The
error is that of the zero,

    σ² = g(T_m)ᵀ C g(T_m) / v'(T_m)²,

with C the covariance of the coefficients from the scatter of the rates about the curve and g their factors (1, T, T²). It says
nothing of the size of the box or the face chosen, {100}.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from topdown.errors import SamplingError
from topdown.model import BeadTable, CGMolecule, Estimate
from topdown.model.requests import MeltingRequest
from topdown.properties.melting_runs import Coexistence
from topdown.sampling.equilibrate import TIME_STEP
from topdown.units import GAS_CONSTANT

#: Where the search begins, in units of ε/R; an uncut Lennard-Jones crystal melts at 0.69, cut ones below.
FIRST_GUESS: Final = 0.6
#: Distance of the first temperatures from one another, relative.
COARSE_STEP: Final = 0.06
#: Temperatures that are tried after the first before it is given up.
MOST_COARSE: Final = 10
#: Temperatures about the rough melting point, and how far from it the outer ones are, relative.
N_FINE, FINE_WIDTH = 5, 0.03
#: Steps of the crystal alone, and between two looks.
EQUILIBRATION_STEPS: Final = 2_500
LOOK_EVERY: Final = 100
#: Looks that a rate is taken from at least, and those after the two phases met that are not used.
_LEAST_LOOKS, _SETTLING_LOOKS = 3, 2
#: Temperatures from which on a parabola is fitted.
_PARABOLA_FROM: Final = 4
#: Least slope of the rates at the melting point, in its own errors.
_LEAST_SLOPE: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthRate:
    """How fast a crystal grew in one run.

    Attributes
    ----------
    temperature : float
        [K]
    seed : int
    speed : float
        Of each face into the melt [m/s, which is nm/ns]; negative where the crystal melts.
    first, last : float
        Crystalline part of the box at the first and the last look.
    nanoseconds : float
        How long it was watched.
    """

    temperature: float
    seed: int
    speed: float
    first: float
    last: float
    nanoseconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MeltingPoint:
    """Where crystal and melt are in balance.

    Attributes
    ----------
    temperature : Estimate
        [K]
    slope : float
        Change of the speed of a face with temperature at the melting point [m/s/K], negative.
    rates : tuple of GrowthRate
        That the curve was fitted to.
    """

    temperature: Estimate
    slope: float
    rates: tuple[GrowthRate, ...]


def first_temperature(molecule: CGMolecule, table: BeadTable) -> float:
    """Where to look first [K], from the bead's ε."""
    (bead_type,) = molecule.type_names
    return FIRST_GUESS * table.pair(bead_type, bead_type)[1] / GAS_CONSTANT


def melting_request(
    molecule: CGMolecule,
    table: BeadTable,
    *,
    temperature: float,
    pressure: float = 1.0,
    nanoseconds: float = 0.4,
    n_across: int = 5,
    seed: int = 1,
) -> MeltingRequest:
    """The run of one temperature and seed, as ``topdown melting`` makes it."""
    return MeltingRequest(
        molecule=molecule,
        n_across=n_across,
        table=table,
        temperature=temperature,
        pressure=pressure,
        n_equilibration=EQUILIBRATION_STEPS,
        n_steps=round(1000.0 * nanoseconds / TIME_STEP),
        every=LOOK_EVERY,
        seed=seed,
    )


def growth_rate(request: MeltingRequest, seen: Coexistence) -> GrowthRate:
    """Speed of the faces in one run: the slope of φ H/2 by least squares.

    Raises
    ------
    SamplingError
        One phase was gone before three looks could be taken.
    """
    first = min(_SETTLING_LOOKS, max(len(seen.times) - _LEAST_LOOKS, 0))
    times, thickness = seen.times[first:], (0.5 * seen.crystalline * seen.heights)[first:]
    if len(times) < _LEAST_LOOKS:
        raise SamplingError(
            f"one phase was gone after {seen.times[-1]:.0f} ps",
            where=request.system,
            hint="a larger crystal (--cells), or temperatures nearer to the melting point",
        )
    return GrowthRate(
        temperature=request.temperature,
        seed=request.seed,
        speed=1000.0 * float(np.polyfit(times, thickness, 1)[0]),
        first=float(seen.crystalline[0]),
        last=float(seen.crystalline[-1]),
        nanoseconds=float(seen.times[-1]) / 1000.0,
    )


def fit_melting_point(rates: Sequence[GrowthRate], *, where: str = "") -> MeltingPoint:
    """The temperature at which the speed of the faces is zero.

    Parameters
    ----------
    rates : sequence of GrowthRate
        A parabola takes four temperatures, a line two, and either two rates more than coefficients.
    where : str
        For errors.

    Raises
    ------
    SamplingError
        Too few rates, no zero among their temperatures, or speeds that do not clearly fall there.
    """
    t, v = (np.array([getattr(rate, name) for rate in rates]) for name in ("temperature", "speed"))
    degree = 2 if len(set(t)) >= _PARABOLA_FROM else 1
    if len(set(t)) < 2 or len(t) < degree + 3:
        raise SamplingError("a melting point needs four runs at two temperatures or more", where=where)
    middle, half = 0.5 * (t.max() + t.min()), 0.5 * (t.max() - t.min())
    factors = np.vander((t - middle) / half, degree + 1, increasing=True)
    curve = np.polynomial.Polynomial(np.linalg.lstsq(factors, v, rcond=None)[0])
    zeros = [
        float(z.real) for z in curve.roots() if abs(z.imag) < 1e-9 and abs(z.real) <= 1.0 and curve.deriv()(z.real) < 0
    ]
    if not zeros:
        falls, side = curve(-1.0) > curve(1.0), "grows" if v.mean() > 0.0 else "melts"
        raise SamplingError(
            f"the crystal {side} at all temperatures from {t.min():.0f} to {t.max():.0f} K"
            if falls
            else "the crystal does not grow more slowly at higher temperatures",
            where=where,
            hint=f"try {'higher' if side == 'grows' else 'lower'} temperatures"
            if falls
            else "longer runs, or more seeds",
        )
    scatter = float(((v - curve(factors[:, 1])) ** 2).sum()) / (len(t) - degree - 1)
    covariance = scatter * np.linalg.inv(factors.T @ factors)
    at = np.array([zeros[0] ** k for k in range(degree + 1)])
    tangent = np.array([k * zeros[0] ** max(k - 1, 0) for k in range(degree + 1)])
    slope = float(curve.deriv()(zeros[0]))
    if not -slope > _LEAST_SLOPE * math.sqrt(tangent @ covariance @ tangent):
        raise SamplingError(
            "the crystal does not clearly grow more slowly at higher temperatures",
            where=where,
            hint="longer runs, more seeds, or temperatures further apart",
        )
    estimate = Estimate(
        value=middle + half * zeros[0],
        standard_error=half * math.sqrt(at @ covariance @ at) / -slope,
        n_effective=float(len(t)),
        provenance="crystal beside melt, where neither grows",
    )
    return MeltingPoint(temperature=estimate, slope=slope / half, rates=tuple(rates))


def rough_search(first: float, *, lowest: float = 0.0, highest: float = math.inf) -> Generator[float, float, float]:
    """Where a crystal stops growing [K], by a straight line between the two temperatures that first differ in sign.

    Parameters
    ----------
    first : float
        Where to begin [K].
    lowest, highest : float
        Temperatures that are not left [K].

    Yields
    ------
    float
        A temperature [K]; the speed of the faces there is to be sent.

    Raises
    ------
    SamplingError
        No such temperatures were found.
    """
    step = COARSE_STEP * first
    here, speed = first, (yield first)
    up = speed > 0.0
    for _ in range(MOST_COARSE):
        there = here + (step if up else -step)
        if not lowest <= there <= highest:
            break
        there_speed = yield there
        if (there_speed > 0.0) != up:
            return here + (there - here) * speed / (speed - there_speed)
        here, speed = there, there_speed
    raise SamplingError(
        f"the crystal still {'grows' if up else 'melts'} at {here:.0f} K",
        hint="give --temperatures of your own",
    )


def fine_temperatures(middle: float) -> tuple[float, ...]:
    """Temperatures about a rough melting point [K]."""
    return tuple(float(t) for t in middle * (1.0 + np.linspace(-FINE_WIDTH, FINE_WIDTH, N_FINE)))
