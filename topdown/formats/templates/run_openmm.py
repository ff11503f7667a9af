#!/usr/bin/env python3
"""Minimise, equilibrate and produce with OpenMM (8.2 or newer): exported by topdown, needs nothing but OpenMM.

    python run_openmm.py                          all three stages
    python run_openmm.py --continue               on from the last checkpoint, to the length asked for
    python run_openmm.py --terms                  energies of the start, term by term, as JSON
    python run_openmm.py --barostat none --produce 10 --platform CUDA --precision mixed

Files: OUTPUT_eq.csv and OUTPUT.csv (energies, temperature, box), OUTPUT.dcd (trajectory), OUTPUT.chk (checkpoint, with
OUTPUT_prev.chk before it), OUTPUT_final.xml (last state, a start for another run with --start).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import struct
import sys
from pathlib import Path
from typing import Any

import openmm
from openmm import app, unit

# -- what was exported
SYSTEM = "system_openmm.xml"
STATE = "system_state.xml"
TEMPERATURE = 300.0
PRESSURE = 1.0
BAROSTAT = "isotropic"
TIME_STEP = 0.02
EQUILIBRATION = 1.0
PRODUCTION = 100.0
SEED = 1
# -- end of what was exported

GAS_CONSTANT = 8.31446261815324e-3  # kJ/mol/K
TERMS = {1: "bond", 2: "angle", 3: "dihedral", 4: "pairs", 5: "charges", 6: "restraint"}  # by force group
COLUMNS = (
    "step,time_ps,potential_kj_mol,kinetic_kj_mol,temperature_k,volume_nm3,box_x_nm,box_y_nm,box_z_nm,density_kg_m3"
)
DCD_HEADER = 276  # bytes before the first frame


def arguments() -> argparse.Namespace:
    """The command line; lengths in ns, times in ps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--minimize", type=int, default=1000, metavar="N", help="most iterations; 0 for no minimisation")
    add("--equilibrate", type=float, default=EQUILIBRATION, metavar="NS")
    add("--produce", type=float, default=PRODUCTION, metavar="NS")
    add("--temperature", type=float, default=TEMPERATURE, metavar="K")
    add("--friction", type=float, default=1.0, metavar="1/PS", help="of the Langevin middle integrator")
    add("--time-step", type=float, default=TIME_STEP, metavar="PS")
    add("--barostat", choices=("none", "isotropic", "semiisotropic", "anisotropic"), default=BAROSTAT)
    add("--pressure", type=float, default=PRESSURE, metavar="BAR")
    tension = "of all interfaces together, for --barostat semiisotropic"
    add("--surface-tension", type=float, default=0.0, metavar="mN/m", help=tension)
    add("--every", type=int, default=5000, metavar="STEPS", help="between frames, rows and checkpoints")
    add("--seed", type=int, default=SEED)
    add("--platform", help="Reference, CPU, OpenCL, CUDA or HIP; by default the fastest")
    add("--precision", choices=("single", "mixed", "double"), help="of OpenCL, CUDA and HIP")
    add("--device", help="index of the GPU")
    add("--threads", type=int, help="of the CPU platform")
    add("--start", default=STATE, metavar="XML", help="state to start from")
    add("--output", default="md", metavar="STEM", help="of the files written")
    add("--continue", dest="resume", action="store_true", help="go on from OUTPUT.chk")
    add("--terms", action="store_true", help="print energies by term and stop")
    options = parser.parse_args()
    if options.every < 1 or not options.time_step > 0 or min(options.equilibrate, options.produce) < 0:
        parser.error("--every and --time-step must be positive, lengths not negative")
    return options


def read(path: str) -> Any:
    """Deserialise a file that lies beside this script or in the current folder."""
    beside = Path(__file__).resolve().parent / path
    try:
        return openmm.XmlSerializer.deserialize((beside if beside.is_file() else Path(path)).read_text())
    except OSError as error:
        sys.exit(f"cannot read {path}: {error.strerror}")


