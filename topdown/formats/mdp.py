"""GROMACS run parameters (``.mdp``) that mean the same physics as the engine: plain cut-off with potential shift and
reaction field, the list settings the Martini team recommends, v-rescale and c-rescale.

The list of 1.35 nm with ``verlet-buffer-tolerance = -1`` avoids the missed interactions that buckle large membranes
with GROMACS's automatic buffer (Kim, Fábián and Hummer, J. Chem. Theory Comput. 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from topdown.errors import SettingsError
from topdown.model import System

Options = Mapping[str, str]

#: What the pair list reaches beyond the cut-off [nm].
LIST_BUFFER = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What the run parameter files of an exported system ask GROMACS to do.

    Attributes
    ----------
    temperature : float
        [K]
    pressure : float
        [bar]
    coupling : {"isotropic", "semiisotropic"}
        How the box is scaled; semiisotropic for membranes in the xy plane.
    time_step : float
        [ps]
    equilibration, production : float
        Length of the two runs [ns].
    seed : int
        For the velocities and the stochastic couplings.

    Raises
    ------
    SettingsError
        A value that is out of range.
    """

    temperature: float = 300.0
    pressure: float = 1.0
    coupling: Literal["isotropic", "semiisotropic"] = "isotropic"
    time_step: float = 0.02
    equilibration: float = 1.0
    production: float = 100.0
    seed: int = 1

    def __post_init__(self) -> None:
        for label in ("temperature", "time_step", "equilibration", "production"):
            value = getattr(self, label)
            if not 0 < value < float("inf"):
                raise SettingsError(f"{label} must be positive, got {value}")
        if self.coupling not in ("isotropic", "semiisotropic"):
            raise SettingsError(f"coupling must be isotropic or semiisotropic, got {self.coupling!r}")
        if self.seed < 0:
            raise SettingsError(f"seed must not be negative, got {self.seed}")


def _text(title: str, options: Options) -> str:
    width = max(map(len, options))
    return f"; {title}\n" + "".join(f"{key:<{width}} = {value}\n" for key, value in options.items())


def _steps(length_ns: float, time_step: float) -> str:
    return str(max(1, round(length_ns * 1000.0 / time_step)))


#: What GROMACS calls the modifiers of :class:`NonbondedScheme`; its Force-switch is another function than the force shift.
_MODIFIERS = {"potential-shift": "Potential-shift-verlet", "none": "None"}


def _nonbonded(system: System) -> dict[str, str]:
    """Cut-offs of the system's bead table, and a list of fixed range where the box has room for it."""
    scheme = system.table.scheme
    if scheme.lj_modifier not in _MODIFIERS:
        raise SettingsError(
            f"GROMACS has no Lennard-Jones potential with {scheme.lj_modifier}",
            where=f"bead table {system.table.name}",
            hint="its Force-switch is another function; OpenMM and LAMMPS can have this one",
        )
    options = {
        "cutoff-scheme": "Verlet",
        "coulombtype": "reaction-field",
        "rcoulomb": repr(scheme.cutoff),
        "epsilon_r": repr(scheme.epsilon_r),
        "epsilon_rf": repr(scheme.epsilon_rf),
        "vdw_type": "cutoff",
        "vdw-modifier": _MODIFIERS[scheme.lj_modifier],
        "rvdw": repr(scheme.cutoff),
        "nstlist": "20",
    }
    reach = scheme.cutoff + LIST_BUFFER
    if 0.5 * float(min(system.box)) > 1.05 * reach:
        options |= {"verlet-buffer-tolerance": "-1", "rlist": f"{reach:.6g}"}
    else:
        options |= {"verlet-buffer-tolerance": "0.005"}
    return options


def _constraint_options(system: System) -> dict[str, str]:
    """LINCS: order 12 where three or more constraints of a molecule meet (sterols, fused rings), else 8."""
    most = max((len(m.constraints) for m, count in system.components if count), default=0)
    return {"lincs-order": "12" if most >= 3 else "8", "lincs-iter": "2"} if most else {}


#: Directions that each geometry of a flat-bottom restraint holds: sphere, cylinders, layers.
_HELD = {1: "xyz", 2: "xy", 3: "x", 4: "y", 5: "z", 6: "yz", 7: "xz", 8: "xy"}


def _com_options(system: System) -> dict[str, str]:
    """Centre-of-mass motion is taken out, unless restraints hold the system in all three directions."""
    used = [molecule for molecule, count in system.components if count]
    held = {d for m in used for r in m.position_restraints for d, k in zip("xyz", r.force_constants) if k}
    held |= {d for m in used for r in m.flat_bottom_restraints if r.force_constant for d in _HELD[r.geometry]}
    return {"comm-mode": "none"} if len(held) == 3 else {"nstcomm": "100"}


def _pressure(settings: RunSettings) -> dict[str, str]:
    copies = 2 if settings.coupling == "semiisotropic" else 1
    return {
        "pcoupl": "c-rescale",
        "pcoupltype": settings.coupling,
        "tau_p": "4.0",
        "compressibility": " ".join(["3e-4"] * copies),
        "ref_p": " ".join([repr(settings.pressure)] * copies),
    }


def _output(every_ps: float, time_step: float) -> dict[str, str]:
    steps = str(max(100, round(every_ps / time_step / 100.0) * 100))
    return {
        "nstxout": "0",
        "nstvout": "0",
        "nstfout": "0",
        "nstlog": steps,
        "nstenergy": steps,
        "nstxout-compressed": steps,
        "compressed-x-precision": "1000",
    }


