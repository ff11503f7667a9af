"""The bundled molecular-dynamics engine: kernels in numba, everything checked against a NumPy twin."""

from topdown.engine._jit import engine_hash, engine_version, processor
from topdown.engine._registers import WIDTH as SIMD_WIDTH
from topdown.engine.centre_restraint import CentreRestraint
from topdown.engine.minimizer import MinimizationResult
from topdown.engine.observables import EnergyTerms, place_virtual_sites, potential_energy
from topdown.engine.settings import Coupling, SimulationSettings
from topdown.engine.simulation import Simulation

__all__ = [
    "SIMD_WIDTH",
    "CentreRestraint",
    "Coupling",
    "EnergyTerms",
    "MinimizationResult",
    "Simulation",
    "SimulationSettings",
    "engine_hash",
    "engine_version",
    "place_virtual_sites",
    "potential_energy",
    "processor",
]
