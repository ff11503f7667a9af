"""What can be asked of a sampler: one solute in a solvent along λ, a liquid, a slab of it, one molecule alone.

A request holds everything that decides the samples, ε included (in its table), so that a run store can name a run by
the hash of its request. A liquid, and a solvent, is one molecule and its number; a mixture has ``cosolvents`` besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from topdown.errors import SettingsError
from topdown.model.bead_table import BeadTable
from topdown.model.molecule import CGMolecule

#: Molecules and how many of each, the main one first.
Components = tuple[tuple[CGMolecule, int], ...]


def _check_run(
    request: RunRequest,
    where: str,
    *,
    pressure: float = 0.0,
    part: int = 0,
) -> None:
    """What every run must be: a state that exists, molecules in it, frames from it."""
    if not 0.0 < request.temperature < float("inf"):
        raise SettingsError(f"the temperature must be positive, got {request.temperature} K", where=where)
    if not abs(pressure) < float("inf"):
        raise SettingsError(f"the pressure must be a finite number, got {pressure} bar", where=where)
    for molecule, count in request.components:
        if count < 1:
            raise SettingsError(f"the number of molecules must be at least 1, got {count} {molecule.name}", where=where)
    if request.n_equilibration < 0:
        raise SettingsError(f"n_equilibration must not be negative, got {request.n_equilibration}", where=where)
    if request.every < 1 or request.n_steps < request.every:
        raise SettingsError(
            f"n_steps = {request.n_steps} with one frame every {request.every} steps would store nothing",
            where=where,
            hint="ask for at least one frame",
        )
    if part < 0:
        raise SettingsError(f"the part of a run must not be negative, got {part}", where=where)


def contents_text(components: Components) -> str:
    """``130 octanol, 12 water``."""
    return ", ".join(f"{count} {molecule.name}" for molecule, count in components)


def charges_last(lambdas: Sequence[float], charges: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """λ and charge λ of the path over ``lambdas`` (0 … 1) without charges, and on over ``charges`` (above 0 … 1) at λ = 1."""
    return (*lambdas, *(1.0 for _ in charges)), (*(0.0 for _ in lambdas), *charges)


def check_path(lambdas: tuple[float, ...], charge_lambdas: tuple[float, ...] | None = None, *, where: str = "") -> None:
    """Refuse a coupling path that does not rise from (0, 0) to (1, 1), or has charges where λ is not yet 1.

    Raises
    ------
    SettingsError
    """
    charges = lambdas if charge_lambdas is None else charge_lambdas
    if len(charges) != len(lambdas):
        raise SettingsError(f"{len(lambdas)} lambdas but {len(charges)} charge_lambdas", where=where)
    states = list(zip(lambdas, charges))
    rising = all(a[0] <= b[0] and a[1] <= b[1] and a != b for a, b in pairwise(states))
    if len(states) < 2 or not rising or states[0] != (0.0, 0.0) or states[-1] != (1.0, 1.0):
        what = "lambdas" if charge_lambdas is None else "lambdas and charge_lambdas"
        found = list(lambdas) if charge_lambdas is None else states
        raise SettingsError(f"{what} must rise from 0 to 1, got {found}", where=where)
    if charge_lambdas is not None and any(q > 0.0 and lam < 1.0 for lam, q in states):
        raise SettingsError(
            "charge_lambdas may differ from 0 only where lambda is 1: bare charges fall into one another",
            where=where,
            hint="grow the cores first, then the charges",
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Run:
    """What every run is asked for with; :class:`LiquidRequest` says what it means."""

    table: BeadTable
    temperature: float
    n_equilibration: int
    n_steps: int
    every: int
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class _LiquidRun(_Run):
    """A run of a liquid, or of what is cut from it."""

    molecule: CGMolecule
    n_molecules: int
    pressure: float
    time_step: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class CouplingRequest(_Run):
    """One solute in a box of solvent, sampled at constant pressure at every λ: one ``WindowSamples`` per λ.

    Attributes
    ----------
    solute, solvent : CGMolecule
    n_solvent : int
        Number of solvent molecules.
    cosolvents : tuple of (CGMolecule, int)
        What else is in the solvent, and how many of each; empty for a pure one.
    table : BeadTable
        Carries the ε and σ of the run.
    temperature : float
        [K]
    pressure : float
        [bar]
    lambdas : tuple of float
        From 0 (decoupled) to 1 (coupled).
    charge_lambdas : tuple of float, optional
        Factor of the solute-solvent Coulomb energy at each of them, see :func:`charges_last`; needed for a charged solute.
    n_equilibration, n_steps, every : int
        Steps before the first frame (of part 0 only), steps of one part, and steps between stored frames; per λ.
    seed : int
    sampled : tuple of int, optional
        Which states of the path are run; all when not given. Sums are stored at all of them in any case.
    part : int
        A run is stored in parts of ``n_steps``; each goes on where the one before it ended.
    time_step : float, optional
        Of the run, and of the equilibration of the box it starts from [ps]; that of every liquid when not given.
    core : BeadTable, optional
        Whose σ are the soft-core radii of the path; ``table`` itself when not given. Runs at several σ are on one path, and
        can be pooled, when they share it.
    """

    solute: CGMolecule
    solvent: CGMolecule
    n_solvent: int
    pressure: float
    lambdas: tuple[float, ...]
    charge_lambdas: tuple[float, ...] | None = None
    cosolvents: Components = ()
    sampled: tuple[int, ...] | None = None
    part: int = 0
    time_step: float | None = None
    core: BeadTable | None = None

    def __post_init__(self) -> None:
        where = f"coupling of {self.solute.name} to {self.solvent.name}"
        _check_run(self, where, pressure=self.pressure, part=self.part)
        check_path(self.lambdas, self.charge_lambdas, where=where)
        if self.charge_lambdas is None and any(bead.charge for bead in self.solute.beads):
            raise SettingsError(
                f"{self.solute.name} carries charges, which need charge_lambdas", where=where, hint="see charges_last"
            )
        if self.sampled is not None and not (self.sampled and all(0 <= k < len(self.lambdas) for k in self.sampled)):
            raise SettingsError(f"the states {self.sampled} are not on a path of {len(self.lambdas)}", where=where)

    @property
    def indices(self) -> tuple[int, ...]:
        """The states of the path that are run."""
        return tuple(range(len(self.lambdas))) if self.sampled is None else self.sampled

    @property
    def components(self) -> Components:
        """The solvent: every molecule in the box but the solute."""
        return ((self.solvent, self.n_solvent), *self.cosolvents)

    @property
    def system(self) -> str:
        """Name under which runs are pooled: solute, solvent and size."""
        return f"{self.solute.name} in {contents_text(self.components)}"


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidRequest(_LiquidRun):
    """A liquid at constant pressure: one ``WindowSamples``.

    Attributes
    ----------
    molecule : CGMolecule
    n_molecules : int
    cosolvents : tuple of (CGMolecule, int)
        What else is in a mixture, and how many of each; empty for a pure liquid.
    table : BeadTable
    temperature : float
        [K]
    pressure : float
        [bar]
    n_equilibration, n_steps, every : int
        Steps before the first frame (of part 0 only), steps of one part, and steps between stored frames.
    seed : int
    part : int
        A run is stored in parts of ``n_steps``; each goes on where the one before it ended.
    keep_positions : bool
        Keep the coordinates of the frames beside their sums, for solutes to be put into.
    time_step : float, optional
        As of :class:`CouplingRequest`.
    """

    cosolvents: Components = ()
    part: int = 0
    keep_positions: bool = False

    def __post_init__(self) -> None:
        _check_run(self, f"liquid {self.molecule.name}", pressure=self.pressure, part=self.part)

    @property
    def components(self) -> Components:
        """Every molecule in the box."""
        return ((self.molecule, self.n_molecules), *self.cosolvents)

    @property
    def system(self) -> str:
        """Name under which runs are pooled: molecule and size."""
        return contents_text(self.components)


@dataclass(frozen=True, kw_only=True, eq=False)
class SlabRequest(_LiquidRun):
    """A slab of liquid between two vapours at constant volume: one ``WindowSamples``, with virials and test areas.

    The slab is cut from a liquid equilibrated at ``pressure`` and brought to the width asked for, so that every run of one
    request's molecules and edges is at one volume and may be pooled with the others.

    Attributes
    ----------
    molecule, n_molecules, cosolvents, table, temperature, n_equilibration, n_steps, every, seed, part, time_step
        As in :class:`LiquidRequest`.
    pressure : float
        Of the liquid the slab is cut from [bar]; the slab itself has none.
    width, height : float
        L_x = L_y and L_z of the box [nm]; the surfaces are parallel to xy.
    virial_halves : bool
        Keep the repulsive half of the virials, too, so that samples can be taken to another σ.
    """

    width: float
    height: float
    pressure: float = 1.0
    cosolvents: Components = ()
    part: int = 0
    virial_halves: bool = False

    def __post_init__(self) -> None:
        where = f"slab of {self.molecule.name}"
        if not 0.0 < self.width < self.height < float("inf"):
            raise SettingsError(
                f"a slab needs a box taller than wide, got {self.width} x {self.height} nm", where=where
            )
        _check_run(self, where, pressure=self.pressure, part=self.part)

    @property
    def components(self) -> Components:
        """Every molecule in the box."""
        return ((self.molecule, self.n_molecules), *self.cosolvents)

    @property
    def system(self) -> str:
        """Name under which runs are pooled: molecules and box."""
        return f"slab of {contents_text(self.components)} in {self.width:g} x {self.width:g} x {self.height:g} nm"


@dataclass(frozen=True, kw_only=True, eq=False)
class GasRequest(_Run):
    """One molecule alone at constant volume, touching nothing: one ``WindowSamples``.

    Attributes
    ----------
    molecule, table, temperature, n_equilibration, n_steps, every, seed
        As in :class:`LiquidRequest`.
    """

    molecule: CGMolecule

    def __post_init__(self) -> None:
        _check_run(self, f"gas {self.molecule.name}")

    @property
    def components(self) -> Components:
        """The molecule."""
        return ((self.molecule, 1),)

    @property
    def system(self) -> str:
        """Name under which runs are pooled."""
        return f"{self.molecule.name} alone"


@dataclass(frozen=True, kw_only=True, eq=False)
class DiffusionRequest(_LiquidRun):
    """A liquid at the constant volume it has at ``pressure``, under a weak thermostat without friction: one ``WindowSamples``,
    with the paths of the molecules and the shear stress beside it.

    Attributes
    ----------
    molecule, n_molecules, table, temperature, pressure, n_equilibration, n_steps, every, seed, time_step
        As in :class:`LiquidRequest`; ``every`` is between two frames of the molecules' centres, and the mean volume is that
        of the equilibration.
    stress_every : int
        Steps between samples of the shear stress, a divisor of ``every``; 0 for none.
    """

    stress_every: int = 0

    def __post_init__(self) -> None:
        where = f"self-diffusion of {self.molecule.name}"
        _check_run(self, where, pressure=self.pressure)
        if self.stress_every < 0 or self.every % (self.stress_every or self.every):
            raise SettingsError(
                f"frames every {self.every} steps and stress every {self.stress_every} do not fit together", where=where
            )

    @property
    def components(self) -> Components:
        """Every molecule in the box."""
        return ((self.molecule, self.n_molecules),)

    @property
    def system(self) -> str:
        """Name of the run: molecule and size."""
        return f"self-diffusion of {contents_text(self.components)}"


@dataclass(frozen=True, kw_only=True, eq=False)
class MeltingRequest(_Run):
    """A crystal beside its melt at constant pressure: one ``WindowSamples``, with the part that is crystalline beside it.

    Attributes
    ----------
    molecule : CGMolecule
        Of one bead.
    n_across : int
        Unit cells of the face-centred cubic crystal in x and y; it and the melt are twice as long in z, and hold
        8 ``n_across``³ molecules each.
    table, temperature, pressure, n_equilibration, n_steps, every, seed
        As in :class:`LiquidRequest`. Equilibration is that of the crystal alone; a run ends early when next to nothing is left of
        either phase.
    """

    molecule: CGMolecule
    n_across: int
    pressure: float

    def __post_init__(self) -> None:
        where = f"melting of {self.molecule.name}"
        if self.molecule.n_beads != 1:
            raise SettingsError(
                f"a crystal can be built of molecules of one bead only, {self.molecule.name} has {self.molecule.n_beads}",
                where=where,
            )
        if self.n_across < 1:
            raise SettingsError(f"a crystal needs at least one unit cell, got {self.n_across}", where=where)
        _check_run(self, where, pressure=self.pressure)

    @property
    def components(self) -> Components:
        """Both phases."""
        return ((self.molecule, 16 * self.n_across**3),)

    @property
    def system(self) -> str:
        """Name of the run."""
        return f"crystal beside melt of {contents_text(self.components)} at {self.temperature:g} K"


@dataclass(frozen=True, kw_only=True, eq=False)
class InsertionRequest:
    """The solute put at random into the frames of its solvent: one ``WindowSamples`` of the state λ = 0.

    Attributes
    ----------
    coupling : CouplingRequest
        Solute, solvent, table and path; its steps do not count.
    solvent : tuple of LiquidRequest
        Parts of one run of the same solvent at the same state, with positions.
    n_poses : int
        In each frame.
    n_shapes : int
        Frames of the solute alone from which its shapes are drawn.
    """

    coupling: CouplingRequest
    solvent: tuple[LiquidRequest, ...]
    n_poses: int = 8
    n_shapes: int = 1000

    def __post_init__(self) -> None:
        where, own = self.coupling.system, self.coupling
        if not self.solvent or self.n_poses < 1 or self.n_shapes < 1:
            raise SettingsError("an insertion needs frames, poses and shapes", where=where)
        if own.core is not None:
            raise SettingsError("solutes are put in along the path of their own table", where=where)
        for run in self.solvent:
            state = (run.temperature, run.pressure, contents_text(run.components), run.keep_positions)
            if state != (own.temperature, own.pressure, contents_text(own.components), True):
                raise SettingsError(f"frames of {run.system} are not those of its solvent", where=where)

    @property
    def system(self) -> str:
        """As the coupling's."""
        return self.coupling.system

    @property
    def seed(self) -> int:
        """As the coupling's."""
        return self.coupling.seed


