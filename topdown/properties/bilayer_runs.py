"""Runs of bilayers of one lipid that a request asks for, and what is kept of them.

They are built, relaxed and run as ``topdown membrane`` does it (:mod:`topdown.building.bilayer`,
:mod:`topdown.sampling.bilayer_stages`), in water without salt, and reduced to the same numbers per frame
(:mod:`topdown.properties.membrane`). A run is stored in parts, each of which goes on where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from topdown.building.bilayer import Leaflets, Solvent, build_bilayer
from topdown.building.lipids import starting_area
from topdown.engine import SimulationSettings
from topdown.errors import SettingsError, SimulationError
from topdown.model import BeadTable, CGMolecule, System
from topdown.model._arrays import FloatArray
from topdown.model.requests import BilayerRequest
from topdown.properties.membrane import (
    MembraneIndex,
    MembraneSeries,
    empty_series,
    index_membrane,
    join_series,
    observe_membrane,
)
from topdown.sampling.bilayer_stages import bilayer_run, minimised, softened, stream
from topdown.sampling.equilibrate import TIME_STEP
from topdown.sampling.liquid_runs import RunPart, samples_of

#: Height of the box that a bilayer is built in [nm]; it changes as the area does.
HEIGHT: Final = 8.0
_SERIES: Final = "series_"


def least_edge(table: BeadTable) -> float:
    """Shortest edge that a box may be built with [nm]: the cut-off and its buffer fit into it twice."""
    return 2.0 * (table.scheme.cutoff + SimulationSettings().list_buffer)


def bilayer_request(
    lipid: CGMolecule,
    n_lipids: int,
    solvent: Solvent,
    table: BeadTable,
    *,
    temperature: float,
    n_steps: int,
    every: int,
    seed: int,
    pressure: float = 1.0,
    height: float = HEIGHT,
) -> BilayerRequest:
    """What to ask for to see the area of a lipid; the bilayer is built once, to know that it can be.

    Parameters
    ----------
    lipid : CGMolecule
    n_lipids : int
        In both leaflets together.
    solvent : Solvent
        Water and ions; its salt is not used.
    table : BeadTable
    temperature, pressure : float
        [K], [bar]
    n_steps, every : int
        Of one part, and between frames.
    seed : int
    height : float
        Of the box at the start [nm].

    Raises
    ------
    SettingsError
        An odd number of lipids, too few of them, or no room for water.
    TopologyError
        A lipid without head or tails.
    """
    names = {name for m in (lipid, solvent.water, solvent.cation, solvent.anion) for name in m.type_names}
    request = BilayerRequest(
        lipid=lipid,
        n_lipids=n_lipids,
        area=starting_area(lipid),
        height=height,
        water=solvent.water,
        cation=solvent.cation,
        anion=solvent.anion,
        n_solvent=1,
        table=table.subset(names),
        temperature=temperature,
        pressure=pressure,
        n_steps=n_steps,
        every=every,
        seed=seed,
    )
    least = least_edge(table)
    if request.size[0] < least:
        raise SettingsError(
            f"{n_lipids} lipids make a box of {request.size[0]:.2f} nm, shorter than twice the cut-off with its buffer, "
            f"{least:g} nm",
            where=request.system,
            hint=f"at least {2 * int(np.ceil(least**2 / request.area))} lipids",
        )
    around = sum(count for molecule, count in build(request).components if molecule is not lipid)
    return replace(request, n_solvent=around)


def build(request: BilayerRequest) -> System:
    """The bilayer before any dynamics; the same request gives the same system."""
    return build_bilayer(
        Leaflets(upper=((request.lipid, 1.0),)),
        request.size,
        request.table,
        Solvent(water=request.water, cation=request.cation, anion=request.anion),
        rng=stream(request.seed, 0),
        area_per_lipid={request.lipid.name: request.area},
    )


def run_bilayer(request: BilayerRequest, before: Mapping[str, FloatArray] | None, *, key: str) -> RunPart:
    """One part of a bilayer's run.

    Parameters
    ----------
    request : BilayerRequest
    before : mapping of str to array or None
        What the part before this one left; None for the first, which is built and relaxed here.
    key : str
        Of the samples.

    Returns
    -------
    RunPart
        ``extra`` holds the arrays of a :class:`~topdown.properties.membrane.MembraneSeries`, their names after ``series_``,
        with times from the first part's beginning, and ``counts`` (4,): how many of each of the request's molecules there are.

    Raises
    ------
    SimulationError
        The run failed.
    """
    temperature, pressure, seed = request.temperature, request.pressure, request.seed
    if before is None:
        simulation, _ = minimised(build(request), temperature=temperature, seed=seed)
        start = softened(simulation.system(), temperature=temperature, pressure=pressure, seed=seed)
    else:
        start = system_of(request, before)
    run = bilayer_run(
        start,
        temperature=temperature,
        pressure=pressure,
        time_step=request.time_step,
        seed=seed,
        part=request.part,
    )
    if request.part == 0:
        run.run(request.n_equilibration)
    index = _index(start, request)
    began = request.part * request.n_steps * (request.time_step or TIME_STEP) - run.time
    frames = [empty_series()]
    run.run(
        request.n_steps,
        every=request.every,
        observe=lambda s: frames.append(observe_membrane(s.positions, s.box, s.time + began, index)),
    )
    end = run.system()
    extra = {_SERIES + name: array for name, array in join_series(frames).arrays().items()}
    extra["counts"] = np.array([sum(n for m, n in end.components if m.name == kind.name) for kind in request.molecules])
    return RunPart(samples=samples_of(request, run.pair_sums(), key=key, pressure=pressure), end=end, extra=extra)


def system_of(request: BilayerRequest, record: Mapping[str, FloatArray]) -> System:
    """Where a part of a run ended."""
    counted = ((molecule, int(n)) for molecule, n in zip(request.molecules, record["counts"]))
    return System(
        table=request.table,
        components=tuple((molecule, n) for molecule, n in counted if n),
        positions=record["positions"],
        velocities=record["velocities"],
        box=record["box"],
        title=request.system,
    )


def frames_of(
    request: BilayerRequest, records: Sequence[Mapping[str, FloatArray]]
) -> tuple[MembraneSeries, MembraneIndex]:
    """The frames that all parts of a run left, in order, and which beads they are of.

    Raises
    ------
    SimulationError
        A part has gone from the run store.
    """
    if not all("counts" in record for record in records):
        raise SimulationError("frames of the bilayer have gone from the run store", where=request.system)
    index = _index(system_of(request, records[-1]), request)
    kept: list[dict[str, Any]] = [
        {name: record[_SERIES + name] for name in empty_series().arrays()} for record in records
    ]
    return join_series([MembraneSeries(**arrays) for arrays in kept]), index


def _index(system: System, request: BilayerRequest) -> MembraneIndex:
    return index_membrane(system, {request.lipid.name}, water=request.water.name)
