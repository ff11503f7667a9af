"""What a sampled window leaves behind: a few numbers per frame from which every energy at any epsilon follows.

The Lennard-Jones energy is linear in the parameters. With σ and the soft-core radius of the run held,

    U(ε; λ_k) = Σ_p ε_p S_p + Σ_q ε_q T_{k,q} + λ^c_k C + U_rest,

p over pairs of bead types among the fully coupled beads (solvent, and the solute with itself), q over (solute type,
solvent type) pairs along the soft-core path, C the Coulomb energy between solute and solvent. See ``docs/theory.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from topdown.errors import SettingsError
from topdown.model._arrays import FloatArray, frozen_array

#: Axes of every array of :class:`PairSums`: frames, type pairs P and Q, λ, scalings.
_AXES: dict[str, tuple[str | int, ...]] = {
    "sums": ("frames", "P"),
    "repulsion": ("frames", "P"),
    "solute_sums": ("frames", "lambda", "Q"),
    "solute_repulsion": ("frames", "lambda", "Q"),
    "solute_slopes": ("frames", "Q"),
    "solute_coulomb": ("frames",),
    "rest_energy": ("frames",),
    "volume": ("frames",),
    "lambdas": ("lambda",),
    "charge_lambdas": ("lambda",),
    "virials": ("frames", "P", 3),
    "virial_repulsion": ("frames", "P", 3),
    "solute_virials": ("frames", "Q", 3),
    "rest_virial": ("frames", 3),
    "kinetic": ("frames", 3),
    "scalings": ("scalings", 3),
    "scaled_sums": ("frames", "scalings", "P"),
    "scaled_solute_sums": ("frames", "scalings", "Q"),
    "scaled_solute_coulomb": ("frames", "scalings"),
    "scaled_rest_energy": ("frames", "scalings"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class PairSums:
    """Per-type-pair sums of n_frames stored frames, in units where U = Σ ε S.

    Attributes
    ----------
    pairs : tuple of (str, str)
        Type pairs p of the coupled beads, each sorted alphabetically.
    sums : (n_frames, n_pairs) float64
        S_p = 4 Σ [(σ/r)^12 - (σ/r)^6 - shift] over pairs inside the cut-off (dimensionless: energy per ε).
    repulsion : (n_frames, n_pairs) float64 or None
        The first half of S_p, 4 Σ [(σ/r)^12 - (σ/r_c)^12]; the dispersion is this minus ``sums``.
    solute_pairs : tuple of (str, str)
        Sorted type pairs q between solute and solvent; empty when there is no solute.
    solute_sums : (n_frames, n_lambda, n_solute_pairs) float64
        T_{k,q} of the soft-core potential at every λ_k.
    solute_repulsion : (n_frames, n_lambda, n_solute_pairs) float64 or None
        The repulsive half of T_{k,q}; the soft-core radius stays that of the run.
    solute_slopes : (n_frames, n_solute_pairs) float64 or None
        ∂T_q/∂λ at the λ sampled.
    solute_coulomb : (n_frames,) float64 [kJ/mol]
        C, at full charges whatever the λ sampled; 0 when not given.
    lambdas, charge_lambdas : (n_lambda,) float64
        λ of Lennard-Jones, 0 decoupled … 1 coupled, and factor λ^c of C at every state of the path; empty without a solute. The
        second is 0 throughout when not given.
    rest_energy : (n_frames,) float64 [kJ/mol]
        Bonded energy, restraints, and Coulomb energy but that between solute and solvent: what no ε and no λ changes.
    volume : (n_frames,) float64 [nm³]
    virials, solute_virials : (n_frames, n_pairs | n_solute_pairs, 3) float64 or None
        Diagonal of the molecular virial per ε, Σ f_k D_k with D between molecules' centres; of the solute at the λ sampled.
    virial_repulsion : (n_frames, n_pairs, 3) float64 or None
        The part of ``virials`` that is from the repulsive half of S_p; the part from dispersion is this minus ``virials``.
    rest_virial, kinetic : (n_frames, 3) float64 [kJ/mol] or None
        Molecular virial of everything else in the run, and kinetic energy K_kk of the molecules' centres along each axis:
        P_kk = (2 K_kk + Σ ε_p W_p,k + Σ ε_q W_q,k + W_rest,k)/V.
    scalings : (n_scalings, 3) float64 or None
        Factors of the box edges, molecules moved whole by their centres of mass, at which the sums were taken as well:
    scaled_sums, scaled_solute_sums : (n_frames, n_scalings, n_pairs | n_solute_pairs) float64 or None
        S_p, and T_q at the λ sampled, in the scaled box.
    scaled_solute_coulomb, scaled_rest_energy : (n_frames, n_scalings) float64 [kJ/mol] or None
        C and U_rest in the scaled box.

    Raises
    ------
    SettingsError
        An array of the wrong shape, or some arrays of virials or of scaled boxes without the others.
    """

    pairs: tuple[tuple[str, str], ...]
    sums: FloatArray
    rest_energy: FloatArray
    volume: FloatArray
    solute_pairs: tuple[tuple[str, str], ...] = ()
    solute_sums: FloatArray | None = None
    lambdas: FloatArray | None = None
    repulsion: FloatArray | None = None
    solute_repulsion: FloatArray | None = None
    solute_slopes: FloatArray | None = None
    solute_coulomb: FloatArray | None = None
    charge_lambdas: FloatArray | None = None
    virials: FloatArray | None = None
    virial_repulsion: FloatArray | None = None
    solute_virials: FloatArray | None = None
    rest_virial: FloatArray | None = None
    kinetic: FloatArray | None = None
    scalings: FloatArray | None = None
    scaled_sums: FloatArray | None = None
    scaled_solute_sums: FloatArray | None = None
    scaled_solute_coulomb: FloatArray | None = None
    scaled_rest_energy: FloatArray | None = None

    def __post_init__(self) -> None:
        n, k, q = len(self.volume), 0 if self.lambdas is None else len(self.lambdas), len(self.solute_pairs)
        sizes = {"frames": n, "lambda": k, "P": len(self.pairs), "Q": q}
        sizes["scalings"] = 0 if self.scalings is None else len(self.scalings)
        defaults = {"lambdas": (k,), "charge_lambdas": (k,), "solute_sums": (n, k, q), "solute_coulomb": (n,)}
        for name, axes in _AXES.items():
            value = getattr(self, name)
            if value is None and name in defaults:
                value = np.zeros(defaults[name])
            if value is not None:
                shape = tuple(sizes[axis] if isinstance(axis, str) else axis for axis in axes)
                object.__setattr__(self, name, frozen_array(name, value, shape))
        for group in (("virials", "solute_virials", "rest_virial", "kinetic"), [a for a in _AXES if "scal" in a]):
            missing = [name for name in group if getattr(self, name) is None]
            if 0 < len(missing) < len(group):
                raise SettingsError(f"sums hold {group[0]} but not {', '.join(missing)}")
        if self.virial_repulsion is not None and self.virials is None:
            raise SettingsError("sums hold virial_repulsion but not virials")

    @property
    def n_frames(self) -> int:
        """Number of stored frames."""
        return len(self.volume)

    def arrays(self) -> dict[str, FloatArray]:
        """Every array there is, by name."""
        found = {name: getattr(self, name) for name in _AXES}
        return {name: value for name, value in found.items() if value is not None}

    def frames(self, which: slice) -> PairSums:
        """Some of the frames."""
        parts: dict[str, Any] = {
            name: value[which] for name, value in self.arrays().items() if _AXES[name][0] == "frames"
        }
        return replace(self, **parts)

    def with_sigma(self, ratios: Mapping[tuple[str, str], float]) -> PairSums:
        """The sums at other σ: repulsion grows with the twelfth power, dispersion with the sixth.

        The cut-off and the soft-core radius stay those of the run. λ-derivatives and scaled boxes are left out, and virials where
        their repulsive half is not known, or a solute has some.

        Parameters
        ----------
        ratios : mapping of (str, str) to float
            σ_new/σ of type pairs in either order; pairs not given keep their σ.

        Raises
        ------
        SettingsError
            When repulsion was not stored, or a ratio is not a positive number.
        """
        if self.repulsion is None or self.solute_repulsion is None:
            raise SettingsError("these sums hold no repulsion apart, so that σ cannot change", hint="sample anew")
        given = {tuple(sorted(pair)): float(ratio) for pair, ratio in ratios.items()}
        if not all(0.0 < ratio < np.inf for ratio in given.values()):
            raise SettingsError(f"ratios of σ must be positive numbers, got {sorted(given.values())}")

        def scaled(
            pairs: Sequence[tuple[str, str]], sums: FloatArray, repulsion: FloatArray, *, last: int = 0
        ) -> tuple[FloatArray, FloatArray]:
            power = np.array([given.get(tuple(sorted(pair)), 1.0) for pair in pairs]) ** 6
            power = power.reshape(-1, *(1 for _ in range(last)))
            return repulsion * power**2 - (repulsion - sums) * power, repulsion * power**2

        assert self.solute_sums is not None
        sums, repulsion = scaled(self.pairs, self.sums, self.repulsion)
        solute_sums, solute_repulsion = scaled(self.solute_pairs, self.solute_sums, self.solute_repulsion)
        virials: dict[str, Any] = {}
        if self.virials is not None and self.virial_repulsion is not None and not self.solute_pairs:
            whole, repulsive = scaled(self.pairs, self.virials, self.virial_repulsion, last=1)
            virials = {"virials": whole, "virial_repulsion": repulsive, "solute_virials": self.solute_virials}
            virials |= {"rest_virial": self.rest_virial, "kinetic": self.kinetic}
        return PairSums(
            pairs=self.pairs,
            sums=sums,
            repulsion=repulsion,
            rest_energy=self.rest_energy,
            volume=self.volume,
            solute_pairs=self.solute_pairs,
            solute_sums=solute_sums,
            solute_repulsion=solute_repulsion,
            solute_coulomb=self.solute_coulomb,
            lambdas=self.lambdas,
            charge_lambdas=self.charge_lambdas,
            **virials,
        )


def join_frames(parts: Sequence[PairSums]) -> PairSums:
    """The frames of several sums of one system as one, in order.

    Raises
    ------
    SettingsError
        When there are none, or they differ in type pairs, path, scalings, or in which arrays they hold.
    """
    if not parts:
        raise SettingsError("there are no frames to join")
    first = parts[0]
    shared = {name for name, axes in _AXES.items() if axes[0] != "frames"}
    for part in parts[1:]:
        same = (part.pairs, part.solute_pairs) == (first.pairs, first.solute_pairs)
        here, there = part.arrays(), first.arrays()
        same &= here.keys() == there.keys()
        if not same or any(not np.array_equal(here[name], there[name]) for name in shared & here.keys()):
            raise SettingsError("sums of different systems, paths or scalings cannot be joined")
    arrays = [part.arrays() for part in parts]
    joined: dict[str, Any] = {name: np.concatenate([a[name] for a in arrays]) for name in arrays[0].keys() - shared}
    return replace(first, **joined)


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowSamples:
    """The stored frames of one run and the state they were sampled in.

    Attributes
    ----------
    key : str
        Hash that identifies the run in the store.
    system : str
        Identifies what was simulated (solute and solvent), so that only like is pooled with like.
    sums : PairSums
    epsilon : tuple of float [kJ/mol]
        ε of ``sums.pairs`` then of ``sums.solute_pairs`` in the run itself.
    lambda_index : int
        Row of ``sums.lambdas`` sampled; -1 without a solute.
    temperature : float
        [K]
    pressure : float or None
        [bar]; None when the run was at constant volume.
    n_molecules : int
        Number of solvent molecules.
    alarm : str
        Why later frames of the run were dropped (the liquid froze or evaporated); empty when none were.
    alarm_kind : str
        ``"froze"``, ``"evaporated"`` or ``"broke"`` with an alarm, else empty.
    """

    key: str
    system: str
    sums: PairSums
    epsilon: tuple[float, ...]
    temperature: float
    pressure: float | None
    n_molecules: int
    lambda_index: int = -1
    alarm: str = ""
    alarm_kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFailure:
    """A run that was asked for and left nothing behind.

    Attributes
    ----------
    system : str
        As :attr:`WindowSamples.system`.
    lambda_index : int
        Row of the path; -1 without a solute.
    reason : str
    hint : str
        What the user may do about it; may be empty.
    kind : str
        ``"froze"``, ``"evaporated"`` or ``"broke"`` where that is why, else empty.
    """

    system: str
    lambda_index: int
    reason: str
    hint: str = ""
    kind: str = ""
