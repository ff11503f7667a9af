"""Which shapes a campaign of classes samples, and which molecules its further phases are fitted to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from made_up_classes import PARENT, made_up_sums

from topdown.calibration.class_campaign import read_class_campaign
from topdown.calibration.class_fit import ClassMolecule, ClassProblem
from topdown.properties.measurements import load_measurements
from topdown.properties.sampler import EngineSampler
from topdown.properties.shape_sums import read_shape_sums, write_shape_sums
from topdown.resources import bead_tables_folder
from topdown.workflows.class_problem import further_problem
from topdown.workflows.class_sums import SHAPES_FOLDER, sampled_sums, shape_models, sums_file

SHIPPED = bead_tables_folder() / "topdown1" / "campaign.toml"


class NoSampler(EngineSampler):
    """Fails where anything is to be sampled."""

    def __init__(self) -> None:
        pass


def test_only_the_first_shapes_of_a_phase_are_sampled(tmp_path: Path) -> None:
    campaign = read_class_campaign(SHIPPED)
    models = shape_models(SHIPPED.parent / SHAPES_FOLDER, PARENT, 3)
    shipped, header = read_shape_sums(sums_file(SHIPPED.parent, "toluene"))
    two = {name: shipped[name] for name in list(models)[:2]}
    sums_file(tmp_path, "toluene").parent.mkdir()
    write_shape_sums(sums_file(tmp_path, "toluene"), two, {k: v for k, v in header.items() if k != "shapes"})
    phase = replace(campaign.further[1], n_shapes=2)
    here = replace(campaign, path=tmp_path / "campaign.toml")
    found = sampled_sums(here, [phase], models, PARENT, NoSampler(), print)
    assert list(found["toluene"]) == list(models)[:2]


def test_further_phases_are_fitted_to_molecules_with_values_and_sums_there() -> None:
    campaign = read_class_campaign(SHIPPED)
    smiles = ("c1ccccc1", "CCO", "N#N")
    molecules = [
        ClassMolecule(smiles=s, sizes=("R",), features=({},), shape=shape, order=(0,))
        for s, shape in zip(smiles, ("both", "one", "both"))
    ]
    rng = np.random.default_rng(1)
    sums = {
        phase: {shape: made_up_sums(rng, "R", bead) for shape in shapes}
        for phase, bead, shapes in (
            ("water", "W", ("both", "one")),
            ("carbon tetrachloride", "X1", ("both", "one")),
            ("toluene", "TC5", ("both",)),
        )
    }
    whole = ClassProblem(molecules, [], {"water": sums["water"]}, PARENT, campaign.solvents)
    found = further_problem(campaign, PARENT, whole, sums)
    assert found is not None
    assert [m.smiles for m in found.molecules] == ["c1ccccc1"], "ethanol has no sums in toluene, nitrogen no values"
    assert whole.beads_of(found).tolist() == [0]
    assert found.phases == ("water", "carbon tetrachloride", "toluene")
    assert found.solvents == (*campaign.solvents, "SC4", "TC5", "X1")
    measured = {
        row.phase: row.value
        for row in load_measurements("transfer_free_energy")
        if row.canonical_smiles == "c1ccccc1" and row.phase.startswith(("carbon tet", "toluene"))
    }
    assert {f"{o.phase}/water": o.value for o in found.observations} == measured
    assert len(measured) == 2
    assert further_problem(replace(campaign, further=()), PARENT, whole, sums) is None
