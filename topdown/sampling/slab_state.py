"""Is a slab still one slab of liquid? Its density profile, and alarms for one that froze, evaporated or broke.

Heights are measured from the slab's centre of mass. In a periodic box that is first the direction of the mean of
exp(2πi z/L_z) over the beads, then the mean height about it.

Of a good slab the bead density is above half its inside value in one layer, the crystalline part is a liquid's, and no sphere
as large as a cavity fits into its middle. Limits as in :mod:`topdown.sampling.liquid_state`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from topdown.engine import Simulation
from topdown.model import System
from topdown.model._arrays import FloatArray
from topdown.sampling.liquid_state import (
    CLEAN_CAVITY,
    CLEAN_FRACTION,
    CRYSTALLINE_ORDER,
    EVAPORATION_DROP,
    FROZEN_FRACTION,
    GRID_SPACING,
    LARGEST_CAVITY,
    Alarm,
    local_order,
)

#: Width of the bins of a stored profile, and of the coarser ones a check looks at [nm]; fitted to the box.
PROFILE_BIN: Final = 0.1
_CHECK_BIN: Final = 0.4
#: A surface is about this deep [nm]: pores are sought further inside.
_SURFACE_DEPTH: Final = 0.8


def centred_heights(z: FloatArray, weights: FloatArray, height: float) -> FloatArray:
    """Heights from the centre of mass of a slab, (n,) in [-L_z/2, L_z/2) [nm].

    Parameters
    ----------
    z : (n,) float64 [nm]
    weights : (n,) float64
        Masses.
    height : float
        L_z [nm].
    """
    angle = 2.0 * math.pi * z / height
    middle = math.atan2(float(weights @ np.sin(angle)), float(weights @ np.cos(angle))) * height / (2.0 * math.pi)
    for _ in range(2):
        apart: FloatArray = z - middle
        apart -= height * np.floor(apart / height + 0.5)
        middle += float(weights @ apart) / float(weights.sum())
    apart = z - middle
    return np.asarray(apart - height * np.floor(apart / height + 0.5))


def profile_bins(height: float, spacing: float = PROFILE_BIN) -> FloatArray:
    """Edges of equal bins of about ``spacing`` from -L_z/2 to L_z/2 [nm], an even number of them."""
    return np.linspace(-0.5 * height, 0.5 * height, 2 * round(0.5 * height / spacing) + 1)


class ProfileRecorder:
    """Adds up the density profile of each component over frames.

    Parameters
    ----------
    system : System
        Its beads carry the share of their molecule's real molar mass that they have of its mass.
    """

    def __init__(self, system: System) -> None:
        beads = [bead for molecule, _ in system.molecules() for bead in molecule.beads]
        self._masses = np.array([bead.mass for bead in beads])
        shares, owner = [], []
        for number, (molecule, count) in enumerate(system.components):
            one = np.array([bead.mass for bead in molecule.beads]) * (molecule.molar_mass or molecule.mass)
            shares.append(np.tile(one / molecule.mass, count))
            owner.append(np.full(molecule.n_beads * count, number))
        self._shares, self._owner = np.concatenate(shares), np.concatenate(owner)
        self._height = float(system.box[2])
        self.edges = profile_bins(self._height)
        self._n_components = len(system.components)
        self.reset()

    def reset(self) -> None:
        """Start a new sum."""
        self._sum: FloatArray = np.zeros((self._n_components, len(self.edges) - 1))
        self.n_frames = 0

    def look(self, simulation: Simulation) -> None:
        """Add the present frame."""
        z = centred_heights(simulation.positions[:, 2], self._masses, self._height)
        n_bins = len(self.edges) - 1
        place = np.clip(((z / self._height + 0.5) * n_bins).astype(np.int64), 0, n_bins - 1)
        flat = np.bincount(self._owner * n_bins + place, self._shares, minlength=self._sum.size)
        self._sum += flat.reshape(self._sum.shape)
        self.n_frames += 1

    def mean(self, area: float) -> FloatArray:
        """Mean mass density of each component in each bin, (n_components, n_bins) float64 [u/nm³], by real molar masses."""
        width = float(self.edges[1] - self.edges[0])
        return np.asarray(self._sum / (max(self.n_frames, 1) * area * width))


@dataclass(frozen=True, slots=True, kw_only=True)
class SlabState:
    """What a check of one frame of a slab found.

    Attributes
    ----------
    time : float
        [ps]
    crystalline_fraction : float
        Part of the beads with q̄_6 above ``CRYSTALLINE_ORDER``.
    density : float
        Beads per nm³ inside the slab.
    n_layers : int
        Layers of liquid along z; 1 in a good slab.
    pore_radius : float
        Largest sphere without a bead's centre in the middle of the slab [nm].
    """

    time: float
    crystalline_fraction: float
    density: float
    n_layers: int
    pore_radius: float


def slab_state(positions: FloatArray, box: FloatArray, *, time: float = 0.0) -> SlabState:
    """Check one frame.

    Parameters
    ----------
    positions : (n, 3) float64 [nm]
        More than twelve beads.
    box : (3,) float64 [nm]
    """
    heights = centred_heights(positions[:, 2], np.ones(len(positions)), float(box[2]))
    edges = profile_bins(float(box[2]), _CHECK_BIN)
    bead_density = np.histogram(heights, edges)[0] / (float(box[0] * box[1]) * float(edges[1] - edges[0]))
    dense = bead_density > 0.5 * np.sort(bead_density)[-4:].mean()
    thickness = float(dense.sum()) * float(edges[1] - edges[0])
    starts = dense & ~np.roll(dense, 1)
    return SlabState(
        time=time,
        crystalline_fraction=float((local_order(positions, box) > CRYSTALLINE_ORDER).mean()),
        density=float(np.median(bead_density[dense])),
        n_layers=int(starts.sum()),
        pore_radius=_pore_radius(np.column_stack([positions[:, :2], heights]), box, 0.5 * thickness - _SURFACE_DEPTH),
    )


def _pore_radius(positions: FloatArray, box: FloatArray, depth: float) -> float:
    """Largest empty sphere whose centre lies within ``depth`` of the middle plane, on a grid; heights from the centre."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.mod(positions, box) % box, boxsize=box)
    across = [(np.arange(n) + 0.5) * edge / n for n, edge in zip(np.ceil(box[:2] / GRID_SPACING).astype(int), box)]
    levels = np.linspace(-depth, depth, max(round(2.0 * depth / GRID_SPACING), 1) + 1) if depth > 0.0 else np.zeros(1)
    points = np.stack(np.meshgrid(*across, np.mod(levels, box[2]), indexing="ij"), axis=-1).reshape(-1, 3)
    return float(tree.query(points)[0].max())


