"""The minimiser that prepares coordinates, on functions whose minimum is known."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.building.descent import descend


def valley(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Rosenbrock's function of each row's first two coordinates, a parabola of the third: minimum 0 at (1, 1, 0)."""
    a, b, c = x.T
    gradient = np.column_stack([-400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a), 2 * c])
    return float((100 * (b - a * a) ** 2 + (1 - a) ** 2 + c * c).sum()), gradient


def test_a_curved_valley_is_followed_to_its_end() -> None:
    start = np.array([[-1.2, 1.0, 0.3], [0.5, -0.5, -1.0]])
    found = descend(start, valley, max_steps=500, longest_move=0.5, gradient_tolerance=1e-8)
    np.testing.assert_allclose(found.positions, [[1, 1, 0], [1, 1, 0]], atol=1e-6)
    assert found.energy == pytest.approx(0.0, abs=1e-12)
    # Steepest descent needs thousands.
    assert found.n_steps < 150


def test_energy_never_rises_and_no_coordinate_moves_too_far() -> None:
    seen: list[tuple[float, np.ndarray]] = []

    def watched(x: np.ndarray) -> tuple[float, np.ndarray]:
        energy, gradient = valley(x)
        seen.append((energy, x.copy()))
        return energy, gradient

    start = np.array([[-1.2, 1.0, 0.3]])
    energies, at = [valley(start)[0]], start
    for n in range(1, 25):
        seen.clear()
        found = descend(start, watched, max_steps=n, longest_move=0.05)
        assert found.n_steps == n
        assert found.energy == valley(found.positions)[0]
        assert np.abs(found.positions - at).max() <= 0.05 + 1e-12
        energies.append(found.energy)
        at = found.positions
    assert np.all(np.diff(energies) < 0)


def test_it_stops_where_there_is_nothing_to_gain() -> None:
    at_rest = descend(np.array([[1.0, 1.0, 0.0]]), valley, max_steps=50, longest_move=0.1, gradient_tolerance=1e-9)
    assert at_rest.n_steps == 0
    start = np.array([[-1.2, 1.0, 0.3]])
    early = descend(start, valley, max_steps=500, longest_move=0.5, energy_tolerance=10.0)
    assert early.n_steps <= 6
    loose = descend(start, valley, max_steps=500, longest_move=0.5, energy_tolerance=1e-3)
    assert early.n_steps < loose.n_steps < 500


def test_a_wall_without_a_finite_energy_is_not_entered() -> None:
    def walled(x: np.ndarray) -> tuple[float, np.ndarray]:
        if np.any(x < 0):
            return float("nan"), np.full_like(x, np.nan)
        return float((x * x).sum()), 2 * x

    found = descend(np.array([[0.3, 0.2, 0.1]]), walled, max_steps=100, longest_move=1.0, gradient_tolerance=1e-6)
    assert np.isfinite(found.energy)
    assert found.energy < 0.02