def works(platform: openmm.Platform) -> bool:
    """Whether the platform has a device here; OpenCL is often there without one."""
    particle = openmm.System()
    particle.addParticle(1.0)
    try:
        openmm.Context(particle, openmm.VerletIntegrator(0.001), platform)
    except openmm.OpenMMException:
        return False
    return True


def platform_choice(options: argparse.Namespace) -> tuple[Any, ...]:
    """Platform and its properties, as openmm.Context takes them; the fastest when none is named."""
    if not options.platform:
        known = (openmm.Platform.getPlatform(k) for k in range(openmm.Platform.getNumPlatforms()))
        options.platform = max(filter(works, known), key=lambda platform: platform.getSpeed()).getName()
    wanted = {"Precision": options.precision, "DeviceIndex": options.device}
    if options.platform == "CPU":
        wanted = {"Threads": options.threads}
    properties = {key: str(value) for key, value in wanted.items() if value is not None}
    try:
        platform = openmm.Platform.getPlatformByName(options.platform)
    except openmm.OpenMMException as error:
        sys.exit(str(error))
    return (platform, properties) if options.platform != "Reference" else (platform,)


def add_barostat(system: openmm.System, options: argparse.Namespace) -> None:
    """Monte Carlo moves of the box: cubic scaling, membrane in the xy plane, or each edge for itself."""
    p, t = options.pressure, options.temperature
    if options.barostat == "isotropic":
        barostat = openmm.MonteCarloBarostat(p, t)
    elif options.barostat == "semiisotropic":
        tension = 10.0 * options.surface_tension  # 1 mN/m = 10 bar nm
        modes = (openmm.MonteCarloMembraneBarostat.XYIsotropic, openmm.MonteCarloMembraneBarostat.ZFree)
        barostat = openmm.MonteCarloMembraneBarostat(p, tension, t, *modes)
    elif options.barostat == "anisotropic":
        barostat = openmm.MonteCarloAnisotropicBarostat(openmm.Vec3(p, p, p), t)
    else:
        return
    barostat.setRandomNumberSeed(options.seed)
    system.addForce(barostat)


def is_restrained(system: openmm.System) -> bool:
    """Whether restraints hold the system in place, so that its centre of mass is not to be stopped."""
    return any(TERMS.get(force.getForceGroup()) == "restraint" for force in system.getForces())


def sums_for_tables(pairs: openmm.CustomNonbondedForce) -> None:
    """Replace the tables of C6 and C12 by sums over bead types: the same numbers, and five times as fast on CPUs.

    There a look-up is a call for every pair. Beads of type t get h_k = 1 for k = t, else 0, and row t of each table, so that
    c6(i, j) = sum over k of h_k(i) c6_k(j). GPUs look up faster than they load so many parameters.
    """
    energy, rows = pairs.getEnergyFunction(), {}
    for k in range(pairs.getNumTabulatedFunctions()):
        size, _, values = pairs.getTabulatedFunction(k).getFunctionParameters()
        name, types = pairs.getTabulatedFunctionName(k), range(size)
        rows[name] = [values[size * t : size * (t + 1)] for t in types]
        total = "+".join(f"h{t}1*{name}_{t}2" for t in types)
        energy = energy.replace(f"{name}(type1,type2)", f"({total})")
    for name in ("h{}", *(f"{name}_{{}}" for name in rows)):
        for t in types:
            pairs.addPerParticleParameter(name.format(t))
    for k in range(pairs.getNumParticles()):
        values = list(pairs.getParticleParameters(k))
        own = int(values[0])
        values += [float(t == own) for t in types]
        for table in rows.values():
            values += table[own]
        pairs.setParticleParameters(k, values)
    pairs.setEnergyFunction(energy)


def pair_force(system: openmm.System) -> openmm.CustomNonbondedForce:
    """The force of Lennard-Jones and Coulomb."""
    return next(force for force in system.getForces() if force.getName() == "pairs")


def new_context(system: openmm.System, options: argparse.Namespace) -> openmm.Context:
    """Langevin middle integration of the system, with barostat and centre-of-mass motion taken out."""
    add_barostat(system, options)
    if not is_restrained(system):
        system.addForce(openmm.CMMotionRemover(100))
    integrator = openmm.LangevinMiddleIntegrator(options.temperature, options.friction, options.time_step)
    integrator.setConstraintTolerance(1e-6)
    integrator.setRandomNumberSeed(options.seed)
    platform = platform_choice(options)
    if options.platform == "CPU":
        sums_for_tables(pair_force(system))
    return openmm.Context(system, integrator, *platform)