@dataclass(frozen=True, kw_only=True, eq=False)
class BilayerRequest(_Run):
    """A bilayer of one lipid in water without salt, free to choose its area: one ``WindowSamples``, with its frames beside it.

    Attributes
    ----------
    lipid : CGMolecule
    n_lipids : int
        In both leaflets together: an even number.
    area : float
        That each starts with [nm²].
    height : float
        Of the box at the start [nm].
    water, cation, anion : CGMolecule
        One bead each; ions only make up for the charge of the lipids.
    n_solvent : int
        Beads of water and ions.
    table, temperature, pressure, n_equilibration, n_steps, every, seed, part, time_step
        As in :class:`LiquidRequest`; the run is at one pressure in the plane and along the normal.
    """

    lipid: CGMolecule
    n_lipids: int
    area: float
    height: float
    water: CGMolecule
    cation: CGMolecule
    anion: CGMolecule
    n_solvent: int
    pressure: float
    n_equilibration: int = 0
    part: int = 0
    time_step: float | None = None

    def __post_init__(self) -> None:
        where = f"bilayer of {self.lipid.name}"
        if self.n_lipids % 2:
            raise SettingsError(f"two equal leaflets need an even number of lipids, got {self.n_lipids}", where=where)
        if not (0.0 < self.area < float("inf") and 0.0 < self.height < float("inf")):
            raise SettingsError(f"area and height must be positive, got {self.area} and {self.height}", where=where)
        _check_run(self, where, pressure=self.pressure, part=self.part)

    @property
    def size(self) -> tuple[float, float, float]:
        """Edges of the box at the start [nm]."""
        edge = float((0.5 * self.n_lipids * self.area) ** 0.5)
        return edge, edge, self.height

    @property
    def components(self) -> Components:
        """The lipids, and what surrounds them, all of it counted as water."""
        return ((self.lipid, self.n_lipids), (self.water, self.n_solvent))

    @property
    def molecules(self) -> tuple[CGMolecule, ...]:
        """Every kind that may be in the box."""
        return (self.lipid, self.water, self.cation, self.anion)

    @property
    def system(self) -> str:
        """Name of the run: lipid and size."""
        return f"bilayer of {self.n_lipids} {self.lipid.name}"


#: What is run by itself; an insertion rests on other runs.
RunRequest = (
    CouplingRequest | LiquidRequest | SlabRequest | GasRequest | DiffusionRequest | BilayerRequest | MeltingRequest
)
SampleRequest = RunRequest | InsertionRequest
