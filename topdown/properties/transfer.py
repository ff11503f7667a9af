"""Free energies of transfer: one solute, two phases, soft-core coupling in each.

ΔG(from → to) = ΔG_solv(to) - ΔG_solv(from), ΔG_solv(gas) = 0, at 1 mol/L in both phases; negative when the molecule prefers
``to``. log10(c_to/c_from) = -ΔG/(RT ln 10).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot

from topdown.errors import SettingsError
from topdown.estimators.coupling import CouplingDiagnostics
from topdown.model import BeadTable, CGMolecule, Estimate, Measurement
from topdown.model.requests import CouplingRequest, charges_last
from topdown.properties.measurements import find_measurement
from topdown.properties.phases import DATA_NAMES, Phase, solvent_components
from topdown.sampling.equilibrate import TIME_STEP
from topdown.units import kj_mol_per_log_unit

#: The soft-core path; steps are short where ∂U/∂λ of a Martini bead is steep.
LAMBDAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
#: Factors of the solute's charges that follow for a charged solute, its cores at full size.
CHARGES = (0.25, 0.5, 0.75, 1.0)
#: Said of free energies put together from parts of the molecule.
PIECED_REMARK = "no stored simulation has the shape of this molecule: put together from shapes of its parts"


@dataclass(frozen=True, kw_only=True)
class SolvationResult:
    """Free energy of solvation in one phase.

    Attributes
    ----------
    phase : str
    delta_g : Estimate
        ΔG(gas → phase) [kJ/mol].
    overlap : float
        Weakest overlap along the λ path (0.03 is the least that is accepted).
    n_windows, n_frames : int
    n_solvent : int
        Solvent molecules in the box.
    alarms : tuple of str
        Runs that froze or evaporated and were cut short.
    diagnostics : CouplingDiagnostics or None
        What it rests on.
    cost : float
        Beads times steps of this solute's own runs.
    shared_error : float
        Standard error that the same solute has in every liquid alike, beside that of ``delta_g`` [kJ/mol]: it cancels between two
        liquids, not against the gas.
    pieced : bool
        Whether it was put together from parts of the molecule.
    """

    phase: str
    delta_g: Estimate
    overlap: float
    n_windows: int
    n_frames: int
    n_solvent: int
    alarms: tuple[str, ...] = ()
    diagnostics: CouplingDiagnostics | None = None
    cost: float = 0.0
    shared_error: float = 0.0
    pieced: bool = False


@dataclass(frozen=True, kw_only=True)
class TransferResult:
    """Free energy of transfer between two phases.

    Attributes
    ----------
    delta_g : Estimate
        ΔG(from → to) [kJ/mol].
    log_p, log_p_error : float
        log10(c_to/c_from) and its standard error.
    legs : tuple of SolvationResult
        ``from`` then ``to``; the gas has none.
    experiment : Measurement or None
        Turned to the same direction, ``value`` being ΔG(from → to) [kJ/mol].
    remarks : tuple of str
    """

    from_phase: str
    to_phase: str
    temperature: float
    delta_g: Estimate
    log_p: float
    log_p_error: float
    legs: tuple[SolvationResult, ...]
    experiment: Measurement | None
    remarks: tuple[str, ...] = ()


def check_sampling_time(nanoseconds: float) -> None:
    """Refuse a sampling time per window below 0.01 ns or above 1000 ns (SettingsError)."""
    if not 0.01 <= nanoseconds <= 1000.0:
        raise SettingsError(f"sampling of {nanoseconds:g} ns per window is out of range", hint="0.01 to 1000")


def check_neutral(solute: CGMolecule) -> None:
    """Refuse a solute with a net charge (SettingsError)."""
    net = sum(bead.charge for bead in solute.beads)
    if abs(net) > 1e-6:
        raise SettingsError(
            f"{solute.name} carries a net charge of {net:+g}; only neutral molecules can be transferred",
            hint="give the neutral form: an ion moves with a counter-ion, and one relative permittivity serves every phase here",
        )


def coupling_request(
    solute: CGMolecule,
    phase: Phase,
    table: BeadTable,
    *,
    temperature: float,
    pressure: float = 1.0,
    nanoseconds: float,
    seed: int,
    lambdas: tuple[float, ...] = LAMBDAS,
) -> CouplingRequest:
    """What to run for the solvation free energy of ``solute`` in ``phase``.

    Parameters
    ----------
    solute : CGMolecule
        Without net charge. Where beads carry charges, they follow in steps of ``CHARGES`` once the cores are grown.
    phase : Phase
        Not the gas.
    table : BeadTable
    temperature, pressure : float
        [K], [bar]
    nanoseconds : float
        Sampled per window, after equilibration for a fifth of that or 60 ps, whichever is more.
    seed : int
    lambdas : tuple of float

    Raises
    ------
    SettingsError
        The gas, a solute with a net charge, or a sampling time out of range.
    """
    (solvent, n_solvent), *cosolvents = solvent_components(solute, phase, table)
    check_neutral(solute)
    check_sampling_time(nanoseconds)
    charge_lambdas = None
    if any(bead.charge for bead in solute.beads):
        lambdas, charge_lambdas = charges_last(lambdas, CHARGES)
    n_steps = round(nanoseconds * 1000.0 / TIME_STEP)
    return CouplingRequest(
        solute=solute,
        solvent=solvent,
        n_solvent=n_solvent,
        cosolvents=tuple(cosolvents),
        table=table.subset({*solute.type_names, *phase.type_names()}),
        temperature=temperature,
        pressure=pressure,
        lambdas=lambdas,
        charge_lambdas=charge_lambdas,
        n_equilibration=max(n_steps // 5, 3000),
        n_steps=n_steps,
        every=25,
        seed=seed,
    )


def transfer_free_energy(
    from_phase: Phase,
    to_phase: Phase,
    legs: dict[str, SolvationResult],
    *,
    temperature: float,
    canonical_smiles: str,
) -> TransferResult:
    """Combine the legs of two phases and look up the measured value."""
    start, end = legs.get(from_phase.name), legs.get(to_phase.name)
    value = (end.delta_g.value if end else 0.0) - (start.delta_g.value if start else 0.0)
    used = [leg for leg in (start, end) if leg is not None]
    error = hypot(*(leg.delta_g.standard_error for leg in used), *(leg.shared_error for leg in used if len(used) == 1))
    decade = kj_mol_per_log_unit(temperature)
    return TransferResult(
        from_phase=from_phase.name,
        to_phase=to_phase.name,
        temperature=temperature,
        delta_g=Estimate(
            value=value,
            standard_error=error,
            n_effective=min((leg.delta_g.n_effective for leg in used), default=0.0),
            provenance="difference of solvation free energies",
        ),
        log_p=-value / decade,
        log_p_error=error / decade,
        legs=tuple(used),
        experiment=measured_transfer(canonical_smiles, from_phase.name, to_phase.name),
        remarks=(
            *(phase.remark for phase in (from_phase, to_phase) if phase.remark and phase.name != "gas"),
            *(alarm for leg in used for alarm in leg.alarms),
            *([PIECED_REMARK] if any(leg.pieced for leg in used) else []),
        ),
    )


def measured_transfer(canonical_smiles: str, from_phase: str, to_phase: str) -> Measurement | None:
    """Measured ΔG(from → to) [kJ/mol] near 298 K, or None; data hold oil → water and gas → water."""
    for oil, sign in ((from_phase, 1.0), (to_phase, -1.0)):
        other = to_phase if oil == from_phase else from_phase
        if other != "water":
            continue
        oil = DATA_NAMES.get(oil, oil)
        if oil == "gas":
            found = find_measurement("hydration_free_energy", canonical_smiles, "gas/water")
        else:
            found = find_measurement("transfer_free_energy", canonical_smiles, f"{oil}/water")
        if found is not None:
            return replace(found, value=sign * found.value, phase=f"{from_phase}→{to_phase}")
    return None