def energy(context: openmm.Context, groups: int = -1) -> float:
    """Potential energy [kJ/mol] of some force groups (bits)."""
    return float(context.getState(getEnergy=True, groups=groups).getPotentialEnergy()._value)


def energy_terms(system: openmm.System, state: openmm.State, options: argparse.Namespace) -> dict[str, float]:
    """Energies [kJ/mol]; Coulomb is what the pairs lose when their charges are taken away, plus group 5."""
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), *platform_choice(options))
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    context.computeVirtualSites()
    terms = {name: energy(context, 1 << group) for group, name in TERMS.items()}
    pairs = pair_force(system)
    if pairs.getNumPerParticleParameters() == 2:
        for k in range(system.getNumParticles()):
            pairs.setParticleParameters(k, [pairs.getParticleParameters(k)[0], 0.0])
        pairs.updateParametersInContext(context)
    both, terms["lj"] = terms.pop("pairs"), energy(context, 1 << 4)
    terms["coulomb"] = both - terms["lj"] + terms.pop("charges")
    return terms | {"potential": sum(terms.values())}


def row(context: openmm.Context, mass: float, freedom: int) -> str:
    """One line of COLUMNS; leaves when the energy is no number."""
    state = context.getState(getEnergy=True)
    potential, kinetic = state.getPotentialEnergy()._value, state.getKineticEnergy()._value
    step = context.getStepCount()
    if not math.isfinite(potential + kinetic):
        sys.exit(
            f"the energy is no longer a number at step {step}: the last checkpoint is good, try a shorter time step"
        )
    box = [vector[k] for k, vector in enumerate(state.getPeriodicBoxVectors()._value)]
    volume = math.prod(box)
    numbers = (
        potential,
        kinetic,
        2.0 * kinetic / (freedom * GAS_CONSTANT),
        volume,
        *box,
        1.66053906717 * mass / volume,
    )
    return f"{step},{state.getTime()._value:.3f}," + ",".join(f"{value:.8g}" for value in numbers) + "\n"


class Output:
    """Table, trajectory and checkpoint of a run, cut back to the checkpoint when it goes on."""

    def __init__(self, options: argparse.Namespace, system: openmm.System, *, equilibration: int) -> None:
        self.options, self.equilibration = options, equilibration
        particles = range(system.getNumParticles())
        masses = [system.getParticleMass(k)._value for k in particles]
        self.mass = sum(masses)
        removed = 0 if is_restrained(system) else 3
        self.freedom = max(1, 3 * sum(m > 0 for m in masses) - system.getNumConstraints() - removed)
        self.topology = app.Topology()
        self.topology.setPeriodicBoxVectors(system.getDefaultPeriodicBoxVectors())  # so that frames have their cells
        residue = self.topology.addResidue("SYS", self.topology.addChain())
        for k in particles:
            self.topology.addAtom(f"B{k + 1}", None, residue)
        self.checkpoint = Path(f"{options.output}.chk")

    def table(self, step: int) -> Path:
        """The CSV file a step belongs to."""
        return Path(f"{self.options.output}{'_eq' if step <= self.equilibration else ''}.csv")

    def open(self, step: int) -> None:
        """Start new files, or cut those that exist back to ``step``."""
        for path, first in ((self.table(0), 0), (self.table(self.equilibration + 1), self.equilibration + 1)):
            old = path.read_text().splitlines(keepends=True)[1:] if step and path.exists() else []
            kept = [line for line in old if line.endswith("\n") and first <= int(line.split(",")[0]) <= step]
            path.write_text(COLUMNS + "\n" + "".join(kept))
        frames = max(0, step - self.equilibration) // self.options.every
        path = Path(f"{self.options.output}.dcd")
        if frames and path.exists():
            beads = self.topology.getNumAtoms()
            with path.open("r+b") as file:
                file.truncate(DCD_HEADER + frames * (56 + 3 * (4 * beads + 8)))
                file.seek(8)
                file.write(struct.pack("<i", frames))
        self.dcd_file = path.open("r+b" if frames else "w+b")
        every, spacing = self.options.every, self.options.time_step * unit.picosecond
        first = self.equilibration + every
        self.dcd = app.DCDFile(self.dcd_file, self.topology, spacing, first, every, bool(frames))

    def write(self, context: openmm.Context) -> None:
        """When it is time, one row and in production one frame; then the checkpoint of the same step."""
        step = context.getStepCount()
        with self.table(step).open("a") as table:
            table.write(row(context, self.mass, self.freedom))
        if step > self.equilibration:
            state = context.getState(getPositions=True, enforcePeriodicBox=True)
            self.dcd.writeModel(state.getPositions(), periodicBoxVectors=state.getPeriodicBoxVectors())
            self.dcd_file.flush()
        self.save(context)

    def save(self, context: openmm.Context) -> None:
        """Keep the checkpoint before this one as OUTPUT_prev.chk."""
        fresh = self.checkpoint.with_suffix(".tmp")
        fresh.write_bytes(context.createCheckpoint())
        if self.checkpoint.exists():
            os.replace(self.checkpoint, f"{self.options.output}_prev.chk")
        os.replace(fresh, self.checkpoint)


