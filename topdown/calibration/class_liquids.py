"""Pairs of classes fitted to densities and surface tensions of pure liquids.

Free energies of transfer say nothing about how two solutes interact; their liquids do. Unknown are the factors of
:class:`topdown.calibration.class_table.PairFactors`: of every class and of every pair of sizes, for σ and for ε. Those of classes
are shrunk towards a linear function of their places, and that towards none (:class:`FactorPrior`), so that classes that few
liquids hold, or none, follow those that are like them. One round simulates the liquids with the table as it is, the next step
follows from the derivatives: of the density by ln ε_p and ln σ_p from fluctuations,

    ∂ln⟨ρ⟩/∂ln ε_p = -β Cov(ln ρ, ε_p S_p),     ∂ln⟨ρ⟩/∂ln σ_p = -β Cov(ln ρ, 6 ε_p (S_p + R_p)),

S_p and its repulsive half R_p as in :class:`topdown.model.PairSums`; of the surface tension, whose fluctuations are too noisy in
a short run, by its scaling: γ ∝ ε^a σ^-2 with a = ``TENSION_POWER``, shared among the pairs of types as their energies are.

ε of two beads of one type has an upper limit, at which it does not answer to factors. A liquid of single beads whose ε is so
small that it would evaporate asks for the ε at which it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from topdown.calibration.class_table import PairFactors, largest_like_epsilon
from topdown.mapping.bead_volume import VOLUME_LEVELS, VOLUME_STEP
from topdown.mapping.class_typing import volume_level
from topdown.model import BeadTable, Estimate, WindowSamples
from topdown.model._arrays import FloatArray
from topdown.model.bead import SIZES
from topdown.properties.shapes import SIGMA, size_pair
from topdown.units import GAS_CONSTANT, kt

Quantity = Literal["density", "surface_tension"]

#: Power of ε in γ of a Lennard-Jones liquid at T* = 0.65: 1 + 1.27 (T*/T*_c)/(1 - T*/T*_c), T*_c = 1.08 for the cut and shifted
#: potential, from γ ∝ (1 - T/T_c)^1.27 (Guggenheim 1945).
TENSION_POWER: Final = 2.9
#: What a model of this resolution may miss, relative; beside it errors of measurement and simulation.
MODEL_ERROR: Final[Mapping[Quantity, float]] = {"density": 0.04, "surface_tension": 0.12}
#: Largest change of ln σ and of ln ε of a pair in one round.
LARGEST_STEP: Final = (0.20, 0.80)
#: What a liquid that froze or evaporated asks for: a change of ln ε between its beads, and its standard error.
ALARM_STEP: Final = {"froze": -0.15, "evaporated": 0.15}
_ALARM_ERROR: Final = 0.05
#: RT/ε up to which a liquid of single beads stays together: a van der Waals liquid under no pressure ends at 27/32 of its
#: critical temperature, 1.08 here.
_HOTTEST_LIQUID: Final = 0.9
#: How firmly, in ln ε.
_RANGE_ERROR: Final = 0.03
#: ε of a table is rounded [kJ/mol].
_LIMIT_MARGIN: Final = 1e-3
#: Degrees of freedom of Student's t distribution that residuals are taken from: outliers count less.
_STUDENT: Final = 4.0
#: Solutions with weights of the one before; they settle within a few.
_REWEIGHTINGS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorPrior:
    """Standard deviations of factors before any data, each for ln σ and for ln ε.

    Attributes
    ----------
    places : (float, float)
        Of what the place of a class says about its factor: over all classes that linear function has this mean square.
    classes : (float, float)
        Of a class about that.
    sizes : (float, float)
        Of pairs of sizes.
    volumes : (float, float)
        Of the slopes by the volume of a bead, in ln of the diameter, of each size.
    """

    places: tuple[float, float]
    classes: tuple[float, float]
    sizes: tuple[float, float]
    volumes: tuple[float, float] = (1.0, 2.0)

    def covariance(self, places: FloatArray, n_slopes: int = 0) -> FloatArray:
        """Of ln σ of K classes, of pairs of sizes and of slopes, then ln ε of them all, (2 n_half, 2 n_half).

        Parameters
        ----------
        places : (K, V) float64
            Of the classes; each of the V is taken from its mean, in standard deviations.
        n_slopes : int
            One for each size where types come in several volumes.
        """
        spread = places.std(axis=0)
        away = (places - places.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
        alike = away @ away.T / places.shape[1]
        n_classes, n_sizes = len(places), len(SIGMA)
        n_half = n_classes + n_sizes + n_slopes
        found = np.zeros((2 * n_half, 2 * n_half))
        for half in range(2):
            start = half * n_half
            of_classes = slice(start, start + n_classes)
            found[of_classes, of_classes] = self.places[half] ** 2 * alike
            of_classes_alone = [self.classes[half] ** 2] * n_classes
            of_slopes = [self.volumes[half] ** 2] * n_slopes
            alone = np.diag([*of_classes_alone, *[self.sizes[half] ** 2] * n_sizes, *of_slopes])
            found[start : start + n_half, start : start + n_half] += alone
        return found


#: Chosen by cross-validation over liquids (docs/topdown1.md).
USUAL_PRIOR: Final = FactorPrior(places=(0.03, 0.25), classes=(0.02, 0.10), sizes=(0.03, 0.05))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidValue:
    """One property of one liquid, calculated with one table.

    Attributes
    ----------
    smiles : str
    quantity : {"density", "surface_tension"}
    value, error : float
        [kg/m³] or [mN/m]; NaN after an alarm.
    alarm : str
        ``"froze"``, ``"evaporated"``, or empty.
    pairs : tuple of (str, str)
        Pairs of bead types in it.
    by_epsilon, by_sigma : tuple of float
        Derivative of ln(value) by ln ε and ln σ of each pair; after an alarm the share of each pair in the energy.
    """

    smiles: str
    quantity: Quantity
    value: float
    error: float
    alarm: str
    pairs: tuple[tuple[str, str], ...]
    by_epsilon: tuple[float, ...]
    by_sigma: tuple[float, ...]


def density_value(smiles: str, samples: WindowSamples, estimate: Estimate) -> LiquidValue:
    """The density of a liquid with its derivatives.

    Parameters
    ----------
    smiles : str
    samples : WindowSamples
        Stationary frames at constant pressure.
    estimate : Estimate
        [kg/m³]
    """
    sums = samples.sums
    assert sums.repulsion is not None
    epsilon, beta = np.array(samples.epsilon), 1.0 / kt(samples.temperature)
    log_density = -np.log(sums.volume)
    off = log_density - log_density.mean()
    by_epsilon = -beta * off @ (sums.sums * epsilon) / len(off)
    by_sigma = -beta * off @ (6.0 * (sums.sums + sums.repulsion) * epsilon) / len(off)
    return _value(smiles, "density", samples, estimate, by_epsilon, by_sigma)


def tension_value(smiles: str, samples: WindowSamples, estimate: Estimate) -> LiquidValue:
    """The surface tension of a liquid [mN/m] with its derivatives; see :func:`density_value`."""
    shares = energy_shares(samples)
    return _value(smiles, "surface_tension", samples, estimate, TENSION_POWER * shares, -2.0 * shares)


def _value(
    smiles: str,
    quantity: Quantity,
    samples: WindowSamples,
    estimate: Estimate,
    by_epsilon: FloatArray,
    by_sigma: FloatArray,
) -> LiquidValue:
    """A value without an alarm, its derivatives by ln ε and ln σ (n_pairs,)."""
    return LiquidValue(
        smiles=smiles,
        quantity=quantity,
        value=estimate.value,
        error=estimate.standard_error,
        alarm="",
        pairs=samples.sums.pairs,
        by_epsilon=tuple(float(x) for x in by_epsilon),
        by_sigma=tuple(float(x) for x in by_sigma),
    )


def energy_shares(samples: WindowSamples) -> FloatArray:
    """Part of each pair of types in the energy between molecules and inside, (n_pairs,), adding up to 1."""
    energies = np.abs(samples.sums.sums.mean(axis=0) * np.array(samples.epsilon))
    return np.asarray(energies / energies.sum())


def alarm_value(
    smiles: str, quantity: Quantity, alarm: str, pairs: Sequence[tuple[str, str]], shares: Sequence[float]
) -> LiquidValue:
    """A liquid that was none: it froze or evaporated."""
    return LiquidValue(
        smiles=smiles,
        quantity=quantity,
        value=float("nan"),
        error=float("nan"),
        alarm=alarm,
        pairs=tuple(pairs),
        by_epsilon=tuple(shares),
        by_sigma=(0.0,) * len(pairs),
    )


class FactorSpace:
    """The unknowns as one vector: ln σ of K classes, of pairs of sizes, and where types come in several volumes slopes of every
    size, then ln ε of them all.

    Parameters
    ----------
    names : sequence of str
        Of the classes.
    table : BeadTable
        Whose types are those classes in three sizes, and in one or several volumes.
    places : (K, V) float64
        Of the classes.
    prior : FactorPrior

    Attributes
    ----------
    n_half : int
        Unknowns for σ, and for ε.
    covariance : (2 n_half, 2 n_half) float64
        Before any data.
    """

    def __init__(
        self, names: Sequence[str], table: BeadTable, places: FloatArray, prior: FactorPrior = USUAL_PRIOR
    ) -> None:
        self._class = {name: k for k, name in enumerate(names)}
        self._table = table
        self._sizes = tuple(SIGMA)
        self._slopes = tuple(SIZES) if any(map(volume_level, table.bead_types)) else ()
        self.n_half = len(names) + len(self._sizes) + len(self._slopes)
        self.covariance = prior.covariance(places, len(self._slopes))

    @property
    def labels(self) -> tuple[str, ...]:
        """What each unknown of one half belongs to: classes, pairs of sizes, volumes of sizes."""
        return (*self._class, *self._sizes, *(f"volume {size}" for size in self._slopes))

    @property
    def widths(self) -> FloatArray:
        """Prior standard deviations (2 n_half,)."""
        return np.sqrt(np.diag(self.covariance))

    def knows(self, pair: tuple[str, str]) -> bool:
        """Whether both types are of classes."""
        return all(self._table.bead_type(name).chemical_class in self._class for name in pair)

    def row(self, pairs: Sequence[tuple[str, str]], slopes: Sequence[float]) -> FloatArray:
        """Σ_p slope_p ∂(ln of p)/∂x of one half of the vector, (n_half,); pairs with other beads do not move."""
        found = np.zeros(self.n_half)
        for pair, slope in zip(pairs, slopes, strict=True):
            if not self.knows(pair):
                continue
            a, b = (self._table.bead_type(name) for name in pair)
            for one in (a, b):
                found[self._class[one.chemical_class]] += 0.5 * slope
                if level := volume_level(one):
                    of_size = len(self._class) + len(self._sizes) + self._slopes.index(one.size)
                    found[of_size] += 0.5 * slope * VOLUME_STEP * level
            found[len(self._class) + self._sizes.index(size_pair(a.size, b.size))] += slope
        return found

    def factors(self, x: FloatArray) -> PairFactors:
        """What the vector says."""
        sigma, sigma_sizes, sigma_volumes = self.parts(x[: self.n_half])
        epsilon, epsilon_sizes, epsilon_volumes = self.parts(x[self.n_half :])
        return PairFactors(
            sigma=sigma,
            epsilon=epsilon,
            sigma_sizes=dict(zip(self._sizes, map(float, sigma_sizes))),
            epsilon_sizes=dict(zip(self._sizes, map(float, epsilon_sizes))),
            sigma_volumes=dict(zip(self._slopes, map(float, sigma_volumes))),
            epsilon_volumes=dict(zip(self._slopes, map(float, epsilon_volumes))),
        )

    def parts(self, half: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What one half of a vector says of classes, of pairs of sizes, and of the volumes of sizes."""
        classes, sizes, slopes = np.split(half, [len(self._class), len(self._class) + len(self._sizes)])
        return classes, sizes, slopes


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidStep:
    """Where one round leads.

    Attributes
    ----------
    x : (2 n_half,) float64
    errors : (2 n_half,) float64
        Posterior standard deviations.
    cost : float
        Of the round itself: robust squares and prior.
    """

    x: FloatArray
    errors: FloatArray
    cost: float


