"""The result of a membrane run as a few lines of text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from topdown.model import Estimate, Measurement, System
from topdown.properties.membrane import MembraneObservables

#: The area of a bilayer fluctuates over some nanoseconds; averages over less than this [ns] cannot see their own error.
SLOW_NS = 5.0


def estimate_text(estimate: Estimate, unit: str) -> str:
    """Value and standard error with as many decimals as the error deserves, for instance ``0.629 ± 0.002 nm²``."""
    decimals = 3
    if 0 < estimate.standard_error < 0.0005:
        decimals = 4
    return f"{estimate.value:.{decimals}f} ± {estimate.standard_error:.{decimals}f} {unit}"


def measured_text(row: Measurement | None) -> str:
    """The measured value in brackets, or nothing."""
    if row is None:
        return ""
    unit = row.unit.replace("nm2", "nm²")
    return f"  (measured for the pure lipid {row.value:g} ± {row.uncertainty:g} {unit} at {row.temperature:g} K, {row.reference})"


def composition_text(system: System) -> str:
    """``57 DPPC, 57 DPPC, 1078 W``: the molecules in the order of the files."""
    return ", ".join(f"{count} {molecule.name}" for molecule, count in system.components)


def membrane_lines(
    system: System,
    observables: MembraneObservables | None,
    simulated_ns: float,
    *,
    area: Measurement | None = None,
    thickness: Measurement | None = None,
    steady: bool = True,
) -> tuple[str, ...]:
    """What a reader wants to know of a finished run, one fact a line.

    Parameters
    ----------
    system : System
        As it is at the end.
    observables : MembraneObservables or None
        None when nothing was simulated.
    simulated_ns : float
    area, thickness : Measurement, optional
        Experiment to print beside the averages.
    steady : bool
        Whether the area has come to rest.
    """
    edges = " x ".join(f"{edge:.2f}" for edge in system.box)
    lines = [f"{composition_text(system)}: {system.n_beads} beads in {edges} nm"]
    if observables is None:
        return (*lines, "built and minimised, not simulated")
    left_out = observables.equilibration_ps / 1000.0
    lines.append(f"simulated        {simulated_ns:.3g} ns, the first {left_out:.2g} ns left out of the averages")
    lines.append(f"area per lipid   {estimate_text(observables.area_per_lipid, 'nm²')}{measured_text(area)}")
    lines.append(f"thickness D_HH   {estimate_text(observables.thickness, 'nm')}{measured_text(thickness)}")
    if observables.luzzati is not None:
        lines.append(f"thickness D_B    {estimate_text(observables.luzzati, 'nm')}")
    if simulated_ns - left_out < SLOW_NS:
        lines.append(
            f"note             averaged over {simulated_ns - left_out:.2g} ns, less than the slow fluctuations of a bilayer: "
            "the errors are lower bounds; go on with --continue and a longer --relax"
        )
    elif not steady:
        lines.append("note             the area is not steady yet; go on with --continue and a longer --relax")
    lines.append("bilayer          " + ("; ".join(observables.problems) or "intact"))
    return tuple(lines)


def start_line(distance: float, force: float, minimized: float) -> str:
    """Closest distance [nm] and largest force [kJ/mol/nm] as built, and after minimisation (NaN: of a run that went on)."""
    after = f", {minimized:.2g} after minimisation" if math.isfinite(minimized) else ""
    return f"start            closest beads {distance:.3f} nm apart, largest force {force:.2g} kJ/mol/nm{after}"


def comparison_lines(comparisons: Sequence[tuple[str, float]], notes: Sequence[str]) -> tuple[str, ...]:
    """Programs that found the same energy, with the largest difference as a part of it, and what is to be noted."""
    lines = [f"note             {note}" for note in notes]
    if comparisons:
        same = ", ".join(f"{program} to {largest:.0e}" for program, largest in comparisons)
        lines.insert(0, f"same energy in   {same}")
    return tuple(lines)


def stage_line(seconds: Mapping[str, float]) -> str:
    """How long each stage took."""
    return "took             " + ", ".join(
        f"{stage.partition(',')[0]} {spent:.1f} s" for stage, spent in seconds.items()
    )
