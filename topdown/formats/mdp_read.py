"""Reading GROMACS run parameters (``.mdp``), strictly: a key that would change the physics is used or refused.

Keys are compared as GROMACS does, without case, ``-`` and ``_``. Names, defaults and meanings: GROMACS reference manual,
"Molecular dynamics parameters"; the list of known keys is what ``gmx grompp -po`` of version 2022 writes out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from topdown.errors import InputFileError
from topdown.model import NonbondedScheme

PressureCoupling = Literal["isotropic", "semiisotropic", "anisotropic", "surface-tension"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MdpSettings:
    """What a ``.mdp`` file asks for, in GROMACS's units.

    Attributes
    ----------
    integrator : {"md", "sd", "minimize"}
        Leap-frog (any Newtonian integrator samples the same), Langevin, or energy minimisation.
    time_step : float
        [ps]
    n_steps : int
        Steps of the run, or the most of a minimisation.
    defines : dict of str to str
        Macros for the topology, from ``define = -DNAME -DNAME=VALUE``.
    include : tuple of Path
        Folders for ``#include``, from ``include = -IFOLDER``.
    scheme : NonbondedScheme
        Cut-off, permittivities and the Lennard-Jones modifier.
    thermostat : {"v-rescale", "langevin", None}
    tau_t : float
        [ps]
    temperature : float
        ``ref_t`` [K].
    barostat : {"isotropic", "semiisotropic", "anisotropic", "surface-tension", None}
    tau_p : float
        [ps]
    pressure : tuple of float
        ``ref_p`` [bar]: one number (isotropic); xy, z (semiisotropic); xx, yy, zz (anisotropic); or the surface tension
        times the number of surfaces [bar nm] and the pressure along z (surface-tension).
    compressibility : tuple of float
        [1/bar], one number for each of ``pressure`` (surface-tension: xy, z); 0 keeps that edge.
    generate_velocities : bool
    velocity_temperature : float
        ``gen_temp`` [K].
    velocity_seed, seed : int or None
        ``gen_seed`` and ``ld_seed``; None where the file leaves the choice to the program (-1).
    continuation : bool
    remove_com_motion_every : int
        Steps; 0 for never.
    compressed_every, positions_every, velocities_every, forces_every : int
        Steps between frames: ``nstxout-compressed`` (XTC), ``nstxout``, ``nstvout``, ``nstfout`` (TRR); 0 for never.
    energies_every, log_every : int
        Steps; 0 for never.
    thermostat_every, barostat_every : int or None
        ``nsttcouple``, ``nstpcouple``; None for the program's choice.
    refcoord_scaling : {"no", "all", "com"}
        What the barostat does to the reference positions of restraints.
    force_tolerance : float
        ``emtol`` [kJ/mol/nm]
    notes : tuple of str
        What is done otherwise than the file says, one sentence each.
    ignored : tuple of str
        Keys that are known and have no effect here, as they were written.
    """

    integrator: Literal["md", "sd", "minimize"] = "md"
    time_step: float = 0.001
    n_steps: int = 0
    defines: Mapping[str, str] = field(default_factory=dict)
    include: tuple[Path, ...] = ()
    scheme: NonbondedScheme = field(default_factory=NonbondedScheme)
    thermostat: Literal["v-rescale", "langevin"] | None = None
    tau_t: float = 1.0
    temperature: float = 300.0
    barostat: PressureCoupling | None = None
    tau_p: float = 1.0
    pressure: tuple[float, ...] = ()
    compressibility: tuple[float, ...] = ()
    generate_velocities: bool = False
    velocity_temperature: float = 300.0
    velocity_seed: int | None = None
    seed: int | None = None
    continuation: bool = False
    remove_com_motion_every: int = 100
    compressed_every: int = 0
    positions_every: int = 0
    velocities_every: int = 0
    forces_every: int = 0
    energies_every: int = 1000
    log_every: int = 1000
    thermostat_every: int | None = None
    barostat_every: int | None = None
    refcoord_scaling: Literal["no", "all", "com"] = "no"
    force_tolerance: float = 10.0
    notes: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


#: Keys this module turns into settings.
_USED = (
    *("include", "define", "integrator", "dt", "nsteps", "comm-mode", "nstcomm", "comm-grps", "ld-seed", "emtol"),
    *("nstxout", "nstvout", "nstfout", "nstlog", "nstenergy", "nstxout-compressed", "nstxtcout", "compressed-x-grps"),
    *("xtc-grps", "cutoff-scheme", "pbc", "coulombtype", "rcoulomb", "epsilon-r", "epsilon-rf", "vdwtype"),
    *("vdw-modifier", "rvdw", "rvdw-switch", "tcoupl", "nsttcouple", "tc-grps", "tau-t", "ref-t", "pcoupl"),
    *("pcoupltype", "nstpcouple", "tau-p", "compressibility", "ref-p", "refcoord-scaling", "gen-vel", "gen-temp"),
    *("gen-seed", "continuation", "unconstrained-start"),
)

#: Keys about speed, accuracy of the pair list, output of other programs, or methods that another key switches on.
_WITHOUT_EFFECT = (
    *("title", "cpp", "tinit", "init-step", "simulation-part", "emstep", "niter", "fcstep", "nstcgsteep"),
    *("nbfgscorr", "rtpi", "bd-fric", "nstcalcenergy", "compressed-x-precision", "xtc-precision", "energygrps"),
    *("nstlist", "ns-type", "verlet-buffer-tolerance", "rlist", "rlistlong", "nstcalclr", "coulomb-modifier"),
    *("rcoulomb-switch", "table-extension", "fourierspacing", "fourier-nx", "fourier-ny", "fourier-nz", "pme-order"),
    *("ewald-rtol", "ewald-rtol-lj", "lj-pme-comb-rule", "ewald-geometry", "epsilon-surface", "optimize-fft"),
    *("nh-chain-length", "print-nose-hoover-chain-variables", "annealing-npoints", "annealing-time"),
    *("annealing-temp", "qmmm-grps", "constraint-algorithm", "shake-sor", "shake-tol", "lincs-order", "lincs-iter"),
    *("lincs-warnangle", "wall-type", "wall-r-linpot", "wall-atomtype", "wall-density", "wall-ewald-zfac"),
    *("imd-group", "disre-weighting", "disre-mixed", "disre-fc", "disre-tau", "nstdisreout", "orire-fc"),
    *("orire-tau", "orire-fitgrp", "nstorireout", "couple-moltype", "couple-lambda0", "couple-lambda1"),
    *("couple-intramol", "init-lambda", "init-lambda-state", "delta-lambda", "nstdhdl", "fep-lambdas"),
    *("mass-lambdas", "coul-lambdas", "vdw-lambdas", "bonded-lambdas", "restraint-lambdas", "temperature-lambdas"),
    *("calc-lambda-neighbors", "init-lambda-weights", "dhdl-print-energy", "sc-function", "sc-alpha", "sc-power"),
    *("sc-r-power", "sc-sigma", "sc-coul", "sc-gapsys-scale-linpoint-lj", "sc-gapsys-scale-linpoint-q"),
    *("sc-gapsys-sigma-lj", "separate-dhdl-file", "dhdl-derivatives", "dh-hist-size", "dh-hist-spacing"),
    *("accelerate", "freezedim", "simulated-tempering-scaling", "sim-temp-low", "sim-temp-high", "user1-grps"),
    *("user2-grps", "userint1", "userint2", "userint3", "userint4", "userreal1", "userreal2", "userreal3"),
    *("userreal4", "mts-levels", "mts-level2-forces", "mts-level2-factor"),
)

#: Keys that switch on what the engine does not do, and the values that switch it off.
_MUST_BE_OFF: Mapping[str, tuple[str, ...]] = {
    "mts": ("no",),
    "periodic-molecules": ("no",),
    "dispcorr": ("no",),
    "energygrp-table": ("",),
    "implicit-solvent": ("no",),
    "qmmm": ("no",),
    "annealing": ("no", ""),
    "constraints": ("none",),
    "morse": ("no",),
    "energygrp-excl": ("",),
    "nwall": ("0",),
    "pull": ("no",),
    "awh": ("no",),
    "rotation": ("no",),
    "disre": ("no",),
    "orire": ("no",),
    "free-energy": ("no",),
    "acc-grps": ("",),
    "freezegrps": ("",),
    "cos-acceleration": ("0",),
    "deform": ("", "0"),
    "simulated-tempering": ("no",),
    "swapcoords": ("no",),
    "adress": ("no",),
    "electric-field-x": ("", "0"),
    "electric-field-y": ("", "0"),
    "electric-field-z": ("", "0"),
    "density-guided-simulation-active": ("no", "false"),
    "qmmm-cp2k-active": ("no", "false"),
}

_HINTS = {
    "freeenergy": "topdown transfer couples molecules along a soft-core path",
    "constraints": "constraints are those of the topology; write none",
    "freezegrps": "position restraints of the topology hold beads in place",
}

_SECTIONS = ("pull-", "awh-", "awh1-", "rot-", "mts-", "swap-", "qmmm-cp2k-", "density-guided-simulation-", "imd-")


def _bare(text: str) -> str:
    """A key or an option as GROMACS compares them."""
    return text.lower().replace("-", "").replace("_", "")


_KNOWN = {_bare(key): key for key in (*_USED, *_WITHOUT_EFFECT, *_MUST_BE_OFF)}
_BARE_USED = frozenset(map(_bare, _USED))
_BARE_OFF = {_bare(key): frozenset(map(_bare, values)) for key, values in _MUST_BE_OFF.items()}


@dataclass(slots=True)
class _Options:
    """The lines of a file: bare key → (key as written, value, place)."""

    path: Path
    entries: dict[str, tuple[str, str, str]]
    notes: list[str] = field(default_factory=list)

    def error(self, key: str, message: str, hint: str = "") -> InputFileError:
        written, _, where = self.entries.get(_bare(key), (key, "", str(self.path)))
        return InputFileError(f"{written} {message}", where=where, hint=hint)

    def text(self, key: str, default: str = "") -> str:
        return self.entries.get(_bare(key), ("", "", ""))[1] or default

    def choice(self, key: str, default: str, options: Mapping[str, str], hint: str = "") -> str:
        """The meaning of an enumerated value; ``options``: accepted text → meaning."""
        value = self.text(key, default)
        bare = {_bare(option): meaning for option, meaning in options.items()}
        if _bare(value) not in bare:
            raise self.error(key, f"= {value} is not supported", hint or f"supported: {', '.join(options)}")
        return bare[_bare(value)]

    def numbers(self, key: str, default: str) -> tuple[float, ...]:
        values = []
        for word in self.text(key, default).split():
            try:
                value = float(word.replace("_", "?"))
            except ValueError:
                raise self.error(key, f"must be a number, found {word!r}") from None
            if not math.isfinite(value):
                raise self.error(key, f"must be finite, found {word!r}")
            values.append(value)
        return tuple(values)

    def number(self, key: str, default: str, *, least: float = -math.inf, above: float = -math.inf) -> float:
        values = self.numbers(key, default)
        if len(values) != 1:
            raise self.error(key, f"needs one number, found {self.text(key)!r}")
        if values[0] < least or values[0] <= above:
            bound = f"at least {least:g}" if least > -math.inf else f"more than {above:g}"
            raise self.error(key, f"must be {bound}, found {values[0]:g}")
        return values[0]

    def integer(self, key: str, default: int, *, least: int | None = None) -> int:
        text = self.text(key, str(default))
        try:
            value = int(text.replace("_", "?"))
        except ValueError:
            raise self.error(key, f"must be a whole number, found {text!r}") from None
        if least is not None and value < least:
            raise self.error(key, f"must be at least {least}, found {value}")
        return value

    def switch(self, key: str, default: str = "no") -> bool:
        return self.choice(key, default, {"yes": "yes", "no": "no", "on": "yes", "off": "no"}) == "yes"

    def seed(self, key: str) -> int | None:
        value = self.integer(key, -1, least=-1)
        return None if value == -1 else value


def _lines(path: Path) -> _Options:
    try:
        raw = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        reason = error.strerror or "not a file"
        raise InputFileError(f"cannot read the run parameters: {reason}", where=str(path)) from None
    entries: dict[str, tuple[str, str, str]] = {}
    for number, line in enumerate(raw, start=1):
        text, where = line.split(";", 1)[0].strip(), f"{path}:{number}"
        if not text:
            continue
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key:
            raise InputFileError(f"expected KEY = VALUE, found {text!r}", where=where)
        if _bare(key) in entries:
            first = entries[_bare(key)][2].rpartition(":")[2]
            raise InputFileError(f"{key} stands twice", where=where, hint=f"first in line {first}")
        entries[_bare(key)] = (key, value, where)
    return _Options(path, entries)


def _check_keys(options: _Options) -> tuple[str, ...]:
    """Refuse unknown keys and methods that are not there; returns the keys without effect."""
    ignored = []
    for bare, (key, value, where) in options.entries.items():
        if bare in _BARE_OFF:
            words = {_bare(word) for word in value.split()} or {""}
            if not words <= _BARE_OFF[bare]:
                hint = _HINTS.get(bare, f"leave it out, or write {_MUST_BE_OFF[_KNOWN[bare]][0] or 'nothing'}")
                raise InputFileError(f"{key} = {value} is not supported", where=where, hint=hint)
        elif bare in _KNOWN:
            if bare not in _BARE_USED:
                ignored.append(key)
        elif any(bare.startswith(_bare(section)) for section in _SECTIONS):
            ignored.append(key)
        else:
            near = get_close_matches(bare, list(_KNOWN), n=1, cutoff=0.5)
            hint = f"did you mean {_KNOWN[near[0]]}?" if near else "no GROMACS key is like it"
            raise InputFileError(f"unknown key {key!r}", where=where, hint=hint)
    return tuple(ignored)


def _macros(options: _Options) -> tuple[dict[str, str], tuple[Path, ...]]:
    defines: dict[str, str] = {}
    for word in options.text("define").split():
        name, _, value = word[2:].partition("=")
        if not word.startswith("-D") or not name:
            raise options.error("define", f"needs -DNAME or -DNAME=VALUE, found {word!r}")
        defines[name] = value
    folders = []
    for word in options.text("include").split():
        if not word.startswith("-I") or len(word) < 3:
            raise options.error("include", f"needs -IFOLDER, found {word!r}")
        folders.append(options.path.parent / Path(word[2:]).expanduser())
    return defines, tuple(folders)


def _scheme(options: _Options) -> NonbondedScheme:
    options.choice("cutoff-scheme", "verlet", {"Verlet": "verlet"}, "the group scheme is gone from GROMACS too")
    options.choice("pbc", "xyz", {"xyz": "xyz"})
    options.choice("coulombtype", "cut-off", {"reaction-field": "rf"}, "Martini: coulombtype = reaction-field")
    options.choice("vdwtype", "cut-off", {"cut-off": "cut-off"}, "Martini: vdwtype = cutoff")
    shifts = {"potential-shift": "potential-shift", "potential-shift-verlet": "potential-shift"}
    modifier = options.choice(
        "vdw-modifier", "potential-shift", {**shifts, "none": "none"}, "Martini: vdw-modifier = Potential-shift-verlet"
    )
    cutoff = options.number("rvdw", "1.0", above=0.0)
    if options.number("rcoulomb", "1.0", above=0.0) != cutoff:
        raise options.error("rcoulomb", "must be equal to rvdw", "one cut-off serves both interactions")
    return NonbondedScheme(
        cutoff=cutoff,
        epsilon_r=options.number("epsilon-r", "1", above=0.0),
        epsilon_rf=options.number("epsilon-rf", "0", least=0.0),
        lj_modifier=modifier,  # type: ignore[arg-type]
    )


def _one_bath(options: _Options, key: str) -> float:
    values = options.numbers(key, "")
    if not values:
        raise options.error("integrator" if options.text("integrator") == "sd" else "tcoupl", f"needs {key}")
    if len(set(values)) != 1:
        raise options.error(key, f"must be the same for all groups, found {options.text(key)!r}")
    if values[0] <= 0:
        raise options.error(key, f"must be positive, found {values[0]:g}")
    return values[0]


def _temperature(options: _Options, integrator: str) -> dict[str, object]:
    others = ("berendsen", "nose-hoover", "andersen", "andersen-massive")
    kinds = {"no": "", "v-rescale": "v-rescale", "yes": "v-rescale", **{other: other for other in others}}
    kind = options.choice("tcoupl", "no", kinds)
    if integrator == "sd":
        kind = "langevin"
    if integrator == "minimize" or not kind:
        return {"thermostat": None}
    if kind in others:
        options.notes.append(f"tcoupl = {kind}: v-rescale is used, which samples the canonical ensemble")
        kind = "v-rescale"
    if len(options.text("tc-grps").split()) > 1:
        options.notes.append(f"tc-grps = {options.text('tc-grps')}: one bath couples the whole system")
    steps = options.integer("nsttcouple", -1, least=-1)
    return {
        "thermostat": kind,
        "tau_t": _one_bath(options, "tau-t"),
        "temperature": _one_bath(options, "ref-t"),
        "thermostat_every": steps if steps > 0 else None,
    }


_N_PRESSURES = {"isotropic": 1, "semiisotropic": 2, "anisotropic": 6, "surface-tension": 2}


def _pressure(options: _Options, integrator: str) -> dict[str, object]:
    others = ("berendsen", "parrinello-rahman", "mttk")
    kind = options.choice("pcoupl", "no", {"no": "", "c-rescale": "c-rescale", **{other: other for other in others}})
    if integrator == "minimize" or not kind:
        return {"barostat": None}
    if kind in others:
        options.notes.append(f"pcoupl = {kind}: stochastic cell rescaling is used, which samples constant pressure")
    geometry = options.choice("pcoupltype", "isotropic", {name: name for name in _N_PRESSURES})
    steps = options.integer("nstpcouple", -1, least=-1)
    return {
        "barostat": geometry,
        "tau_p": options.number("tau-p", "1", above=0.0),
        "pressure": _along_edges(options, "ref-p", geometry),
        "compressibility": _along_edges(options, "compressibility", geometry, least=0.0),
        "barostat_every": steps if steps > 0 else None,
    }


def _along_edges(options: _Options, key: str, geometry: str, *, least: float = -math.inf) -> tuple[float, ...]:
    values, wanted = options.numbers(key, ""), _N_PRESSURES[geometry]
    if len(values) != wanted:
        raise options.error(key, f"needs {wanted} numbers for {geometry} coupling, found {len(values)}")
    if any(values[3:]) and key == "compressibility":
        raise options.error(key, "must be 0 off the diagonal", "only rectangular boxes are supported")
    if min(values) < least:
        raise options.error(key, f"must not be negative, found {min(values):g}")
    return values[:3]


def _com_removal(options: _Options) -> int:
    mode = options.choice(
        "comm-mode", "linear", {"linear": "linear", "none": "", "linear-acceleration-correction": "linear"}
    )
    if mode and len(options.text("comm-grps").split()) > 1:
        options.notes.append(
            f"comm-grps = {options.text('comm-grps')}: centre-of-mass motion is removed from the whole system"
        )
    steps = options.integer("nstcomm", 100, least=0)
    return steps if mode else 0


def _integrator(options: _Options) -> Literal["md", "sd", "minimize"]:
    minimizers = ("steep", "cg", "l-bfgs")
    kinds = {"md": "md", "md-vv": "md", "md-vv-avek": "md", "sd": "sd", **dict.fromkeys(minimizers, "minimize")}
    kind = options.choice("integrator", "md", kinds)
    if kind == "minimize":
        options.notes.append(f"integrator = {options.text('integrator')}: the bundled minimiser is used")
        return "minimize"
    return "sd" if kind == "sd" else "md"


def _compressed_every(options: _Options) -> int:
    for key in ("compressed-x-grps", "xtc-grps"):
        if _bare(options.text(key, "System")) != "system":
            options.notes.append(f"{key} = {options.text(key)}: all beads are written")
    old = options.integer("nstxtcout", 0, least=0)
    return options.integer("nstxout-compressed", old, least=0)


def read_mdp(path: Path | str) -> MdpSettings:
    """Read a GROMACS ``.mdp`` file.

    Parameters
    ----------
    path : path

    Returns
    -------
    MdpSettings
        ``notes`` and ``ignored`` say what of the file is done otherwise or has no effect.

    Raises
    ------
    InputFileError
        With file and line: a key that does not exist (with the nearest one), a key twice, an unreadable value, or a method
        that is not there.
    """
    options = _lines(Path(path))
    ignored = _check_keys(options)
    integrator = _integrator(options)
    defines, include = _macros(options)
    temperature = _temperature(options, integrator)
    continuation = "unconstrained-start" if _bare("unconstrained-start") in options.entries else "continuation"
    settings = {
        "integrator": integrator,
        "time_step": options.number("dt", "0.001", above=0.0),
        "n_steps": options.integer("nsteps", 0, least=0),
        "defines": defines,
        "include": include,
        "scheme": _scheme(options),
        **temperature,
        **_pressure(options, integrator),
        "generate_velocities": options.switch("gen-vel"),
        "velocity_temperature": options.number("gen-temp", "300", least=0.0),
        "velocity_seed": options.seed("gen-seed"),
        "seed": options.seed("ld-seed"),
        "continuation": options.switch(continuation),
        "remove_com_motion_every": _com_removal(options),
        "compressed_every": _compressed_every(options),
        "positions_every": options.integer("nstxout", 0, least=0),
        "velocities_every": options.integer("nstvout", 0, least=0),
        "forces_every": options.integer("nstfout", 0, least=0),
        "energies_every": options.integer("nstenergy", 1000, least=0),
        "log_every": options.integer("nstlog", 1000, least=0),
        "refcoord_scaling": options.choice("refcoord-scaling", "no", {"no": "no", "all": "all", "com": "com"}),
        "force_tolerance": options.number("emtol", "10", above=0.0),
    }
    return MdpSettings(**settings, notes=tuple(options.notes), ignored=ignored)  # type: ignore[arg-type]
