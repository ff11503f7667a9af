"""From a campaign file to a problem: its table, molecules, phases and measured values found, its boxes laid out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TypedDict

from topdown.calibration.campaign import Campaign, GroupEntry, LiquidEntry, ParameterEntry, TransferEntry
from topdown.calibration.campaign_checks import DiffusionCheckEntry, MixtureCheckEntry
from topdown.calibration.campaign_file import read_campaign
from topdown.calibration.design import matrix_space
from topdown.calibration.parameters import FreeParameter, ParameterSpace, SharedParameter
from topdown.calibration.planned_checks import DiffusionPlan, MixturePlan
from topdown.calibration.problem import CalibrationProblem, SimulatedSystem
from topdown.calibration.targets import DensityTarget, Split, SurfaceTensionTarget, Target, TransferTarget, key_of
from topdown.errors import InputFileError, MappingError, MoleculeError, SettingsError
from topdown.mapping import canonical_smiles, map_molecule
from topdown.mapping.chemotypes import chemotype
from topdown.model import BeadTable, CGMolecule, Measurement
from topdown.model.requests import contents_text
from topdown.properties.measurements import find_measurement, load_measurements
from topdown.properties.phases import Phase, box_components, find_phase, pure_phase
from topdown.properties.surface_tension import slab_request
from topdown.sampling.fingerprints import describe_molecule, hash_of
from topdown.tables import find_molecule, load_bead_table, load_molecule
from topdown.workflows.calibration_bilayers import bilayer_plan, checked_value
from topdown.workflows.calibration_melting import melting_plans
from topdown.workflows.calibration_types import type_settings

_WATER = "water"
#: Measured values within this of the target's temperature are taken as they are [K].
_TEMPERATURE_TOLERANCE = 5.0


def read_problem(path: Path | str) -> CalibrationProblem:
    """A campaign file with its table, molecules and measured values found.

    Raises
    ------
    TopdownError
        Anything wrong in the file, its table, molecules or data.
    """
    campaign = read_campaign(path)
    table = load_bead_table(_table_place(campaign))
    if campaign.name == table.name:
        raise InputFileError(
            f"name {campaign.name!r} is that of the start table", where=str(campaign.path), hint="choose another name"
        )
    resolver = _Resolver(campaign, table)
    targets: list[Target] = [resolver.transfer(entry) for entry in campaign.transfers]
    targets += [resolver.density(entry) for entry in campaign.densities]
    targets += [resolver.surface_tension(entry) for entry in campaign.tensions]
    checks = resolver.other_properties(targets) if campaign.other_properties else []
    targets += checks
    types = None
    if campaign.types is not None:
        liquids = {key_of(m) for s in resolver.systems.values() for m, _ in s.components()}
        types, notes = type_settings(campaign.types, targets, liquids, table, campaign.path)
        resolver.warnings += notes
    return CalibrationProblem(
        name=campaign.name,
        table=table,
        temperature=campaign.temperature,
        pressure=campaign.pressure,
        space=_space(campaign, table, targets, resolver),
        targets=tuple(targets),
        systems=resolver.systems,
        sampling=campaign.sampling,
        optimizer=campaign.optimizer,
        cost=campaign.cost,
        validation=campaign.validation,
        budget=campaign.budget,
        types=types,
        checks=tuple(t.label for t in checks),
        mixtures=tuple(resolver.mixture(entry) for entry in campaign.checks.mixtures),
        diffusion=tuple(
            resolver.diffusion(entry, campaign.checks.diffusion_steps) for entry in campaign.checks.diffusion
        ),
        bilayers=tuple(
            bilayer_plan(entry, campaign, resolver.place, campaign.checks.bilayer_steps)
            for entry in campaign.checks.bilayers
        ),
        melting=melting_plans(campaign, table, resolver.phase, resolver.pure),
        warnings=tuple(resolver.warnings),
    )


def _table_place(campaign: Campaign) -> str | Path:
    """The start table: a folder is meant relative to the campaign file."""
    beside = campaign.path.parent / campaign.table
    return beside if "/" in campaign.table and beside.is_dir() else campaign.table


def _space(campaign: Campaign, table: BeadTable, targets: list[Target], resolver: _Resolver) -> ParameterSpace:
    """What the campaign may move."""
    named = tuple(_free_parameter(entry, table) for entry in campaign.parameters)
    groups = tuple(_group(entry) for entry in campaign.groups)
    used = [resolver.systems[s] for t in targets if t.split == "calibration" for s in t.systems]
    present = {pair for system in used for pair in system.meetings()}
    for entry in campaign.groups:
        strangers = [pair for pair in entry.pairs if pair not in present]
        if strangers:
            raise SettingsError(
                f"no calibration target holds both bead types of {'-'.join(strangers[0])}",
                where=f"{campaign.path}: {entry.name}",
                hint="add a target that depends on it, or drop the pair",
            )
    if campaign.matrix is None:
        starts = {pair: table.pair(*pair)[1] for entry in campaign.groups for pair in entry.pairs}
        return ParameterSpace(parameters=named, shared=groups, starts=starts, temperature=campaign.temperature)
    temperatures = {t.temperature or campaign.temperature for t in targets if t.split == "calibration"}
    if campaign.matrix.slope_prior_width > 0.0 and len(temperatures) < 2:
        raise InputFileError(
            "matrix.slope_prior_width asks for slopes with temperature, but all calibration targets are at one",
            where=str(campaign.path),
            hint="give some targets another temperature, or drop the key",
        )
    return matrix_space(
        table,
        campaign.matrix,
        present=present,
        water=resolver.water_types(),
        named=named,
        groups=groups,
        temperature=campaign.temperature,
    )


def _free_parameter(entry: ParameterEntry, table: BeadTable) -> FreeParameter:
    _, start = table.pair(*entry.pair)
    lower, upper = entry.bounds or (0.2 * start, 2.0 * start)
    return FreeParameter(
        pair=entry.pair, start=start, prior_width=entry.prior_width, lower=lower, upper=upper, scale=entry.scale
    )


def _group(entry: GroupEntry) -> SharedParameter:
    low, high = entry.factors
    return SharedParameter(
        name=entry.name,
        rows=tuple((pair, 1.0) for pair in sorted(entry.pairs)),
        prior_width=entry.prior_width,
        lower=math.log(low),
        upper=math.log(high),
    )


class _Common(TypedDict):
    """What every target has."""

    molecule: CGMolecule
    measured: float
    uncertainty: float
    model_error: float
    learn_model_error: bool
    temperature: float | None
    chemotype: str
    split: Split
    reference: str


def _common(
    entry: TransferEntry | LiquidEntry, molecule: CGMolecule, value: float, uncertainty: float, reference: str
) -> _Common:
    """What every target takes from its section and from its measured value."""
    return _Common(
        molecule=molecule,
        measured=value,
        uncertainty=uncertainty,
        model_error=entry.model_error or 0.0,
        learn_model_error=entry.model_error is None,
        temperature=entry.temperature,
        chemotype=_kind(molecule),
        split=entry.split,
        reference=reference,
    )


class _Resolver:
    """Finds the molecules and measured values a campaign names, and collects the systems they need."""

    def __init__(self, campaign: Campaign, table: BeadTable) -> None:
        self.campaign, self.table = campaign, table
        self.place = _table_place(campaign)
        self.phase_models = dict(campaign.phases)
        self.systems: dict[str, SimulatedSystem] = {}
        self.warnings: list[str] = []

    def water_types(self) -> set[str]:
        """Bead types of water in the table."""
        water = find_molecule(self.place, "O")
        return set(water.type_names) if water is not None else set()

    def transfer(self, entry: TransferEntry) -> TransferTarget:
        """The target of a ``[[targets.transfer]]`` section."""
        solute = self._solute(entry)
        where = f"{self.campaign.path}: {solute.name} {entry.origin}→{entry.destination}"
        origin, destination = self.phase(entry.origin), self.phase(entry.destination)
        value, uncertainty, reference = entry.value, entry.uncertainty, ""
        if value is None or uncertainty is None:
            oil, sign = self._oil(entry, origin, destination, where)
            phase = f"{oil}/{_WATER}"
            found = self._measured("transfer_free_energy", solute.canonical_smiles, phase, entry, where)
            value, uncertainty = sign * found.value, entry.uncertainty or found.uncertainty
            reference = found.reference
        return TransferTarget(
            origin=entry.origin,
            destination=entry.destination,
            origin_system=self._coupling(solute, origin, entry.temperature),
            destination_system=self._coupling(solute, destination, entry.temperature),
            origin_family=_family(origin),
            destination_family=_family(destination),
            **_common(entry, solute, value, uncertainty, reference),
        )

    def density(self, entry: LiquidEntry) -> DensityTarget:
        """The target of a ``[[targets.density]]`` section."""
        liquid, value, uncertainty, reference = self._liquid_target(entry, "density")
        (molecule, n), *_ = box_components(liquid, self.table, min_beads=self.campaign.sampling.n_beads)
        return DensityTarget(
            n_molecules=n,
            system=self._add(
                SimulatedSystem(
                    name=f"{n} {molecule.name}{_at(entry.temperature)}",
                    liquid=molecule,
                    n_molecules=n,
                    temperature=entry.temperature,
                )
            ),
            **_common(entry, molecule, value, uncertainty, reference),
        )

    def other_properties(self, targets: Sequence[Target]) -> list[Target]:
        """Densities of the pure solvents that are measured and no targets, held out: another property than is fitted."""
        known = {t.molecule_key for t in targets if isinstance(t, DensityTarget)}
        found: list[Target] = []
        for entry in self.campaign.transfers:
            for name in (entry.origin, entry.destination):
                liquid = self.phase(name, dry=True)
                molecule = liquid.components[0].molecule
                key = key_of(molecule)
                if len(liquid.components) > 1 or key in known or not molecule.molar_mass > 0:
                    continue
                known.add(key)
                check = LiquidEntry(
                    liquid=name, value=None, uncertainty=None, model_error=None, temperature=None, split="held-out"
                )
                try:
                    found.append(self.density(check))
                except InputFileError:
                    continue  # nobody has measured it, or the value is suspect
        return found

    def diffusion(self, entry: DiffusionCheckEntry, n_steps: int) -> DiffusionPlan:
        """The check of a ``[[checks.diffusion]]`` section; a liquid that nobody has measured is followed all the same."""
        liquid = self.pure(entry.liquid, f"{self.campaign.path}: self-diffusion of {entry.liquid}")
        (molecule, n), *_ = box_components(liquid, self.table, min_beads=self.campaign.sampling.n_beads)
        temperature = entry.temperature or self.campaign.temperature
        return DiffusionPlan(
            liquid=entry.liquid,
            molecule=molecule,
            n_molecules=n,
            n_real=liquid.components[0].model.n_real,
            temperature=temperature,
            n_steps=n_steps,
            viscosity=entry.viscosity,
            measured=checked_value(entry, "self_diffusion", molecule.canonical_smiles, temperature),
        )

    def mixture(self, entry: MixtureCheckEntry) -> MixturePlan:
        """The check of a ``[[checks.mixture]]`` section, and the boxes it takes."""
        where = f"{self.campaign.path}: {entry.solute} in {entry.solvent}"
        of_a, of_b = (self.pure(name, where).components[0] for name in (entry.solute, entry.solvent))
        if of_a.molecule.canonical_smiles == of_b.molecule.canonical_smiles:
            raise InputFileError("solute and solvent are the same liquid", where=where, hint="choose two liquids")
        if of_a.molecule.charge:
            raise InputFileError("the solute carries a net charge", where=where, hint="choose a neutral liquid")
        boxes = [
            self._coupling(of_a.molecule, pure_phase(c.molecule.name, c.model), entry.temperature) for c in (of_a, of_b)
        ]
        if len({hash_of(describe_molecule(self.systems[box].solute or of_a.molecule)) for box in boxes}) > 1:
            raise InputFileError(
                f"a target calls another model than that of the liquid {entry.solute}",
                where=where,
                hint="give the target another name",
            )
        temperature = entry.temperature or self.campaign.temperature
        return MixturePlan(
            solute=entry.solute,
            solvent=entry.solvent,
            systems=(boxes[0], boxes[1]),
            real_molecules=(
                self.systems[boxes[0]].n_molecules * of_a.model.n_real,
                self.systems[boxes[1]].n_molecules * of_b.model.n_real,
            ),
            n_real=of_a.model.n_real,
            temperature=temperature,
            measured=checked_value(
                entry,
                "solubility",
                of_a.molecule.canonical_smiles,
                temperature,
                phase=of_b.molecule.canonical_smiles,
            ),
        )

    def surface_tension(self, entry: LiquidEntry) -> SurfaceTensionTarget:
        """The target of a ``[[targets.surface_tension]]`` section."""
        liquid, value, uncertainty, reference = self._liquid_target(entry, "surface_tension")
        temperature = entry.temperature or self.campaign.temperature
        request = slab_request(liquid, self.table, temperature=temperature, seed=1, run=0, part=0)
        molecule, n = request.components[0]
        system = SimulatedSystem(
            name=f"slab of {n} {molecule.name}{_at(entry.temperature)}",
            liquid=molecule,
            n_molecules=n,
            slab=(request.width, request.height),
            temperature=entry.temperature,
        )
        return SurfaceTensionTarget(
            area=request.width**2,
            system=self._add(system),
            **_common(entry, molecule, value, uncertainty, reference),
        )

    def _liquid_target(self, entry: LiquidEntry, quantity: str) -> tuple[Phase, float, float, str]:
        where = f"{self.campaign.path}: {quantity.replace('_', ' ')} of {entry.liquid}"
        liquid = self.pure(entry.liquid, where)
        value, uncertainty, reference = entry.value, entry.uncertainty, ""
        if value is None or uncertainty is None:
            canonical = liquid.components[0].molecule.canonical_smiles
            found = self._measured(quantity, canonical, "liquid", entry, where)
            value, uncertainty, reference = found.value, entry.uncertainty or found.uncertainty, found.reference
        return liquid, value, uncertainty, reference

    def pure(self, name: str, where: str) -> Phase:
        """The pure liquid of a name."""
        liquid = self.phase(name, dry=True)
        if len(liquid.components) > 1:
            raise InputFileError(f"the phase {name!r} is a mixture", where=where, hint="choose a pure liquid")
        return liquid

    def _solute(self, entry: TransferEntry) -> CGMolecule:
        if entry.model:
            molecule = load_molecule(self.place, entry.model)
            return replace(molecule, name=entry.name or entry.model)
        try:
            canonical = canonical_smiles(entry.smiles)
        except MoleculeError as error:
            raise InputFileError(str(error), where=str(self.campaign.path)) from None
        name = entry.name or canonical
        curated = find_molecule(self.place, canonical)
        if curated is not None:
            return replace(curated, name=name)
        return map_molecule(entry.smiles, self.table, name=name)

    def phase(self, name: str, *, dry: bool = False) -> Phase:
        """A phase whose main molecule is named like it: by ``[phases]``, or as every command knows it.

        ``dry`` takes the name of a liquid for the pure liquid: octanol for a density is not the one saturated with water.
        """
        known = f"model:{self.phase_models[name]}" if name in self.phase_models else name
        try:
            found = find_phase("dry octanol" if dry and known == "octanol" else known, self.place)
        except (SettingsError, MoleculeError) as error:
            raise self._unknown_phase(name, error) from None
        if not found.components:
            raise InputFileError(
                f"the phase {name!r} is not simulated", where=str(self.campaign.path), hint="choose a liquid"
            )
        first, *others = found.components
        label = name if len(found.components) == 1 else first.molecule.name
        named = replace(first, model=replace(first.model, molecule=replace(first.molecule, name=label)))
        return replace(found, components=(named, *others))

    def _unknown_phase(self, name: str, error: SettingsError | MoleculeError) -> InputFileError:
        known = sorted({_WATER, *(m.name.casefold() for m in load_measurements("density"))})
        near = get_close_matches(name, known, n=1, cutoff=0.7)
        hint = f"did you mean {near[0]!r}?" if near else f'say which model it is: [phases] {name} = "MODEL"'
        return InputFileError(f"unknown phase {name!r}: {error.message}", where=str(self.campaign.path), hint=hint)

    def _coupling(self, solute: CGMolecule, phase: Phase, temperature: float | None) -> str:
        components = box_components(phase, self.table, min_beads=self.campaign.sampling.n_beads)
        (solvent, n), *cosolvents = components
        name = f"{solute.name} in {contents_text(components)}{_at(temperature)}"
        return self._add(
            SimulatedSystem(
                name=name,
                liquid=solvent,
                n_molecules=n,
                cosolvents=tuple(cosolvents),
                solute=solute,
                temperature=temperature,
            )
        )

    def _add(self, system: SimulatedSystem) -> str:
        known = self.systems.setdefault(system.name, system)
        if (known.solute and known.solute.canonical_smiles) != (system.solute and system.solute.canonical_smiles):
            raise InputFileError(
                f"two different molecules are called {system.solute.name if system.solute else system.name!r}",
                where=str(self.campaign.path),
                hint="give each target its own name",
            )
        for bead_type in system.bead_types():
            self.table.index(bead_type)
        return system.name

    def _oil(self, entry: TransferEntry, origin: Phase, destination: Phase, where: str) -> tuple[str, float]:
        """The phase that is not water, as the data call it, and the sign that turns the stored ΔG(oil→water) into
        ΔG(from→to)."""
        if entry.destination == _WATER:
            return origin.data_name, 1.0
        if entry.origin == _WATER:
            return destination.data_name, -1.0
        raise InputFileError(
            "the data know transfer from and to water only", where=where, hint="give value and uncertainty"
        )

    def _measured(
        self, quantity: str, canonical: str, phase: str, entry: TransferEntry | LiquidEntry, where: str
    ) -> Measurement:
        temperature = entry.temperature or self.campaign.temperature
        found = find_measurement(quantity, canonical, phase, temperature, tolerance=_TEMPERATURE_TOLERANCE)
        if found is None:
            raise InputFileError(
                f"there is no measured {quantity.replace('_', ' ')} of {canonical} for {phase} near {temperature:g} K",
                where=where,
                hint="give value and uncertainty",
            )
        if found.flag:
            raise InputFileError(
                f"the measured value is suspect: {found.flag}",
                where=where,
                hint="give value and uncertainty, or drop it",
            )
        if entry.split == "calibration" and found.split == "validation":
            self.warnings.append(
                f"{found.name} ({phase}) belongs to the validation part of the data, and is fitted here"
            )
        return found


def _at(temperature: float | None) -> str:
    return "" if temperature is None else f" at {temperature:g} K"


def _kind(molecule: CGMolecule) -> str:
    """The chemotype of a molecule; that of its beads where its SMILES is not known."""
    if molecule.canonical_smiles:
        try:
            return chemotype(molecule.canonical_smiles)
        except (MoleculeError, MappingError):
            pass
    return "-".join(sorted(set(molecule.type_names)))


def _family(phase: Phase) -> str:
    """The kind of a phase's main molecule."""
    return _kind(phase.components[0].molecule)