def start(context: openmm.Context, options: argparse.Namespace) -> None:
    """Positions, minimised, and new velocities, unless production follows at once from a state that has some."""
    state = read(options.start)
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    context.computeVirtualSites()
    if options.minimize:
        before = energy(context)
        openmm.LocalEnergyMinimizer.minimize(context, 10.0, options.minimize)
        print(f"minimised: {before:.6g} -> {energy(context):.6g} kJ/mol", flush=True)
    context.applyConstraints(1e-6)
    if options.minimize or options.equilibrate or "<Velocities>" not in openmm.XmlSerializer.serialize(state):
        context.setVelocitiesToTemperature(options.temperature, options.seed)
    else:
        context.setVelocities(state.getVelocities())


def resume(context: openmm.Context, options: argparse.Namespace) -> None:
    """All of the run as the checkpoint has it."""
    try:
        context.loadCheckpoint(Path(f"{options.output}.chk").read_bytes())
    except OSError as error:
        sys.exit(f"cannot read the checkpoint: {error}")
    except openmm.OpenMMException as error:
        sys.exit(f"{error}: checkpoints belong to one machine, platform and version of OpenMM; --start takes states")


def run(context: openmm.Context, output: Output, last: int) -> None:
    """Steps up to ``last``; a signal ends the run within 200 steps, with a checkpoint."""
    caught: list[int] = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, frame: caught.append(number))
    every, boundary = output.options.every, output.equilibration
    while (step := context.getStepCount()) < last and not caught:
        origin, end = (0, boundary) if step < boundary else (boundary, last)
        due = every - (step - origin) % every
        context.getIntegrator().step(min(200, due, end - step))
        if context.getStepCount() == step + due:
            output.write(context)
    output.save(context)
    if caught:
        sys.exit(f"stopped by a signal after step {context.getStepCount()}; --continue goes on")


def main() -> None:
    options = arguments()
    system = read(SYSTEM)
    if options.terms:
        print(json.dumps(energy_terms(system, read(options.start), options), indent=2))
        return
    steps = [round(1000.0 * length / options.time_step) for length in (options.equilibrate, options.produce)]
    context = new_context(system, options)
    print(f"OpenMM {openmm.__version__}, platform {context.getPlatform().getName()}", flush=True)
    output = Output(options, system, equilibration=steps[0])
    if options.resume:
        resume(context, options)
    else:
        start(context, options)
    output.open(context.getStepCount())
    run(context, output, sum(steps))
    final = context.getState(getPositions=True, getVelocities=True)
    Path(f"{options.output}_final.xml").write_text(openmm.XmlSerializer.serialize(final))
    print(f"finished {context.getStepCount()} steps", flush=True)


if __name__ == "__main__":
    main()
