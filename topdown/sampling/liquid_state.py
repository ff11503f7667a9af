"""Is it still a liquid? Alarms for a box that freezes or tears open during a run.

Martini water at 298 K is a metastable liquid, and any liquid of strongly attracting beads may crystallise; frames of a
crystal or of a box with a bubble are not samples of the liquid and must not be averaged. Two things are watched, and the
density with both:

*Local order* is the averaged bond-order parameter of Lechner and Dellago (J. Chem. Phys. 129, 114707, 2008,
doi:10.1063/1.2977970): with q_6m(i) the mean of the spherical harmonics Y_6m over the directions from bead i to its
neighbours, and q̄_6m(i) the mean of q_6m over i and its neighbours,

    q̄_6(i) = [4π/13 Σ_m |q̄_6m(i)|²]^½.

Neighbours are the twelve nearest beads, whatever their distance, so that one number serves liquids of every bead size. A bead is
called crystalline above ``CRYSTALLINE_ORDER``.

*A cavity* is the largest sphere, centred on a point of a grid, that holds no bead's centre.

The limits are measured: ``docs/validation.md`` lists both sides of each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from topdown.engine import Simulation
from topdown.model._arrays import FloatArray, IntArray

#: Neighbours of a bead in a close-packed crystal.
N_NEIGHBORS: Final = 12
#: Largest spacing of the grid on which cavities are sought [nm].
GRID_SPACING: Final = 0.35
#: A bead above this q̄_6 sits in a crystal: liquids reach it with 1 bead in 5,000, no bead of a thermal fcc crystal is below it.
CRYSTALLINE_ORDER: Final = 0.35
#: Part of crystalline beads that raises the alarm, and up to which a frame is a liquid's beyond doubt.
FROZEN_FRACTION: Final = 0.15
CLEAN_FRACTION: Final = 0.03
#: Radius of a cavity that raises the alarm, and up to which a frame is a liquid's beyond doubt [nm].
LARGEST_CAVITY: Final = 0.85
CLEAN_CAVITY: Final = 0.6
#: Relative changes of density that raise the alarm: W gains 12 % on freezing and fluctuates by 1 % in a box of 400.
FREEZING_JUMP: Final = 0.08
EVAPORATION_DROP: Final = 0.25
#: For errors.
ALARM_HINT: Final = (
    "raise the temperature, or lower the ε between beads that attract each other more than a liquid bears"
)
#: Checks whose densities are averaged before they are compared.
_AVERAGED: Final = 3


def _harmonics(x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """Real spherical harmonics of degree 6 of unit vectors, times √(4π/13), as (13, *x.shape).

    With this factor the sum of their squares is 1 for one direction. The polynomials are the associated Legendre functions
    P_6^m(z)/(1 - z²)^{m/2} with Schmidt's normalisation √(2 (6-m)!/(6+m)!), times the real and imaginary parts of (x + iy)^m.
    """
    z2 = z * z
    legendre = (
        z * ((33.0 * z2 - 30.0) * z2 + 5.0) * (21.0 / 8.0),
        ((33.0 * z2 - 18.0) * z2 + 1.0) * (105.0 / 8.0),
        z * (11.0 * z2 - 3.0) * (315.0 / 2.0),
        (11.0 * z2 - 1.0) * (945.0 / 2.0),
        z * 10395.0,
        np.full_like(z, 10395.0),
    )
    result = np.empty((13, *z.shape))
    result[0] = (((231.0 * z2 - 315.0) * z2 + 105.0) * z2 - 5.0) / 16.0
    real, imaginary = x, y
    for m, polynomial in enumerate(legendre, start=1):
        scaled = math.sqrt(2.0 * math.factorial(6 - m) / math.factorial(6 + m)) * polynomial
        result[2 * m - 1] = scaled * real
        result[2 * m] = scaled * imaginary
        real, imaginary = x * real - y * imaginary, x * imaginary + y * real
    return result


def local_order(positions: FloatArray, box: FloatArray) -> FloatArray:
    """Averaged q̄_6 of every bead.

    Parameters
    ----------
    positions : (n, 3) float64 [nm]
        More than twelve beads, anywhere: they are wrapped here.
    box : (3,) float64 [nm]

    Returns
    -------
    (n,) float64
        0 without order, at most 1.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(np.mod(positions, box) % box, boxsize=box)
    _, near = tree.query(tree.data, k=N_NEIGHBORS + 1)
    around = near[:, 1:].T
    x, y, z = (_nearest(tree.data[:, d], around, float(box[d])) for d in range(3))
    scale = 1.0 / np.sqrt(x * x + y * y + z * z)
    own = _harmonics(x * scale, y * scale, z * scale).mean(axis=1)
    averaged = own.copy()
    for neighbor in around:
        averaged += own[:, neighbor]
    order: FloatArray = np.sqrt((averaged**2).sum(axis=0)) / (N_NEIGHBORS + 1)
    return order


def _nearest(coordinate: FloatArray, around: IntArray, edge: float) -> FloatArray:
    """One component of the vectors to the neighbours, (12, n), to their nearest images."""
    apart: FloatArray = coordinate[around] - coordinate
    apart -= edge * np.rint(apart / edge)
    return apart