def next_factors(
    space: FactorSpace,
    x: FloatArray,
    values: Sequence[LiquidValue],
    measured: Mapping[tuple[str, Quantity], tuple[float, float]],
    table: BeadTable,
    temperature: float,
    model_error: Mapping[Quantity, float] = MODEL_ERROR,
) -> LiquidStep:
    """The factors that suit all liquids best, as far as derivatives at ``x``, where ``values`` were calculated, can tell.

    Parameters
    ----------
    space : FactorSpace
    x : (2 n_half,) float64
    values : sequence of LiquidValue
    measured : mapping of (smiles, quantity) to (value, uncertainty)
    table : BeadTable
        At ``x``.
    temperature : float
        [K]
    model_error : mapping of quantity to float
        Relative.
    """
    rows = linear_rows(space, values, measured, table, temperature, model_error)
    inverse = np.linalg.inv(space.covariance)
    weights = np.where(rows.robust, (_STUDENT + 1.0) / (_STUDENT + (rows.off / rows.errors) ** 2), 1.0)
    step = np.zeros_like(x)
    for _ in range(_REWEIGHTINGS):
        scaled = rows.jacobian * (weights / rows.errors**2)[:, None]
        normal = scaled.T @ rows.jacobian + inverse
        step = np.asarray(np.linalg.solve(normal, -scaled.T @ rows.off - inverse @ x), dtype=np.float64)
        z = (rows.off + rows.jacobian @ step) / rows.errors
        weights = np.where(rows.robust, (_STUDENT + 1.0) / (_STUDENT + z**2), 1.0)
    step *= min(1.0, *(limit / max(reach, 1e-12) for limit, reach in zip(LARGEST_STEP, _reach(space, step))))
    z = rows.off / rows.errors
    robust = (_STUDENT + 1.0) * np.log1p(z**2 / _STUDENT)
    return LiquidStep(
        x=x + step,
        errors=np.sqrt(np.diag(np.linalg.inv(normal))),
        cost=float(robust.sum() + x @ inverse @ x),
    )


