"""Campaign files: what is read, and every wrong one refused with its file, key and a hint; and the journal."""

import json
from pathlib import Path

import pytest

from topdown.calibration.campaign_file import read_campaign
from topdown.calibration.design import MatrixSettings
from topdown.calibration.journal import Journal
from topdown.errors import InputFileError

GOOD = """
name = "alkanes"
table = "martini2"
temperature = 300
[phases]
oil = "HD"
[[parameters]]
pair = ["P4", "C1"]
prior_width = 0.3
bounds = [1, 3.5]
[[parameters]]
pair = ["C1", "C1"]
prior_width = 0.2
scale = "log"
[[targets.transfer]]
smiles = "CCCC"
name = "butane"
from = "water"
to = "oil"
value = -18
uncertainty = 1.0
[[targets.density]]
liquid = "octane"
model_error = 20.0
split = "held-out"
[sampling]
lambdas = [0, 0.5, 1]
steps = 20_000
every = 100
[optimizer]
ess_threshold = 80
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "campaign.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_campaign_is_read(tmp_path: Path) -> None:
    campaign = read_campaign(write(tmp_path, GOOD))
    assert (campaign.name, campaign.table, campaign.temperature, campaign.pressure) == (
        "alkanes",
        "martini2",
        300.0,
        1.0,
    )
    assert campaign.phases == (("oil", "HD"),)
    assert campaign.parameters[0].pair == ("C1", "P4"), "pairs are sorted"
    assert campaign.parameters[0].bounds == (1.0, 3.5)
    assert campaign.parameters[1].bounds is None
    assert campaign.parameters[1].scale == "log"
    assert campaign.transfers[0].value == -18.0
    assert campaign.transfers[0].split == "calibration"
    assert campaign.densities[0].split == "held-out"
    assert campaign.densities[0].model_error == 20.0
    assert campaign.sampling.lambdas == (0.0, 0.5, 1.0)
    assert (campaign.sampling.n_steps, campaign.sampling.every) == (20_000, 100)
    assert campaign.optimizer.ess_threshold == 80.0
    assert campaign.optimizer.max_rounds == 4
    assert campaign.matrix is None
    assert campaign.budget is None
    assert (campaign.cost.loss, campaign.cost.correlated) == ("student", True)
    assert (campaign.validation.folds, campaign.validation.chemotypes) == (5, True), "validation is on by default"
    assert campaign.other_properties
    assert campaign.types is None
    assert campaign.transfers[0].model_error is None, "not given: learnt"


WIDE = """
[[parameters]]
pairs = [["C1", "N0"], ["P4", "N0"]]
name = "ethers"
prior_width = 0.1
factors = [0.8, 1.25]
[matrix]
form = "classes"
prior_width = 0.12
size_prior_width = 0.0
slope_prior_width = 1e-3
also = [["P4", "P4"]]
[[targets.surface_tension]]
liquid = "octane"
temperature = 310
model_error = 0
[cost]
loss = "gauss"
correlated = false
[validation]
folds = 3
chemotypes = false
[budget]
bead_steps = 5e9
"""


def test_everything_else_a_campaign_may_say(tmp_path: Path) -> None:
    campaign = read_campaign(
        write(tmp_path, GOOD.replace("steps = 20_000", "steps = 20_000\nslab_steps = 30_000") + WIDE)
    )
    (group,) = campaign.groups
    assert (group.name, group.pairs, group.factors) == ("ethers", (("C1", "N0"), ("N0", "P4")), (0.8, 1.25))
    assert campaign.matrix == MatrixSettings(
        form="classes", prior_width=0.12, size_prior_width=0.0, slope_prior_width=1e-3, also=(("P4", "P4"),)
    )
    (tension,) = campaign.tensions
    assert (tension.liquid, tension.temperature, tension.model_error) == ("octane", 310.0, 0.0)
    assert campaign.sampling.slab_steps == 30_000
    assert (campaign.cost.loss, campaign.cost.correlated) == ("gauss", False)
    assert (campaign.validation.folds, campaign.validation.chemotypes) == (3, False)
    assert campaign.budget == 5_000_000_000


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('form = "classes"', 'form = "class"', "'pairs' or 'levels' or 'classes'"),
        ("size_prior_width = 0.0", "size_prior_widht = 0.0", "did you mean 'size_prior_width'"),
        ('also = [["P4", "P4"]]', 'also = [["P4"]]', "different pairs of bead types"),
        ("factors = [0.8, 1.25]", "factors = [1.1, 1.25]", "a factor below 1 and one above"),
        ('pairs = [["C1", "N0"], ["P4", "N0"]]', 'pairs = [["C1", "N0"], ["N0", "C1"]]', "different pairs"),
        ('name = "ethers"', "", "name is missing"),
        ("folds = 3", "folds = 1", "at least 2"),
        ("chemotypes = false", "chemotypes = 0", "true or false"),
        ("bead_steps = 5e9", "bead_steps = 0", "at least 1"),
        ("bead_steps = 5e9", "beadsteps = 5e9", "did you mean 'bead_steps'"),
        ("temperature = 310", "temperature = 0", "above 0"),
        ('loss = "gauss"', 'loss = "huber"', "'student' or 'gauss'"),
    ],
)
def test_wrong_values_of_these_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in WIDE
    with pytest.raises(InputFileError, match=words):
        read_campaign(write(tmp_path, GOOD + WIDE.replace(old, new, 1)))


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read_campaign(path).name == "alkanes"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("prior_width = 0.3", "prior_widht = 0.3", "prior_width is missing"),
        ("bounds = [1, 3.5]", "bound = [1, 3.5]", r"unknown key 'bound' in parameters\[1\] \(did you mean 'bounds'"),
        ("temperature = 300", "temprature = 300", "unknown key 'temprature' .did you mean 'temperature'"),
        ("steps = 20_000", "step = 20_000", "unknown key 'step' in sampling .did you mean 'steps'"),
        ("ess_threshold = 80", "colour = 1", "unknown key 'colour' in optimizer .known keys"),
        ("temperature = 300", "temperature = -3", "temperature must be a number above 0, not -3"),
        ("temperature = 300", "temperature = true", "temperature must be a number"),
        ("temperature = 300", "temperature = nan", "temperature must be a number"),
        ('name = "alkanes"', 'name = "../up"', "name must be a name of letters"),
        ('name = "alkanes"', "", "name is missing"),
        ('pair = ["P4", "C1"]', 'pair = ["P4"]', "two bead types"),
        ("bounds = [1, 3.5]", "bounds = [3.5, 1]", "two rising numbers"),
        ('scale = "log"', 'scale = "cubic"', "'linear' or 'log'"),
        ("uncertainty = 1.0", "", "a value needs its uncertainty"),
        ("uncertainty = 1.0", "uncertainty = 0", "a number above 0"),
        ("model_error = 20.0", "model_error = -1", "at least 0"),
        ('split = "held-out"', 'split = "test"', "'calibration' or 'held-out'"),
        ('to = "oil"', 'to = "water"', "the same phase"),
        ('smiles = "CCCC"', "", "smiles is missing"),
        ("lambdas = [0, 0.5, 1]", "lambdas = [0.5, 1]", "rise from 0 to 1"),
        ("lambdas = [0, 0.5, 1]", "lambdas = [0, 'a', 1]", "rise from 0 to 1"),
        ("steps = 20_000", "steps = 2.5", "a whole number"),
        ("steps = 20_000", "steps = 500", "store only 5 frames"),
        ("[optimizer]", "[optimiser]", "unknown key 'optimiser' .did you mean 'optimizer'"),
        ("[[targets.density]]", "[[targets.densities]]", "unknown key 'densities' in targets .did you mean 'density'"),
        ("[sampling]", "[[sampling]]", r"a section \[sampling\]"),
        ("[[targets.transfer]]", "[targets.transfer]", r"sections \[\[targets.transfer\]\]"),
        ("uncertainty = 1.0", 'uncertainty = 1.0\nsplit = "held-out"', "no calibration target"),
        ("temperature = 300", "temperature = = 300", "broken TOML.*line 4"),
        ("temperature = 300", "name = 'twice'", "broken TOML"),
    ],
)
def test_a_wrong_campaign_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(InputFileError, match=words) as caught:
        read_campaign(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_parameters_there_is_nothing_to_fit(tmp_path: Path) -> None:
    text = "\n".join(GOOD.split("[[parameters]]")[:1]) + "[[targets" + GOOD.split("[[targets", 1)[1]
    with pytest.raises(InputFileError, match="parameters is missing"):
        read_campaign(write(tmp_path, text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no such file"):
        read_campaign(tmp_path / "absent.toml")
    with pytest.raises(InputFileError, match="cannot be read"):
        read_campaign(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(InputFileError, match="UTF-8"):
        read_campaign(tmp_path / "latin.toml")


def test_the_journal_keeps_what_was_decided_and_drops_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.jsonl"
    journal = Journal(path, "abc", resume=False)
    journal.append({"event": "round", "round": 0, "theta": [0.1, 1 / 3]})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event": "rou')
    again = Journal(path, "abc", resume=True)
    assert again.rounds() == [{"event": "round", "round": 0, "theta": [0.1, 1 / 3]}]
    assert path.read_bytes() == whole
    again.append({"event": "finish"})
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["start", "round", "finish"]


def test_journals_that_must_not_be_continued(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path, "abc", resume=False)
    with pytest.raises(InputFileError, match="--resume"):
        Journal(path, "abc", resume=False)
    with pytest.raises(InputFileError, match="another campaign"):
        Journal(path, "other", resume=True)
    path.write_text('{"event": "start", "campaign": "abc"}\nnot json\n{"event": "round"}\n')
    with pytest.raises(InputFileError, match=":2: this line is not a JSON object"):
        Journal(path, "abc", resume=True)
    path.write_text('{"eve')
    assert Journal(path, "abc", resume=True).events == [{"event": "start", "campaign": "abc", "name": ""}]


MATRIX = GOOD.replace("[sampling]", '[matrix]\nsigma = "sizes"\nsigma_prior_width = 0.01\n[sampling]')


def test_sigma_is_free_where_the_matrix_says_so(tmp_path: Path) -> None:
    assert read_campaign(write(tmp_path, MATRIX.replace('sigma = "sizes"\nsigma_prior_width = 0.01', 'form = "pairs"')))
    matrix = read_campaign(write(tmp_path, MATRIX)).matrix
    assert matrix is not None
    assert (matrix.sigma, matrix.sigma_prior_width, matrix.sigma_factors) == ("sizes", 0.01, (0.9, 1.1))
    more = MATRIX.replace("0.01", '0.01\nsigma_factors = [0.8, 1.2]\nsigma_held = [["C1", "C1"]]')
    matrix = read_campaign(write(tmp_path, more)).matrix
    assert matrix is not None
    assert (matrix.sigma_factors, matrix.sigma_held) == ((0.8, 1.2), (("C1", "C1"),))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"sizes"', '"size"', "'off' or 'sizes' or 'size-pairs'"),
        ('"sizes"', '"off"', "sigma_prior_width does nothing while σ is held"),
        ("sigma_prior_width = 0.01", "sigma_held = []", "different pairs of bead types"),
        ("sigma_prior_width = 0.01", "sigma_factors = [1.0, 1.1]", "a factor below 1 and one above"),
        ("sigma_prior_width = 0.01", "sigma_prior_width = 0", "a number above 0"),
    ],
)
def test_wrong_words_about_sigma_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(InputFileError, match=words):
        read_campaign(write(tmp_path, MATRIX.replace(old, new)))


CHECKS = """
[checks]
diffusion_steps = 50_000
bilayer_steps = 1_000_000
melting_runs = 2
melting_steps = 5_000
[[checks.diffusion]]
liquid = "octane"
[[checks.diffusion]]
liquid = "water"
temperature = 320
value = 3.7
uncertainty = 0.1
viscosity = 0.6
[[checks.mixture]]
solute = "octane"
solvent = "water"
[[checks.mixture]]
solute = "water"
solvent = "octanol"
temperature = 310
value = -0.4
uncertainty = 0.2
[[checks.bilayer]]
lipid = "DPPC"
temperature = 323.15
[[checks.bilayer]]
lipid = "MINE"
smiles = "CCCCCCCCCCCC(=O)OCC(COP(=O)([O-])OCC[N+](C)(C)C)OC(=O)CCCCCCCCCCC"
n_lipids = 72
value = 0.61
uncertainty = 0.02
[[checks.melting]]
liquid = "water"
value = 273.15
uncertainty = 0.01
[[checks.melting]]
liquid = "chloroform"
"""


def test_checks_are_read(tmp_path: Path) -> None:
    assert read_campaign(write(tmp_path, GOOD)).checks.diffusion == ()
    found = read_campaign(write(tmp_path, GOOD + CHECKS)).checks
    octane, water = found.diffusion
    assert found.diffusion_steps == 50_000
    assert (octane.liquid, octane.temperature, octane.value, octane.viscosity) == ("octane", None, None, None)
    assert (water.temperature, water.value, water.uncertainty, water.viscosity) == (320.0, 3.7, 0.1, 0.6)
    first, second = found.mixtures
    assert (first.solute, first.solvent, first.temperature, first.value) == ("octane", "water", None, None)
    assert (second.temperature, second.value, second.uncertainty) == (310.0, -0.4, 0.2), "a logarithm may be negative"
    dppc, mine = found.bilayers
    assert found.bilayer_steps == 1_000_000
    assert (dppc.lipid, dppc.smiles, dppc.n_lipids, dppc.temperature, dppc.value) == ("DPPC", "", 128, 323.15, None)
    assert (mine.lipid, mine.smiles[:6], mine.n_lipids, mine.temperature) == ("MINE", "CCCCCC", 72, None)
    assert (mine.value, mine.uncertainty) == (0.61, 0.02)
    ice, chloroform = found.melting
    assert (ice.liquid, ice.value, ice.uncertainty) == ("water", 273.15, 0.01)
    assert (chloroform.liquid, chloroform.value) == ("chloroform", None)
    assert (found.melting_of_all, found.melting_runs, found.melting_steps, found.melting_cells) == (False, 2, 5000, 5)


def test_melting_of_all_liquids_is_one_word(tmp_path: Path) -> None:
    found = read_campaign(write(tmp_path, GOOD + '[checks]\nmelting = "all"\nmelting_cells = 6\n')).checks
    assert (found.melting, found.melting_of_all, found.melting_cells) == ((), True, 6)
    for words in ('"al"', "true", "[1]"):
        with pytest.raises(InputFileError, match=r"checks\.melting must be"):
            read_campaign(write(tmp_path, GOOD + f"[checks]\nmelting = {words}\n"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("viscosity = 0.6", "viscosty = 0.6", "viscosity"),
        ("uncertainty = 0.1", "", "uncertainty is missing"),
        ("50_000", "1000", "at least 25000"),
        ('liquid = "octane"', 'liquid = "water"\ntemperature = 320', "names a liquid twice"),
        ("diffusion_steps", "difusion_steps", "diffusion_steps"),
        ("viscosity = 0.6", "viscosity = -1", "above 0"),
        ('solvent = "water"', 'solvent = "octane"', "same liquid"),
        ('solvent = "octanol"\ntemperature = 310', 'solvent = "octanol"\nvolume = 1', "volume"),
        ('solute = "water"\nsolvent = "octanol"\ntemperature = 310', 'solute = "octane"\nsolvent = "water"', "twice"),
        ("value = -0.4\n", "", "value is missing"),
        ('lipid = "DPPC"', 'lipids = "DPPC"', "lipids"),
        ('lipid = "MINE"', 'lipid = "DPPC"\ntemperature = 323.15', "names a lipid twice"),
        ("n_lipids = 72", "n_lipids = 72.5", "whole number"),
        ("uncertainty = 0.02", "", "uncertainty is missing"),
        ("1_000_000", "1000", "at least 25000"),
        ("melting_steps = 5_000", "melting_steps = 500", "at least 1000"),
        ("melting_runs = 2", "melting_cells = 3", "at least 4"),
        ("melting_runs = 2", "melting_ns = 0.4", "melting_"),
        ('liquid = "chloroform"', 'liquid = "water"', "names a liquid twice"),
        ('liquid = "chloroform"', 'liquid = "chloroform"\ntemperature = 300', "temperature"),
        ("uncertainty = 0.01", "", "uncertainty is missing"),
    ],
)
def test_wrong_checks_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in CHECKS
    with pytest.raises(InputFileError) as caught:
        read_campaign(write(tmp_path, GOOD + CHECKS.replace(old, new)))
    assert words in str(caught.value)


@pytest.mark.parametrize("key", ["diffusion_steps", "bilayer_steps", "melting_steps", "melting_runs", "melting_cells"])
def test_settings_of_checks_that_are_not_asked_for_are_refused(tmp_path: Path, key: str) -> None:
    kind = key.partition("_")[0]
    with pytest.raises(InputFileError, match=rf"{key} does nothing \(add \[\[checks.{kind}\]\]\)"):
        read_campaign(write(tmp_path, GOOD + f"[checks]\n{key} = 50_000\n"))