def cavity_radius(positions: FloatArray, box: FloatArray) -> float:
    """Radius [nm] of the largest sphere without a bead's centre, to about half the spacing of the grid it is sought on.

    Parameters
    ----------
    positions : (n, 3) float64 [nm]
    box : (3,) float64 [nm]
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(np.mod(positions, box) % box, boxsize=box)
    counts = np.ceil(box / GRID_SPACING).astype(int)
    axes = [(np.arange(n) + 0.5) * edge / n for n, edge in zip(counts, box)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return float(tree.query(points)[0].max())


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidState:
    """What a check of one frame found.

    Attributes
    ----------
    time : float
        [ps]
    crystalline_fraction : float
        Part of the beads with q̄_6 above ``CRYSTALLINE_ORDER``.
    cavity_radius : float
        [nm]
    density : float
        Beads per nm³.
    """

    time: float
    crystalline_fraction: float
    cavity_radius: float
    density: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A liquid that is none any more.

    Attributes
    ----------
    kind : {"froze", "evaporated", "broke"}
        The last of slabs only.
    time : float
        Of the check that raised it [ps].
    last_good : int
        Index of the last state that was beyond doubt; frames after it are not of the liquid. -1 when there is none.
    message : str
        What was seen, for the user.
    """

    kind: Literal["froze", "evaporated", "broke"]
    time: float
    last_good: int
    message: str


def crystalline_fraction(positions: FloatArray, box: FloatArray) -> float:
    """Part of the beads that sit in a crystal; a box of twelve beads or fewer has none."""
    if len(positions) <= N_NEIGHBORS:
        return 0.0
    return float((local_order(positions, box) > CRYSTALLINE_ORDER).mean())


def liquid_state(positions: FloatArray, box: FloatArray, *, time: float = 0.0) -> LiquidState:
    """Check one frame."""
    return LiquidState(
        time=time,
        crystalline_fraction=crystalline_fraction(positions, box),
        cavity_radius=cavity_radius(positions, box),
        density=len(positions) / float(np.prod(box)),
    )


def freezing_alarm(states: Sequence[LiquidState]) -> Alarm | None:
    """The first sign of a crystal in a run: too many crystalline beads, or a density that has jumped up.

    Parameters
    ----------
    states : sequence of LiquidState
        Checks of one run in order, the first of them of the equilibrated liquid.

    Returns
    -------
    Alarm or None
    """
    for number, state in enumerate(states):
        fraction = state.crystalline_fraction
        if fraction > FROZEN_FRACTION:
            good = [k for k in range(number) if states[k].crystalline_fraction <= CLEAN_FRACTION]
            return Alarm(
                kind="froze",
                time=state.time,
                last_good=good[-1] if good else -1,
                message=f"{100 * fraction:.0f} % of the beads sit in a crystal at {state.time / 1000:.3g} ns",
            )
        jump = _density_jump(states, number)
        if jump > 1.0 + FREEZING_JUMP:
            return Alarm(
                kind="froze",
                time=state.time,
                last_good=_last_before_jump(states, number),
                message=f"the density is {100 * (jump - 1):.0f} % above that of the start at {state.time / 1000:.3g} ns",
            )
    return None


def evaporation_alarm(states: Sequence[LiquidState]) -> Alarm | None:
    """The first sign of vapour in a run: a cavity no liquid has, or a density that has dropped; see :func:`freezing_alarm`."""
    for number, state in enumerate(states):
        jump = _density_jump(states, number)
        if state.cavity_radius > LARGEST_CAVITY:
            message = f"a cavity of radius {state.cavity_radius:.2f} nm has opened at {state.time / 1000:.3g} ns"
        elif jump < 1.0 - EVAPORATION_DROP:
            message = f"the density is {100 * (1 - jump):.0f} % below that of the start at {state.time / 1000:.3g} ns"
        else:
            continue
        good = [k for k in range(number) if states[k].cavity_radius <= CLEAN_CAVITY]
        last = min(good[-1] if good else -1, _last_before_jump(states, number))
        return Alarm(kind="evaporated", time=state.time, last_good=last, message=message)
    return None


def _density_jump(states: Sequence[LiquidState], number: int) -> float:
    """Mean density of the checks up to ``number``, the latest few, over that of the first few; 1 while these overlap."""
    if number < 2 * _AVERAGED - 1:
        return 1.0
    density = [state.density for state in states]
    return float(np.mean(density[number - _AVERAGED + 1 : number + 1]) / np.mean(density[:_AVERAGED]))


def _last_before_jump(states: Sequence[LiquidState], number: int) -> int:
    """The last check before ``number`` whose density is within half the smaller jump of that of the start."""
    start = float(np.mean([state.density for state in states[:_AVERAGED]]))
    near = [k for k in range(number) if abs(states[k].density / start - 1.0) < 0.5 * FREEZING_JUMP]
    return near[-1] if near else -1


class LiquidWatch:
    """Checks a running simulation and remembers.

    Parameters
    ----------
    simulation : Simulation
        Its present frame is the first that is checked.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.states: list[LiquidState] = []
        self.look(simulation)

    def look(self, simulation: Simulation) -> Alarm | None:
        """Check the present frame; the first alarm of the run so far, or None."""
        self.states.append(liquid_state(simulation.positions, simulation.box, time=simulation.time))
        return freezing_alarm(self.states) or evaporation_alarm(self.states)
