"""What a free energy of transfer says about itself."""

from dataclasses import replace

from topdown.model import CGMolecule
from topdown.properties.instant import load_instant_sums
from topdown.properties.phases import Phase, solvent_phase
from topdown.properties.solvation import SolvationResult
from topdown.workflows.map_lists import MoleculeRequest
from topdown.workflows.transfer import TransferSettings, transfer_outcomes


def test_phases_that_a_table_was_not_fitted_to_are_named() -> None:
    """Whatever the free energies are; here they are those in water, so that nothing is simulated."""
    sums = load_instant_sums("topdown1")

    def solvation(solute: CGMolecule, phase: Phase) -> SolvationResult:
        return replace(sums.solvation(solute, "water"), phase=phase.name)

    names = ("octanol", "chlorobenzene")
    ends = [solvent_phase(name, "topdown1") for name in names]
    found = transfer_outcomes(
        MoleculeRequest(smiles="CCO", name="ethanol"),
        sums.table,
        "topdown1",
        solvent_phase("water", "topdown1"),
        ends,
        TransferSettings(to_phases=names),
        solvation,
    )
    remarks = {one.to_phase: one.result.remarks for one in found if one.result is not None}
    told = "topdown1 was not fitted to free energies in chlorobenzene: --table martini3 is nearer there"
    assert told in remarks["chlorobenzene"]
    assert not any("not fitted" in remark for remark in remarks["octanol"])