def slab_alarm(states: Sequence[SlabState]) -> Alarm | None:
    """The first sign in a run that the slab is none any more.

    Parameters
    ----------
    states : sequence of SlabState
        Checks of one run in order, the first of them of the equilibrated slab.
    """
    for number, state in enumerate(states):
        at = f"at {state.time / 1000:.3g} ns"
        drop = state.density / states[0].density
        if state.crystalline_fraction > FROZEN_FRACTION:
            percent = 100 * state.crystalline_fraction
            good = [k for k in range(number) if states[k].crystalline_fraction <= CLEAN_FRACTION]
            found = Alarm(
                kind="froze",
                time=state.time,
                last_good=good[-1] if good else -1,
                message=f"{percent:.0f} % of the beads sit in a crystal {at}",
            )
        elif drop < 1.0 - EVAPORATION_DROP:
            found = Alarm(
                kind="evaporated",
                time=state.time,
                last_good=_last_whole(states, number),
                message=f"the density inside is {100 * (1 - drop):.0f} % below that of the start {at}",
            )
        elif state.n_layers != 1:
            found = Alarm(
                kind="broke",
                time=state.time,
                last_good=_last_whole(states, number),
                message=f"the slab has come apart into {state.n_layers} layers {at}",
            )
        elif state.pore_radius > LARGEST_CAVITY:
            found = Alarm(
                kind="broke",
                time=state.time,
                last_good=_last_whole(states, number),
                message=f"a pore of radius {state.pore_radius:.2f} nm has opened {at}",
            )
        else:
            continue
        return found
    return None


def _last_whole(states: Sequence[SlabState], number: int) -> int:
    """The last check before ``number`` of a slab in one piece beyond doubt; -1 when there is none."""
    good = [
        k
        for k in range(number)
        if states[k].n_layers == 1
        and states[k].pore_radius <= CLEAN_CAVITY
        and states[k].density > (1.0 - 0.5 * EVAPORATION_DROP) * states[0].density
    ]
    return good[-1] if good else -1


class SlabWatch:
    """Checks a running slab and remembers; its present frame is the first that is checked."""

    def __init__(self, simulation: Simulation) -> None:
        self.states: list[SlabState] = []
        self.look(simulation)

    def look(self, simulation: Simulation) -> Alarm | None:
        """Check the present frame; the first alarm of the run so far, or None."""
        self.states.append(slab_state(simulation.positions, simulation.box, time=simulation.time))
        return slab_alarm(self.states)