@dataclass(frozen=True, slots=True)
class LinearRows:
    """What is off by how much, and how it answers to the unknowns.

    Attributes
    ----------
    jacobian : (n, 2 n_half) float64
    off : (n,) float64
        Natural logarithm of calculated by wanted.
    errors : (n,) float64
        Of that.
    robust : (n,) bool
        Whether it may be an outlier.
    """

    jacobian: FloatArray
    off: FloatArray
    errors: FloatArray
    robust: npt.NDArray[np.bool_]


def linear_rows(
    space: FactorSpace,
    values: Sequence[LiquidValue],
    measured: Mapping[tuple[str, Quantity], tuple[float, float]],
    table: BeadTable,
    temperature: float,
    model_error: Mapping[Quantity, float],
) -> LinearRows:
    """One row for every liquid of single beads that is too weak, then one for every value; arguments of :func:`next_factors`."""
    rows, off, errors, robust = [], [], [], []
    at_limit = largest_like_epsilon(temperature) - _LIMIT_MARGIN
    for pair, short in _too_weak(space, values, table, temperature).items():
        rows.append(np.concatenate([np.zeros(space.n_half), space.row([pair], [1.0])]))
        off.append(-short)
        errors.append(_RANGE_ERROR)
        robust.append(False)
    for value in values:
        by_epsilon = [
            0.0 if a == b and table.pair(a, b)[1] >= at_limit else slope
            for (a, b), slope in zip(value.pairs, value.by_epsilon, strict=True)
        ]
        rows.append(np.concatenate([space.row(value.pairs, value.by_sigma), space.row(value.pairs, by_epsilon)]))
        robust.append(not value.alarm)
        if value.alarm:
            off.append(-ALARM_STEP[value.alarm])
            errors.append(_ALARM_ERROR)
            continue
        wanted, uncertainty = measured[value.smiles, value.quantity]
        off.append(float(np.log(max(value.value, 1e-3 * wanted) / wanted)))
        relative = (model_error[value.quantity], uncertainty / wanted, value.error / wanted)
        errors.append(float(np.linalg.norm(relative)))
    return LinearRows(np.array(rows), np.array(off), np.array(errors), np.array(robust))


def _too_weak(
    space: FactorSpace, values: Sequence[LiquidValue], table: BeadTable, temperature: float
) -> dict[tuple[str, str], float]:
    """By how much ln ε of liquids of single beads falls short of what keeps them together."""
    least = GAS_CONSTANT * temperature / _HOTTEST_LIQUID
    alone = {value.pairs[0] for value in values if len(value.pairs) == 1 and value.quantity == "density"}
    short = {pair: float(np.log(least / table.pair(*pair)[1])) for pair in sorted(alone) if space.knows(pair)}
    return {pair: missing for pair, missing in short.items() if missing > 0.0}


def _reach(space: FactorSpace, step: FloatArray) -> tuple[float, float]:
    """Largest change of ln σ and of ln ε of any pair."""

    furthest = VOLUME_STEP * max(map(abs, VOLUME_LEVELS))

    def most(half: FloatArray) -> float:
        classes, sizes, slopes = space.parts(half)
        return float(sum(np.abs(part).max(initial=0.0) for part in (classes, sizes, slopes * furthest)))

    return most(step[: space.n_half]), most(step[space.n_half :])