def minimization_mdp(system: System) -> str:
    """Steepest descent; constraints become stiff bonds meanwhile, for molecules far from their geometry."""
    flexible = any(m.constraints for m, count in system.components if count)
    options = {
        **({"define": "-DFLEXIBLE"} if flexible else {}),
        "integrator": "steep",
        "nsteps": "5000",
        "emtol": "100",
        "emstep": "0.01",
        **_com_options(system),
        "nstlog": "100",
        "nstenergy": "100",
        "ld-seed": "1",
        **_nonbonded(system),
    }
    return _text("energy minimisation", options)


def dynamics_mdp(system: System, settings: RunSettings, *, length: float, first: bool) -> str:
    """Constant temperature and pressure for ``length`` ns; ``first`` draws velocities, otherwise they are read."""
    start = (
        {"gen_vel": "yes", "gen_temp": repr(settings.temperature), "gen_seed": str(settings.seed)}
        if first
        else {"continuation": "yes", "gen_vel": "no"}
    )
    options = {
        "integrator": "md",
        "dt": repr(settings.time_step),
        "nsteps": _steps(length, settings.time_step),
        **_com_options(system),
        **_output(20.0 if first else 100.0, settings.time_step),
        **_nonbonded(system),
        "tcoupl": "v-rescale",
        "tc-grps": "System",
        "tau_t": "1.0",
        "ref_t": repr(settings.temperature),
        "ld-seed": str(settings.seed),
        **_pressure(settings),
        **start,
        **_constraint_options(system),
        "refcoord_scaling": "all",
    }
    return _text("equilibration" if first else "production", options)


def single_point_mdp(system: System) -> str:
    """Energy, forces and virial of the coordinates as they are: no dynamics, no constraint applied."""
    options = {
        "integrator": "md",
        "dt": "0.02",
        "nsteps": "0",
        "continuation": "yes",
        "gen_vel": "no",
        "comm-mode": "none",
        "nstcalcenergy": "1",
        "nstenergy": "1",
        "nstlog": "1",
        "nstxout": "1",
        "nstfout": "1",
        **_nonbonded(system),
        "nstlist": "10",
        "verlet-buffer-tolerance": "-1",
        "rlist": f"{min(system.table.scheme.cutoff + 0.01, 0.5 * float(min(system.box))):.6g}",
        "tcoupl": "no",
        "pcoupl": "no",
        "ld-seed": "1",
        **_constraint_options(system),
    }
    return _text("single point", options)


@dataclass(frozen=True, slots=True, kw_only=True)
class CouplingSettings:
    """One alchemical run: a molecule whose Lennard-Jones interactions with the rest are switched on along λ.

    Attributes
    ----------
    molecule : str
        Name of the molecule in the written topology.
    lambdas : tuple of float
        0 decoupled … 1 coupled, rising.
    temperature : float
        [K]
    pressure : float
        [bar]
    length : float
        Run per window [ns].
    time_step : float
        [ps]
    seed : int
    """

    molecule: str
    lambdas: Sequence[float] = tuple(k / 10 for k in range(11))
    temperature: float = 300.0
    pressure: float = 1.0
    length: float = 1.0
    time_step: float = 0.02
    seed: int = 1

    def __post_init__(self) -> None:
        values = tuple(self.lambdas)
        if len(values) < 2 or list(values) != sorted(set(values)) or values[0] < 0 or values[-1] > 1:
            raise SettingsError(f"lambdas must rise within 0…1, got {values}")


def free_energy_mdp(system: System, settings: CouplingSettings, index: int) -> str:
    """Window ``index`` of the path: Langevin dynamics with Beutler's soft core (α 0.5, power 1, σ 0.3 nm).

    Interactions inside the molecule stay as they are. Every window writes energy differences to all others, for
    ``gmx bar``.
    """
    if not 0 <= index < len(settings.lambdas):
        raise SettingsError(f"there is no window {index} among {len(settings.lambdas)}")
    options = {
        "integrator": "sd",
        "dt": repr(settings.time_step),
        "nsteps": _steps(settings.length, settings.time_step),
        **_com_options(system),
        "nstcalcenergy": "50",
        "nstenergy": "0",
        "nstlog": "0",
        "nstxout-compressed": "0",
        **_nonbonded(system),
        "tc-grps": "System",
        "tau_t": "1.0",
        "ref_t": repr(settings.temperature),
        "ld-seed": str(settings.seed + index),
        **_pressure(RunSettings(temperature=settings.temperature, pressure=settings.pressure)),
        "gen_vel": "yes",
        "gen_temp": repr(settings.temperature),
        "gen_seed": str(settings.seed + index),
        **_constraint_options(system),
        "free_energy": "yes",
        "init_lambda_state": str(index),
        "vdw_lambdas": " ".join(repr(float(x)) for x in settings.lambdas),
        "sc-alpha": "0.5",
        "sc-power": "1",
        "sc-sigma": "0.3",
        "couple-moltype": settings.molecule,
        "couple-lambda0": "none",
        "couple-lambda1": "vdw",
        "couple-intramol": "no",
        "nstdhdl": "50",
        "calc_lambda_neighbors": "-1",
    }
    return _text(f"free-energy window {index}", options)
