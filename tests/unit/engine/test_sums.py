"""What a stored frame holds: halves of the sums, derivatives, charges, molecular virials, and twins in scaled boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_systems import CHAIN, COUNTER_ION, DIMER, ION, LIPID, RARE, SQUARE, STEROL, THREE_TYPES, W, gate, placed

from topdown.engine import Coupling, Simulation, SimulationSettings, potential_energy, reference_sums
from topdown.engine.observables import measure
from topdown.engine.parameters import build_parameters
from topdown.engine.soft_core import Lambda, soft_core_slope
from topdown.errors import SettingsError, SimulationError
from topdown.model import BeadTable, NonbondedScheme, PairSums, System
from topdown.model.samples import join_frames
from topdown.units import KJ_MOL_NM3_TO_BAR

PATH = Coupling.charges_last((0.0, 0.05, 0.3, 0.9, 1.0), (0.35, 1.0), index=0)
#: The states in which tests run: soft core alone, full cores without charges, part of the charges, all of them.
SAMPLED = (1, 2, 4, 5, 6)
AREA = [(d**0.5, d**0.5, 1.0 / d) for d in (1.001, 0.999)]
SCALINGS = (*AREA, (1.002, 1.002, 1.002), (1.0, 1.0, 1.0), (0.97, 1.06, 1.01))
#: Charges weigh as much as Lennard-Jones.
TABLE = replace(THREE_TYPES, scheme=NonbondedScheme(epsilon_r=3.0))


def system(seed: int = 1) -> System:
    """A charged, flexible solute of six beads among ions, constrained and flexible molecules, virtual sites and restraints."""
    components = (
        (LIPID, 1),
        (ION, 7),
        (COUNTER_ION, 8),
        (DIMER, 5),
        (SQUARE, 3),
        (CHAIN, 1),
        (STEROL, 2),
        (RARE, 1),
        (W, 30),
    )
    return placed(components, (3.2, 3.0, 3.4), table=TABLE, seed=seed)


def simulation(index: int, *, seed: int = 1, n_steps: int = 12) -> Simulation:
    run = Simulation(system(seed), SimulationSettings(time_step=0.005), seed=seed, coupling=replace(PATH, index=index))
    run.minimize(max_steps=60)
    run.run(n_steps)
    return run


def epsilons(table: BeadTable, pairs: tuple[tuple[str, str], ...]) -> np.ndarray:
    return np.array([table.pair(a, b)[1] for a, b in pairs])


def energy(sums: PairSums, table: BeadTable, state: int) -> float:
    """U of the first frame at one state of the path, by dot products alone."""
    lj = sums.sums[0] @ epsilons(table, sums.pairs)
    lj += sums.solute_sums[0, state] @ epsilons(table, sums.solute_pairs)
    return float(lj + sums.charge_lambdas[state] * sums.solute_coulomb[0] + sums.rest_energy[0])


def direct(run: Simulation, table: BeadTable, state: Lambda) -> float:
    """U of the frame at one state of the path, by the force field."""
    parameters = build_parameters(replace(run.system(), table=table), solute_component=0)
    return float(measure(parameters, run.positions, run.box, lam=state)[0].sum())


@pytest.mark.parametrize("index", SAMPLED)
def test_one_frame_gives_the_energy_at_every_state(index):
    run = simulation(index)
    sums, table = run.pair_sums(), run.system().table
    expected = [direct(run, table, state) for state in PATH.states]
    found = [energy(sums, table, k) for k in range(len(PATH.states))]
    gate("energies at every state, relative", np.abs(np.subtract(found, expected) / expected).max(), 1e-10)
    assert energy(sums, table, index) == pytest.approx(run.energies().potential, rel=1e-10)
    assert abs(sums.solute_coulomb[0]) > 1.0
    assert len(set(np.round(found, 6))) == len(found)


def test_both_ends_of_the_path_are_plain_energies():
    """λ = 1 is the system as it stands, λ = 0 the solute and the rest each in a box of its own."""
    run = simulation(6)
    sums, table, here = run.pair_sums(), run.system().table, run.system()
    plain = potential_energy(here)
    coupled = measure(run.parameters, run.positions, run.box, lam=Lambda(1.0, 1.0))
    gate("U at the coupled end, relative", abs(coupled[0].sum() / plain.potential - 1.0), 1e-12)
    gate("U at the coupled end by sums, relative", abs(energy(sums, table, -1) / plain.potential - 1.0), 1e-12)
    gate("forces there", np.abs(coupled[2] - plain.forces).max() / np.abs(plain.forces).max(), 1e-12)
    n, parts = LIPID.n_beads, here.components
    solute, rest = (
        replace(
            here,
            components=components,
            positions=here.positions[beads],
            velocities=None,
            reference_positions=here.reference_positions[beads],
        )
        for components, beads in ((parts[:1], slice(0, n)), (parts[1:], slice(n, None)))
    )
    apart = potential_energy(solute).potential + potential_energy(rest).potential
    gate("U at the decoupled end by sums, relative", abs(energy(sums, table, 0) / apart - 1.0), 1e-12)


@pytest.mark.parametrize("index", SAMPLED)
def test_sums_equal_their_numpy_twins(index):
    run = simulation(index, seed=2)
    sums = run.pair_sums(virials=True)
    pair, names, x = run.parameters.pair, run.parameters.type_names, run.positions
    lam = PATH.states[index].lj

    def rows(pairs, matrix, axis=0):
        a, b = np.array([sorted(names.index(t) for t in p) for p in pairs]).T
        return matrix[(slice(None),) * axis + (a, b)]

    repulsion, dispersion = reference_sums.pair_sums(x, run.box, pair)
    soft = reference_sums.solute_sums(x, run.box, pair, np.array(PATH.lambdas))
    slopes = reference_sums.solute_slopes(x, run.box, pair, lam)
    virials, solute_virials = reference_sums.virials(run.parameters, x, run.box, lam)
    expected = {
        "sums": rows(sums.pairs, repulsion - dispersion),
        "repulsion": rows(sums.pairs, repulsion),
        "solute_sums": rows(sums.solute_pairs, soft[0] - soft[1], 1),
        "solute_repulsion": rows(sums.solute_pairs, soft[0], 1),
        "solute_slopes": rows(sums.solute_pairs, slopes),
        "solute_coulomb": reference_sums.solute_coulomb(x, run.box, pair),
        "virials": rows(sums.pairs, virials),
        "solute_virials": rows(sums.solute_pairs, solute_virials),
    }
    for name, values in expected.items():
        found = getattr(sums, name)[0]
        assert np.abs(values).max() > 0.0
        scale = max(np.abs(values).max(), 1.0)  # a Coulomb energy may be a small rest of large terms
        gate(f"{name} against the twin, relative", np.abs(found - values).max() / scale, 1e-12)
    # no type pair that occurs is left out
    assert repulsion.sum() == pytest.approx(sums.repulsion.sum(), rel=1e-12)
    assert soft[0].sum() == pytest.approx(sums.solute_repulsion.sum(), rel=1e-12)
    assert solute_virials.sum() == pytest.approx(sums.solute_virials.sum(), rel=1e-10)


# -- derivatives ---------------------------------------------------------------------------------------------------------


def derivative(f, h: float) -> float:
    """Five-point central difference at zero."""
    return (8.0 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12.0 * h)


@pytest.mark.parametrize("index", [1, 2, 3])
def test_slopes_are_the_derivative_along_lambda(index):
    run = simulation(index)
    sums, table = run.pair_sums(), run.system().table
    lam = PATH.lambdas[index]
    slope = sums.solute_slopes[0] @ epsilons(table, sums.solute_pairs)
    numeric = derivative(lambda h: direct(run, table, Lambda(lam + h, 0.0)), 1e-3)
    gate("dU/dλ against differences, relative", abs(slope / numeric - 1.0), 1e-6)
    charging = derivative(lambda h: direct(run, table, Lambda(lam, 0.5 + h)), 1e-3)
    gate("dU/dλ of the charges, relative", abs(sums.solute_coulomb[0] / charging - 1.0), 1e-6)


@pytest.mark.parametrize("lam", [0.0, 0.3, 1.0])
def test_the_slope_at_the_ends_is_the_one_sided_derivative(lam):
    """Where the path cannot be left on both sides: against 4λ(u² - u) written out, u = 1/(α(1-λ) + r^6/σ0^6)."""

    def value(at: float) -> float:
        u = 1.0 / (0.5 * (1.0 - at) + 0.43**6 / 0.47**6)
        return 4.0 * at * (u * u - u)

    found = soft_core_slope(0.43**2, 0.47**6, lam)
    assert found == pytest.approx(derivative(lambda h: value(lam + h), 1e-3), rel=1e-8)


@pytest.mark.parametrize("index", [2, 5])
def test_sums_are_the_derivative_along_epsilon(index):
    run = simulation(index)
    sums, table, state = run.pair_sums(), run.system().table, PATH.states[index]
    for a, b in {*sums.pairs, *sums.solute_pairs}:
        value = table.pair(a, b)[1]

        def changed(h: float, a: str = a, b: str = b, value: float = value) -> float:
            return direct(run, table.with_epsilon({(a, b): value + h}), state)

        slope = sum(s for p, s in zip(sums.pairs, sums.sums[0]) if p == (a, b))
        slope += sum(s for p, s in zip(sums.solute_pairs, sums.solute_sums[0, index]) if p == (a, b))
        numeric = derivative(changed, 1e-2)
        gate(f"dU/dε of {a}-{b}", abs(slope - numeric) / max(abs(slope), 1.0), 1e-6)


def _with_sigma(table: BeadTable, pair: tuple[str, str], ratio: float) -> BeadTable:
    sigma = np.array(table.sigma)
    a, b = table.index(pair[0]), table.index(pair[1])
    sigma[a, b] = sigma[b, a] = sigma[a, b] * ratio
    return replace(table, sigma=sigma)


def test_powers_give_the_energy_at_any_sigma():
    """Full cores: any σ of any pair, and its derivative; the energy itself is measured at the other σ."""
    run = simulation(5)
    sums, table = run.pair_sums(), run.system().table
    for pair in (("A", "A"), ("A", "B"), ("B", "C")):
        for ratio in (0.93, 1.0, 1.04):
            expected = direct(run, _with_sigma(table, pair, ratio), PATH.states[5])
            found = energy(sums.with_sigma({pair: ratio}), table, 5)
            gate(f"U at σ·{ratio} of {pair}, relative", abs(found / expected - 1.0), 1e-11)
        slope = epsilons(table, (pair,))[0] * sum(
            12.0 * r - 6.0 * (r - s)
            for pairs, s_values, r_values in (
                (sums.pairs, sums.sums[0], sums.repulsion[0]),
                (sums.solute_pairs, sums.solute_sums[0, 5], sums.solute_repulsion[0, 5]),
            )
            for p, s, r in zip(pairs, s_values, r_values)
            if p == pair
        )
        numeric = derivative(lambda h: direct(run, _with_sigma(table, pair, 1.0 + h), PATH.states[5]), 1e-3)  # noqa: B023
        gate(f"dU/dlnσ of {pair}, relative", abs(slope / numeric - 1.0), 1e-6)


def test_another_sigma_along_the_path_keeps_the_radius_of_the_core():
    """C6 and C12 of solute-solvent pairs at another σ, s with the old one: written out pair by pair."""
    run = simulation(2)
    sums = run.pair_sums()
    ratio, lam = 1.05, PATH.lambdas[2]
    pair = run.parameters.pair
    scaled = pair.lj.copy()
    scaled[..., 0] *= ratio**6
    scaled[..., 1] *= ratio**12
    parameters = run.parameters._replace(pair=pair._replace(lj=scaled))
    plain, other = (
        measure(p, run.positions, run.box, lam=Lambda(lam, 0.0))[0][0] for p in (run.parameters, parameters)
    )
    solvent = (measure(p, run.positions, run.box, lam=Lambda(0.0, 0.0))[0][0] for p in (run.parameters, parameters))
    crossing = np.subtract([plain, other], list(solvent))
    values = epsilons(run.system().table, sums.solute_pairs)
    everywhere = sums.with_sigma(dict.fromkeys(sums.solute_pairs, ratio))
    assert everywhere.solute_sums[0, 2] @ values == pytest.approx(crossing[1], rel=1e-10)
    assert sums.solute_sums[0, 2] @ values == pytest.approx(crossing[0], rel=1e-10)


# -- virials -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", SAMPLED)
def test_virials_add_up_to_the_molecular_pressure(index):
    run = simulation(index, seed=3)
    sums, table = run.pair_sums(virials=True), run.system().table
    total = 2.0 * sums.kinetic[0] + sums.rest_virial[0]
    total = total + epsilons(table, sums.pairs) @ sums.virials[0]
    total = total + epsilons(table, sums.solute_pairs) @ sums.solute_virials[0]
    pressure = total / sums.volume[0] * KJ_MOL_NM3_TO_BAR
    expected = np.diag(run.energies().pressure)
    gate("pressure from sums, relative", np.abs(pressure - expected).max() / np.abs(expected).max(), 1e-10)
    assert np.abs(sums.rest_virial).max() > 1.0
    assert np.abs(sums.solute_virials).max() > 0.01


def test_virials_are_derivatives_of_the_energy_along_the_edges():
    """-∂U/∂ln L_k with molecules moved whole: what the virial means, from scaled boxes alone, term by term."""
    h, run = 2e-6, simulation(5, seed=4)
    steps = [tuple(np.exp(s * h * np.eye(3)[d])) for d in range(3) for s in (1.0, -1.0)]
    sums = run.pair_sums(virials=True, scalings=steps)
    scale = np.abs(sums.virials).max()
    for name, virial in (("scaled_sums", sums.virials[0]), ("scaled_solute_sums", sums.solute_virials[0])):
        up, down = getattr(sums, name)[0].reshape(3, 2, -1).transpose(1, 0, 2)
        gate(f"{name} against virials", np.abs(virial.T + (up - down) / (2.0 * h)).max() / scale, 1e-6)
    lam = PATH.states[5].charge
    rest = sums.scaled_rest_energy[0] + lam * sums.scaled_solute_coulomb[0]
    up, down = rest.reshape(3, 2).T
    worst = np.abs(sums.rest_virial[0] + (up - down) / (2.0 * h)).max()
    gate("rest against its virial", worst / np.abs(sums.rest_virial).max(), 1e-6)


# -- twins in scaled boxes -----------------------------------------------------------------------------------------------


def scaled_whole(here: System, factors: tuple[float, float, float]) -> System:
    """Centres of mass and box scaled, molecule by molecule."""
    positions = np.array(here.positions)
    for molecule, start in here.molecules():
        block = slice(start, start + molecule.n_beads)
        masses = np.array([bead.mass for bead in molecule.beads])
        center = masses @ positions[block] / masses.sum()
        positions[block] += center * (np.array(factors) - 1.0)
    return here.with_coordinates(positions, here.box * factors)


def twin_energy(sums: PairSums, table: BeadTable, k: int, charge: float) -> float:
    lj = sums.scaled_sums[0, k] @ epsilons(table, sums.pairs)
    lj += sums.scaled_solute_sums[0, k] @ epsilons(table, sums.solute_pairs)
    return float(lj + charge * sums.scaled_solute_coulomb[0, k] + sums.scaled_rest_energy[0, k])


@pytest.mark.parametrize("n_steps", [3, 40])
def test_twins_are_energies_of_explicitly_scaled_systems(n_steps):
    """After few steps the neighbour list still serves the scaled box, after many (or for a large change) it is built anew."""
    run = simulation(6, seed=5, n_steps=n_steps)
    sums = run.pair_sums(scalings=SCALINGS)
    assert sums.scalings.tolist() == [list(s) for s in SCALINGS]
    for k, factors in enumerate(SCALINGS):
        expected = potential_energy(scaled_whole(run.system(), factors)).potential
        found = twin_energy(sums, run.system().table, k, 1.0)
        gate(f"U in a box scaled by {factors}, relative", abs(found / expected - 1.0), 1e-12)
    assert twin_energy(sums, run.system().table, 3, 1.0) == pytest.approx(run.energies().potential, rel=1e-12)


def test_a_worn_list_is_not_used_for_a_scaled_box():
    """A shrunk box holds pairs that a list with a narrow margin does not know."""
    run = Simulation(system(6), SimulationSettings(time_step=0.01, list_buffer=0.05), coupling=replace(PATH, index=6))
    run.minimize(max_steps=60)
    for _ in range(12):
        run.run(7)
        sums = run.pair_sums(scalings=[(0.9, 0.9, 0.9)])
        expected = potential_energy(scaled_whole(run.system(), (0.9, 0.9, 0.9))).potential
        assert twin_energy(sums, run.system().table, 0, 1.0) == pytest.approx(expected, rel=1e-12)


def test_test_area_change_is_the_virial_in_the_limit():
    """ΔU of area 1 ± δ at constant volume → ∓δ [(W_x + W_y)/2 - W_z]."""
    run, h = simulation(6, seed=7), 1e-6
    scalings = [((1.0 + d) ** 0.5, (1.0 + d) ** 0.5, 1.0 / (1.0 + d)) for d in (h, -h)]
    sums, table = run.pair_sums(virials=True, scalings=scalings), run.system().table
    change = (twin_energy(sums, table, 0, 1.0) - twin_energy(sums, table, 1, 1.0)) / (2.0 * h)
    w = sums.rest_virial[0] + epsilons(table, sums.pairs) @ sums.virials[0]
    w = w + epsilons(table, sums.solute_pairs) @ sums.solute_virials[0]
    expected = -(0.5 * (w[0] + w[1]) - w[2])
    gate("test-area against virial, relative", abs(change / expected - 1.0), 1e-6)


@pytest.mark.parametrize("factors", [(1.0, 0.0, 1.0), (1.0, 1.0), (1.0, float("nan"), 1.0), (-1.0, 1.0, 1.0)])
def test_factors_that_are_no_scaling_are_refused(factors):
    with pytest.raises(SettingsError, match="three positive factors"):
        simulation(6, n_steps=0).pair_sums(scalings=[factors])


def test_a_scaled_box_below_twice_the_cutoff_is_refused():
    with pytest.raises(SimulationError, match="twice the cut-off"):
        simulation(6, n_steps=0).pair_sums(scalings=[(0.7, 0.7, 0.7)])


def test_nothing_is_stored_that_was_not_asked_for_and_looking_does_not_disturb():
    plain, watched = simulation(5), simulation(5)
    sums = plain.pair_sums()
    assert sums.virials is None
    assert sums.kinetic is None
    assert sums.scalings is None
    watched.pair_sums(virials=True, scalings=SCALINGS)
    plain.run(30)
    watched.run(30)
    assert plain.positions.tobytes() == watched.positions.tobytes()


def test_frames_with_everything_join_and_split():
    run = simulation(5)
    parts: list[PairSums] = []
    run.run(30, every=10, observe=lambda s: parts.append(s.pair_sums(virials=True, scalings=SCALINGS)))
    joined = join_frames(parts)
    assert joined.n_frames == 3
    assert joined.scaled_sums.shape == (3, len(SCALINGS), len(joined.pairs))
    again = joined.frames(slice(1, 2))
    for name, values in parts[1].arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], values)
