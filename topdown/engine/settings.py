"""Settings of a run, checked once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal

from topdown.engine.barostats import ISOTROPIC, NO_BAROSTAT, SEMI_ISOTROPIC
from topdown.engine.integrators import LANGEVIN, NO_THERMOSTAT, V_RESCALE, Dynamics
from topdown.errors import SettingsError
from topdown.units import KJ_MOL_NM3_TO_BAR, kt

Thermostat = Literal["v-rescale", "langevin"]
Barostat = Literal["isotropic", "semiisotropic"]
_THERMOSTATS = {None: NO_THERMOSTAT, "v-rescale": V_RESCALE, "langevin": LANGEVIN}
_BAROSTATS = {None: NO_BAROSTAT, "isotropic": ISOTROPIC, "semiisotropic": SEMI_ISOTROPIC}


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


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
        Reference pressure [bar], used when there is a barostat.
    barostat : {"isotropic", "semiisotropic", None}
        Stochastic cell rescaling; "semiisotropic" couples x and y together and z apart.
    tau_p : float
        [ps]
    compressibility : float
        [1/bar]; sets how fast the box responds, not where it ends.
    list_buffer : float
        Neighbour-list radius beyond the cut-off [nm]. The list is rebuilt before it can miss a pair, so this only sets speed.
    remove_com_motion_every : int
        Steps between removals of the centre-of-mass motion; 0 for never. Ignored with the Langevin thermostat.

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
    barostat: Barostat | None = None
    tau_p: float = 4.0
    compressibility: float = 3e-4
    list_buffer: float = 0.4
    thermostat_every: int = 10
    barostat_every: int = 10
    remove_com_motion_every: int = 100

    def __post_init__(self) -> None:
        if self.thermostat not in tuple(_THERMOSTATS):
            raise SettingsError(f"no thermostat {self.thermostat!r}", hint="v-rescale, langevin or none")
        if self.barostat not in tuple(_BAROSTATS):
            raise SettingsError(f"no barostat {self.barostat!r}", hint="isotropic, semiisotropic or none")
        for name in ("time_step", "temperature", "tau_t", "tau_p", "compressibility", "list_buffer"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 < value < math.inf):
                raise SettingsError(f"{name} must be a positive number, got {value!r}")
        if not (_is_number(self.pressure) and math.isfinite(self.pressure)):
            raise SettingsError(
                f"pressure must be a number, got {self.pressure!r}", hint="barostat=None for constant volume"
            )
        for name in ("thermostat_every", "barostat_every"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise SettingsError(f"{name} must be a whole number of at least 1, got {getattr(self, name)!r}")
        if not isinstance(self.remove_com_motion_every, int) or self.remove_com_motion_every < 0:
            raise SettingsError(
                f"remove_com_motion_every must be a whole number, 0 or more, got {self.remove_com_motion_every!r}"
            )
        if self.time_step > 0.05:
            raise SettingsError(f"time_step {self.time_step} ps is beyond any Martini model", hint="use 0.02")

    @property
    def removes_com_motion(self) -> bool:
        """Whether centre-of-mass motion is taken out (never with Langevin, whose noise would put it back)."""
        return self.remove_com_motion_every > 0 and self.thermostat != "langevin"

    def dynamics(self, *, n_beads: int, n_constraints: int, cutoff: float, lam: float) -> Dynamics:
        """The same settings as the kernels want them, for a system of this size."""
        degrees = 3.0 * n_beads - n_constraints - (3.0 if self.removes_com_motion and n_beads > 1 else 0.0)
        target = self.pressure / KJ_MOL_NM3_TO_BAR
        compressibility = self.compressibility * KJ_MOL_NM3_TO_BAR
        return Dynamics(
            time_step=self.time_step,
            thermostat=_THERMOSTATS[self.thermostat],
            kt=kt(self.temperature),
            tau_t=self.tau_t,
            thermostat_every=self.thermostat_every,
            barostat=_BAROSTATS[self.barostat],
            pressure_xy=target,
            pressure_z=target,
            tau_p=self.tau_p,
            compressibility_xy=compressibility,
            compressibility_z=compressibility,
            barostat_every=self.barostat_every,
            com_every=self.remove_com_motion_every if self.removes_com_motion else 0,
            degrees_of_freedom=degrees,
            lam=lam,
            list_radius=cutoff + self.list_buffer,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupling:
    """One component coupled to the rest along a soft-core path.

    Attributes
    ----------
    lambdas : tuple of float
        The whole path, increasing from 0 (decoupled) to 1 (fully coupled).
    index : int
        Which of them this run samples.
    component : int
        Index of the solute in ``System.components``; it must be uncharged.
    """

    lambdas: tuple[float, ...]
    index: int
    component: int = 0

    def __post_init__(self) -> None:
        increasing = all(a < b for a, b in zip(self.lambdas, self.lambdas[1:]))
        if len(self.lambdas) < 2 or not increasing or self.lambdas[0] != 0.0 or self.lambdas[-1] != 1.0:
            raise SettingsError(f"lambdas must increase from 0 to 1, got {self.lambdas}")
        if not 0 <= self.index < len(self.lambdas):
            raise SettingsError(f"lambda index {self.index} is outside 0..{len(self.lambdas) - 1}")
