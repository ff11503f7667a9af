"""What a campaign would do, as text to read and as a JSON object."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol

from topdown.calibration.parameters import FreeParameter, Parameter
from topdown.calibration.planned_checks import BilayerPlan, DiffusionPlan, MeltingPlan, MixturePlan
from topdown.calibration.problem import CalibrationProblem
from topdown.properties.measurements import MeasuredValue
from topdown.report.counts import counted


class Plan(Protocol):
    """What the text needs to know; see ``workflows.calibrate.CalibrationPlan``."""

    @property
    def problem(self) -> CalibrationProblem: ...
    @property
    def n_windows(self) -> int: ...
    @property
    def bead_steps(self) -> int: ...
    @property
    def held_out_bead_steps(self) -> int: ...
    @property
    def check_bead_steps(self) -> int: ...
    @property
    def most_bead_steps(self) -> int: ...

    def hours(self, bead_steps: int, workers: int) -> float:
        """Time on so many processors."""
        ...


#: What is said of a target.
_TARGET_KEYS = ("label", "split", "measured", "uncertainty", "unit", "chemotype", "error_class")


def plan_json(plan: Plan, workers: int) -> dict[str, Any]:
    """The plan as plain data."""
    problem = plan.problem
    return {
        "campaign": problem.name,
        "digest": problem.digest(),
        "table": problem.table.name,
        "parameters": [_parameter(p) for p in problem.space.all],
        "n_epsilons": len(problem.space.pairs),
        "n_sigmas": len(problem.space.size_pairs),
        "targets": [{key: getattr(target, key) for key in _TARGET_KEYS} for target in problem.targets],
        "systems": [
            {
                "name": name,
                "beads": box.n_beads(),
                "windows": problem.n_windows(name),
                "bead_steps": problem.bead_steps([name]),
            }
            for name, box in sorted(problem.systems.items())
        ],
        "checks": _checks(problem),
        "type_blocks": [] if problem.types is None else [asdict(b) for b in problem.types.blocks],
        "windows_per_round": plan.n_windows,
        "bead_steps_per_round": plan.bead_steps,
        "bead_steps_held_out": plan.held_out_bead_steps,
        "bead_steps_checks": plan.check_bead_steps,
        "bead_steps_at_most": plan.most_bead_steps,
        "budget_bead_steps": problem.budget,
        "max_rounds": problem.optimizer.max_rounds,
        "workers": workers,
        "hours_first_round": plan.hours(plan.bead_steps, workers),
        "hours_at_most": plan.hours(plan.most_bead_steps, workers),
        "warnings": list(problem.warnings),
    }


def _checks(problem: CalibrationProblem) -> list[dict[str, Any]]:
    """What is reported and not fitted; bilayers and crystals are run with both tables."""
    n_equilibration = problem.sampling.n_equilibration
    mixtures: list[dict[str, Any]] = [
        {"label": pair.label, "systems": list(pair.systems), **_measured(pair.measured), "unit": "log10 mol/L"}
        for pair in problem.mixtures
    ]
    return [
        *(_simulated(check, check.bead_steps(n_equilibration), "1e-9 m2/s") for check in problem.diffusion),
        *mixtures,
        *(_simulated(check, 2 * check.bead_steps, "nm2") for check in problem.bilayers),
        *(_simulated(check, 2 * check.most_bead_steps, "K") for check in problem.melting),
    ]


def _simulated(check: DiffusionPlan | BilayerPlan | MeltingPlan, bead_steps: int, unit: str) -> dict[str, Any]:
    return {
        "label": check.label,
        "beads": check.n_beads,
        "bead_steps": bead_steps,
        **_measured(check.measured),
        "unit": unit,
    }


def _measured(found: MeasuredValue | None) -> dict[str, float | None]:
    if found is None:
        return {"measured": None, "uncertainty": None}
    return {"measured": found.value, "uncertainty": found.uncertainty}


def _parameter(p: Parameter) -> dict[str, Any]:
    if isinstance(p, FreeParameter):
        return {"label": p.label, "pair": list(p.pair), "start_kJ_mol": p.start, "bounds_kJ_mol": [p.lower, p.upper]}
    return {
        "label": p.label,
        "pairs": [list(pair) for pair, _ in p.rows],
        "prior_width": p.prior_width,
        "bounds": [p.lower, p.upper],
        "per_kelvin": p.per_kelvin,
        "of": "sigma" if p.of_sigma else "epsilon",
    }


def _parameter_line(p: Parameter) -> str:
    if isinstance(p, FreeParameter):
        return f"free:   {p.label}  {p.start:.4f} ± {p.prior_width:g} kJ/mol, {p.lower:g} to {p.upper:g}"
    many = f"{len(p.rows)} {'σ' if p.of_sigma else 'ε'}"
    unit = " per kelvin" if p.per_kelvin else ""
    return f"free:   {p.label}  ln-factor of {many}, 0 ± {p.prior_width:g}{unit}"


def _check_line(check: DiffusionPlan, n_equilibration: int) -> str:
    found = check.measured
    known = "not known" if found is None else f"{found.value:g} ± {found.uncertainty:g}e-9 m2/s"
    cost = check.bead_steps(n_equilibration)
    return f"check:  {check.label}  measured {known}, {check.n_beads} beads, {cost:.2e} beads × steps"


def _mixture_line(pair: MixturePlan) -> str:
    found = pair.measured
    known = "not known" if found is None else f"log10(mol/l) = {found.value:.2f} ± {found.uncertainty:.2f}"
    return f"check:  {pair.label}  measured solubility {known}, from {pair.systems[0]} and {pair.systems[1]}"


def _bilayer_line(check: BilayerPlan) -> str:
    known = f"{check.measured.value:.3f} ± {check.measured.uncertainty:.3f} nm2"
    return (
        f"check:  {check.label}  measured {known}, {check.request.n_lipids} lipids, {check.n_beads} beads, both tables "
        f"{2 * check.bead_steps:.2e} beads × steps"
    )


def _melting_line(check: MeltingPlan) -> str:
    found = check.measured
    known = "not known" if found is None else f"{found.value:g} ± {found.uncertainty:g} K"
    return (
        f"check:  {check.label}  measured {known}, {check.n_beads} beads, both tables at most "
        f"{2 * check.most_bead_steps:.2e} beads × steps"
    )


def plan_text(plan: Plan, workers: int) -> str:
    """The plan as lines."""
    problem = plan.problem
    lines = [f"campaign {problem.name} ({problem.digest()}) from table {problem.table.name}"]
    lines += [f"warning: {text}" for text in problem.warnings]
    lines += [_parameter_line(p) for p in problem.space.all]
    lines += [
        f"target: {t.label}  {t.measured:g} ± {t.uncertainty:g} {t.unit} ({t.split}{', ' if t.chemotype else ''}{t.chemotype})"
        for t in problem.targets
    ]
    lines += [
        f"system: {name}  {counted(box.n_beads(), 'bead')}, {counted(problem.n_windows(name), 'window')}, "
        f"{problem.bead_steps([name]):.2e} beads × steps"
        for name, box in sorted(problem.systems.items())
    ]
    lines += [
        f"types: {b.name}: {' '.join(b.labels)}  {b.bead_type} or {', '.join(b.candidates)}"
        for b in (problem.types.blocks if problem.types else ())
    ]
    lines += [_check_line(check, problem.sampling.n_equilibration) for check in problem.diffusion]
    lines += [_mixture_line(pair) for pair in problem.mixtures]
    lines += [_bilayer_line(check) for check in problem.bilayers]
    lines += [_melting_line(check) for check in problem.melting]
    budget = "no budget" if problem.budget is None else f"budget {problem.budget:.2e} beads × steps"
    most = "at most " if problem.melting else ""
    sizes = f" and {len(problem.space.size_pairs)} σ" if problem.space.size_pairs else ""
    lines += [
        f"{len(problem.space)} parameters move {len(problem.space.pairs)} ε{sizes}; {len(problem.targets_of('calibration'))} "
        f"targets are fitted, {len(problem.targets_of('held-out'))} held out",
        f"a round: {counted(plan.n_windows, 'window')}, {plan.bead_steps:.2e} beads × steps; at most "
        f"{problem.optimizer.max_rounds}; {budget}",
        f"held-out targets, once: {plan.held_out_bead_steps:.2e} beads × steps",
        *([f"checks, once: {most}{plan.check_bead_steps:.2e} beads × steps"] if plan.check_bead_steps else []),
        f"time on {workers} processor{'s' if workers > 1 else ''}, roughly: first round "
        f"{time_text(plan.hours(plan.bead_steps, workers))}, at most {time_text(plan.hours(plan.most_bead_steps, workers))}",
    ]
    return "\n".join(lines) + "\n"


def time_text(hours: float) -> str:
    """``"1.6 min"``, ``"2.5 h"``, ``"3.1 days"``: two digits of the unit that suits."""
    for unit, length in (("days", 24.0), ("h", 1.0)):
        if hours >= 1.5 * length:
            return f"{hours / length:.{1 if hours < 10 * length else 0}f} {unit}"
    return f"{60 * hours:.{1 if hours < 1 / 6 else 0}f} min"
