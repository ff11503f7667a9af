"""Settings of a run, checked once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal, get_args

from topdown.engine.barostats import ANISOTROPIC, ISOTROPIC, NO_BAROSTAT, SEMI_ISOTROPIC
from topdown.engine.bonded_parameters import ReferenceScaling
from topdown.engine.integrators import LANGEVIN, NO_THERMOSTAT, V_RESCALE, Dynamics
from topdown.engine.soft_core import Lambda
from topdown.errors import SettingsError
from topdown.model.requests import charges_last, check_path
from topdown.units import BAR_NM_TO_MN_M, KJ_MOL_NM3_TO_BAR, kt

Thermostat = Literal["v-rescale", "langevin"]
Precision = Literal["mixed", "double"]
Barostat = Literal["isotropic", "semiisotropic", "anisotropic", "surface-tension"]
_THERMOSTATS = {None: NO_THERMOSTAT, "v-rescale": V_RESCALE, "langevin": LANGEVIN}
_BAROSTATS = {
    None: NO_BAROSTAT,
    "isotropic": ISOTROPIC,
    "semiisotropic": SEMI_ISOTROPIC,
    "anisotropic": ANISOTROPIC,
    "surface-tension": SEMI_ISOTROPIC,
}


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSettings:
    """How to integrate.

    Attributes
    ----------
    time_step : float
        [ps]; 0.02 is Martini's usual.
    temperature : float
        [K]; also the temperature of the starting velocities.
    thermostat : {"v-rescale", "langevin", None}
    tau_t : float
        Coupling time of v-rescale, or inverse friction of Langevin [ps].
    pressure : float
        Reference pressure [bar], used when there is a barostat; with "surface-tension" the one along z.
    pressure_z : float, optional
        Reference pressure along z [bar] where it is another than along x and y ("semiisotropic", "anisotropic").
    barostat : {"isotropic", "semiisotropic", "anisotropic", "surface-tension", None}
        Stochastic cell rescaling with a Metropolis test: exact at any ``tau_p``. "semiisotropic" couples x and y together and z
        apart; "anisotropic" all three edges apart (the box stays rectangular; nothing holds the shape of a box of liquid);
        "surface-tension" is semi-isotropic with a tension that widens the xy plane: the lateral pressure goes to
        ``pressure`` - ``n_surfaces`` · ``surface_tension`` / L_z.
    surface_tension : float
        Of each surface parallel to xy [mN/m]; 1 mN/m = 10 bar nm. GROMACS's first ``ref_p`` is this times ``n_surfaces``.
    n_surfaces : int
        Surfaces the tension acts on: 2 for a slab or a bilayer in a periodic box.
    tau_p : float
        [ps]
    compressibility : float
        [1/bar]; sets how fast the box responds, not where it ends. 0 holds the area where z is coupled apart.
    compressibility_z : float, optional
        Along z where it is another than along x and y [1/bar]; 0 holds the height.
    barostat_every : int, optional
        Steps between two steps of the box, each of which costs two measurements of the virial. Without, a tenth of ``tau_p`` but
        20 at most, of which about 85 % are accepted in a liquid.
    list_buffer, inner_buffer : float
        How far the pair list, and the inner list pruned from it, reach beyond the cut-off [nm]. Lists are made anew before they
        can miss a pair, so this only sets speed.
    precision : {"mixed", "double"}
        Non-bonded pairs in float32 or float64. Coordinates, bonded terms, solutes on their coupling path, single points,
        minimisation and the sums for reweighting are float64 in either.
    threads : int
        Threads that advance this one system together, for systems of some ten thousand beads; needs mixed precision. Many small
        runs go faster one to a processor. Sums run in another order for each number, so results differ in the last bits.
    remove_com_motion_every : int
        Steps between removals of the centre-of-mass motion; 0 for never. Ignored with the Langevin thermostat.
    refcoord_scaling : {"no", "all"}
        What a barostat does to the reference points of restraints: nothing, or scale them with the box.

    Raises
    ------
    SettingsError
        A value out of range.
    """

    time_step: float = 0.02
    temperature: float = 300.0
    thermostat: Thermostat | None = "v-rescale"
    tau_t: float = 1.0
    pressure: float = 1.0
    pressure_z: float | None = None
    barostat: Barostat | None = None
    surface_tension: float = 0.0
    n_surfaces: int = 2
    tau_p: float = 4.0
    compressibility: float = 3e-4
    compressibility_z: float | None = None
    list_buffer: float = 0.5
    inner_buffer: float = 0.14
    precision: Precision = "mixed"
    threads: int = 1
    thermostat_every: int = 10
    barostat_every: int | None = None
    remove_com_motion_every: int = 100
    refcoord_scaling: ReferenceScaling = "no"

    def __post_init__(self) -> None:
        if self.thermostat not in tuple(_THERMOSTATS):
            raise SettingsError(f"no thermostat {self.thermostat!r}", hint="v-rescale, langevin or none")
        if self.barostat not in tuple(_BAROSTATS):
            raise SettingsError(
                f"no barostat {self.barostat!r}", hint="isotropic, semiisotropic, anisotropic, surface-tension or none"
            )
        if self.refcoord_scaling not in get_args(ReferenceScaling):
            raise SettingsError(f"no refcoord_scaling {self.refcoord_scaling!r}", hint="no or all")
        if self.precision not in get_args(Precision):
            raise SettingsError(f"no precision {self.precision!r}", hint="mixed or double")
        for name in ("time_step", "temperature", "tau_t", "tau_p", "list_buffer", "inner_buffer"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 < value < math.inf):
                raise SettingsError(f"{name} must be a positive number, got {value!r}")
        if not (_is_number(self.pressure) and math.isfinite(self.pressure)):
            raise SettingsError(
                f"pressure must be a number, got {self.pressure!r}", hint="barostat=None for constant volume"
            )
        self._check_directions()
        for name in ("thermostat_every", "barostat_every", "threads"):
            if name == "barostat_every" and self.barostat_every is None:
                continue
            if not _is_whole(getattr(self, name)) or getattr(self, name) < 1:
                raise SettingsError(f"{name} must be a whole number of at least 1, got {getattr(self, name)!r}")
        if self.threads > 1 and self.precision == "double":
            raise SettingsError("double precision runs in one thread", hint="threads=1, or precision mixed")
        if not _is_whole(self.remove_com_motion_every) or self.remove_com_motion_every < 0:
            raise SettingsError(
                f"remove_com_motion_every must be a whole number, 0 or more, got {self.remove_com_motion_every!r}"
            )
        if self.time_step > 0.05:
            raise SettingsError(f"time_step {self.time_step} ps is beyond any Martini model", hint="use 0.02")

    def _check_directions(self) -> None:
        """What only a barostat that knows directions has."""
        apart = self.barostat in ("semiisotropic", "anisotropic", "surface-tension")
        for name in ("pressure_z", "compressibility_z"):
            value = getattr(self, name)
            if value is not None and not apart:
                raise SettingsError(f"{name} needs a barostat that couples z apart, not {self.barostat!r}")
            if value is not None and not (_is_number(value) and math.isfinite(value)):
                raise SettingsError(f"{name} must be a number, got {value!r}")
        height = self.compressibility if self.compressibility_z is None else self.compressibility_z
        for name, value in (("compressibility", self.compressibility), ("compressibility_z", height)):
            if not (_is_number(value) and 0 <= value < math.inf) or (value == 0 and not apart):
                raise SettingsError(f"{name} must be a positive number, got {value!r}")
        if self.compressibility == height == 0:
            raise SettingsError("compressibility is 0 in every direction", hint="barostat=None for constant volume")
        if not _is_whole(self.n_surfaces) or self.n_surfaces < 1:
            raise SettingsError(f"n_surfaces must be a whole number of at least 1, got {self.n_surfaces!r}")
        if not (_is_number(self.surface_tension) and math.isfinite(self.surface_tension)):
            raise SettingsError(f"surface_tension must be a number, got {self.surface_tension!r}")
        if self.barostat != "surface-tension" and self.surface_tension != 0:
            raise SettingsError("surface_tension needs the barostat 'surface-tension'")
        if self.barostat == "surface-tension" and (self.pressure_z is not None or self.compressibility == 0):
            raise SettingsError(
                "pressure_z and a compressibility of 0 mean nothing under surface tension",
                hint="pressure is the one along z, surface_tension sets the area",
            )

    @property
    def removes_com_motion(self) -> bool:
        """Whether centre-of-mass motion is taken out (never with Langevin, whose noise would put it back)."""
        return self.remove_com_motion_every > 0 and self.thermostat != "langevin"

    def dynamics(self, *, n_beads: int, n_constraints: int, cutoff: float, lam: Lambda) -> Dynamics:
        """The same settings as the kernels want them, for a system of this size."""
        degrees = 3.0 * n_beads - n_constraints - (3.0 if self.removes_com_motion and n_beads > 1 else 0.0)
        pressure_z = self.pressure if self.pressure_z is None else self.pressure_z
        compressibility_z = self.compressibility if self.compressibility_z is None else self.compressibility_z
        tension = self.n_surfaces * self.surface_tension / BAR_NM_TO_MN_M
        return Dynamics(
            time_step=self.time_step,
            thermostat=_THERMOSTATS[self.thermostat],
            kt=kt(self.temperature),
            tau_t=self.tau_t,
            thermostat_every=self.thermostat_every,
            barostat=_BAROSTATS[self.barostat],
            pressure_xy=self.pressure / KJ_MOL_NM3_TO_BAR,
            pressure_z=pressure_z / KJ_MOL_NM3_TO_BAR,
            tension=tension / KJ_MOL_NM3_TO_BAR,
            tau_p=self.tau_p,
            compressibility_xy=self.compressibility * KJ_MOL_NM3_TO_BAR,
            compressibility_z=compressibility_z * KJ_MOL_NM3_TO_BAR,
            barostat_every=self.barostat_every or max(1, min(20, round(0.1 * self.tau_p / self.time_step))),
            com_every=self.remove_com_motion_every if self.removes_com_motion else 0,
            degrees_of_freedom=degrees,
            lam=lam,
            list_radius=cutoff + self.list_buffer,
            inner_radius=cutoff + min(self.inner_buffer, self.list_buffer),
            double=self.precision == "double",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupling:
    """One component coupled to the rest along a path: soft-core Lennard-Jones first, then its charges.

    Attributes
    ----------
    lambdas : tuple of float
        λ of the Lennard-Jones interactions at every state of the path, from 0 (decoupled) to 1 (fully coupled).
    index : int
        Which state this run samples.
    component : int
        Index of the solute in ``System.components``.
    charge_lambdas : tuple of float, optional
        Factor of the Coulomb energy between solute and solvent at every state, from 0 to 1; needed for a charged solute, see
        :meth:`charges_last`. It may differ from 0 only where λ = 1: without a core opposite charges fall into one another.

    Raises
    ------
    SettingsError
        When states do not rise from (0, 0) to (1, 1), or charges stand without cores.
    """

    lambdas: tuple[float, ...]
    index: int
    component: int = 0
    charge_lambdas: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_path(self.lambdas, self.charge_lambdas)
        if not 0 <= self.index < len(self.lambdas):
            raise SettingsError(f"lambda index {self.index} is outside 0..{len(self.lambdas) - 1}")

    @classmethod
    def charges_last(
        cls, lambdas: Sequence[float], charges: Sequence[float], *, index: int, component: int = 0
    ) -> Coupling:
        """The path of :func:`topdown.model.requests.charges_last`: cores without charges, then charges on full cores."""
        both = charges_last(lambdas, charges)
        return cls(lambdas=both[0], charge_lambdas=both[1], index=index, component=component)

    @property
    def states(self) -> tuple[Lambda, ...]:
        """Both λ of every state; the second is 0 throughout where none are given, for a solute without charges."""
        charges = (0.0,) * len(self.lambdas) if self.charge_lambdas is None else self.charge_lambdas
        return tuple(Lambda(float(a), float(b)) for a, b in zip(self.lambdas, charges, strict=True))
