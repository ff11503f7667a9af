"""OpenMM: a serialised system, a serialised state and a run script, written without OpenMM.

The XML is what ``openmm.XmlSerializer`` of OpenMM 8 writes for the same system; it loads wherever OpenMM 8.2 or newer
runs. Virtual sites built from other virtual sites are what needs 8.2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from topdown.errors import TopologyError
from topdown.formats.mdp import RunSettings
from topdown.formats.naming import plain
from topdown.formats.openmm_forces import all_forces, check_terms, number
from topdown.formats.pdb import pdb_text
from topdown.model import System, VirtualSite
from topdown.model._arrays import FloatArray
from topdown.resources import atomic_write_text

#: Recorded in the files: the release whose format they follow.
OPENMM_VERSION = "8.2"

_SCRIPT = Path(__file__).with_name("templates") / "run_openmm.py"
_DEFAULTS = re.compile(r"(?<=# -- what was exported\n).*?(?=# -- end of what was exported\n)", re.DOTALL)


def _average(site: VirtualSite) -> dict[int, float]:
    """Weights, adding up to 1, of the beads that constructions 2, 3 and n average over."""
    weights = site.parameters
    if site.construction != "n":
        weights = (1.0 - sum(weights), *weights)
    total = sum(weights)
    return {atom: weight / total for atom, weight in zip(site.atoms, weights)}


def _averaging_site(site: VirtualSite, start: int) -> Element:
    weights = list(_average(site).items())
    if len(weights) == 1:
        weights.append((weights[0][0], 0.0))  # OpenMM's smallest average takes two
    if len(weights) > 3:
        return _local_site(site, start, [weight for _, weight in weights])
    element = Element({2: "TwoParticleAverageSite", 3: "ThreeParticleAverageSite"}[len(weights)])
    for k, (atom, weight) in enumerate(weights, start=1):
        element.set(f"p{k}", str(start + atom))
        element.set(f"w{k}", number(weight))
    return element


def _local_site(
    site: VirtualSite,
    start: int,
    origin: list[float],
    x: tuple[float, ...] = (),
    y: tuple[float, ...] = (),
    place: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Element:
    """A LocalCoordinatesSite: weights of the origin and of the axes' directions, and the place along the axes [nm]."""
    element = Element("LocalCoordinatesSite")
    for k, atom in enumerate(site.atoms):
        element.set(f"p{k + 1}", str(start + atom))
        for label, weights in (("wo", origin), ("wx", x), ("wy", y)):
            element.set(f"{label}{k + 1}", number(weights[k] if k < len(weights) else 0.0))
    for k, along in enumerate(place, start=1):
        element.set(f"pos{k}", number(along))
    return element


def _site(site: VirtualSite, start: int) -> Element:
    """One virtual site, exactly.

    A LocalCoordinatesSite has x along its first direction, z along the cross product of the two, and y along z × x: the unit
    vectors of 2fd, 3fd, 3fad and 4fdn. Where only x counts, the second direction is left zero.
    """
    p = site.parameters
    match site.construction:
        case "2" | "3" | "n":
            return _averaging_site(site, start)
        case "2fd":
            return _local_site(site, start, [1.0], (-1.0, 1.0), (), (p[0], 0.0, 0.0))
        case "3fd":
            return _local_site(site, start, [1.0], (-1.0, 1.0 - p[0], p[0]), (), (p[1], 0.0, 0.0))
        case "3fad":
            angle, d = math.radians(p[0]), p[1]
            place = (d * math.cos(angle), d * math.sin(angle), 0.0)
            return _local_site(site, start, [1.0], (-1.0, 1.0, 0.0), (0.0, -1.0, 1.0), place)
        case "4fdn":
            x, y = (1.0 - p[0], -1.0, p[0], 0.0), (1.0 - p[1], -1.0, 0.0, p[1])
            return _local_site(site, start, [1.0], x, y, (0.0, 0.0, p[2]))
        case "3out":
            beads = {f"p{k}": str(start + atom) for k, atom in enumerate(site.atoms, start=1)}
            return Element("OutOfPlaneSite", beads | {"w12": number(p[0]), "w13": number(p[1]), "wc": number(p[2])})


def _vectors(parent: Element, tag: str, rows: FloatArray) -> None:
    for x, y, z in rows.tolist():
        SubElement(parent, tag, {"x": number(x), "y": number(y), "z": number(z)})


def _box(parent: Element, box: FloatArray) -> None:
    holder = SubElement(parent, "PeriodicBoxVectors")
    for k, tag in enumerate("ABC"):
        SubElement(holder, tag, {axis: number(box[k] if j == k else 0.0) for j, axis in enumerate("xyz")})


def _text(root: Element) -> str:
    indent(root, space="\t")
    return '<?xml version="1.0" ?>\n' + tostring(root, encoding="unicode") + "\n"


def _check(system: System) -> None:
    cutoff = system.table.scheme.cutoff
    if min(system.box) < 2.0 * cutoff:
        edges = " x ".join(f"{edge:.3f}" for edge in system.box)
        raise TopologyError(f"the box {edges} nm is smaller than twice the cut-off of {cutoff} nm", where=system.title)
    if not system.n_beads:
        raise TopologyError("there are no beads to write", where=system.title)
    for molecule, _ in system.components:
        check_terms(molecule)
        sites = {site.site for site in molecule.virtual_sites}
        for k, bead in enumerate(molecule.beads):
            if k not in sites and not bead.mass > 0.0:
                raise TopologyError(
                    f"bead {bead.name} has mass {bead.mass:g}", where=molecule.name, hint="OpenMM would never move it"
                )


def system_xml(system: System) -> str:
    """``openmm.System`` as OpenMM serialises it: particles, virtual sites, constraints and forces.

    Raises
    ------
    TopologyError
        A box smaller than twice the cut-off, no beads, a bead without mass that is no virtual site, or a term that
        cannot be written.
    """
    _check(system)
    root = Element("System", {"openmmVersion": OPENMM_VERSION, "type": "System", "version": "1"})
    _box(root, system.box)
    particles, constraints = SubElement(root, "Particles"), SubElement(root, "Constraints")
    for molecule, start in system.molecules():
        sites = {site.site: site for site in molecule.virtual_sites}
        for k, bead in enumerate(molecule.beads):
            particle = SubElement(particles, "Particle", {"mass": number(bead.mass)})
            if k in sites:
                particle.append(_site(sites[k], start))
        for constraint in molecule.constraints:
            i, j = constraint.atoms
            ends = {"p1": str(start + i), "p2": str(start + j)}
            SubElement(constraints, "Constraint", {**ends, "d": number(constraint.length)})
    SubElement(root, "Forces").extend(all_forces(system))
    return _text(root)


def state_xml(system: System) -> str:
    """``openmm.State`` with box, positions of whole molecules, and velocities where there are some, to the last bit."""
    head = {"openmmVersion": OPENMM_VERSION, "stepCount": "0", "time": "0", "type": "State", "version": "1"}
    root = Element("State", head)
    _box(root, system.box)
    _vectors(SubElement(root, "Positions"), "Position", system.whole().positions)
    if system.velocities is not None:
        _vectors(SubElement(root, "Velocities"), "Velocity", system.velocities)
    return _text(root)


def _script(defaults: Mapping[str, object]) -> str:
    lines = "".join(f"{key} = {value!r}\n" for key, value in defaults.items())
    return _DEFAULTS.sub(lambda _: lines, _SCRIPT.read_text(encoding="utf-8"), count=1)


def write_openmm(
    system: System, folder: Path | str, *, name: str = "system", settings: RunSettings | None = None
) -> dict[str, Path]:
    """Write everything OpenMM needs to run ``system``; every text is made before the first file is written.

    Every term is written exactly (``docs/export.md``). OpenMM itself is not needed.

    Parameters
    ----------
    system : System
        Only bead types in use are written; molecules are made whole.
    folder : path
        Made when missing; files of the same name are replaced, each in one step.
    name : str
        Stem of the file names, reduced to plain characters.
    settings : RunSettings, optional
        Defaults of the run script.

    Returns
    -------
    dict
        ``system`` (``NAME_openmm.xml``), ``state`` (``NAME_state.xml``), ``pdb`` (``NAME.pdb``, for viewers) and ``script``
        (``run_openmm.py``) → path.

    Raises
    ------
    TopologyError, SettingsError
        As :func:`system_xml` and :func:`topdown.formats.pdb_text`.
    """
    folder, settings = Path(folder), settings or RunSettings()
    stem = plain(name, default="system")
    defaults = {
        "SYSTEM": f"{stem}_openmm.xml",
        "STATE": f"{stem}_state.xml",
        "TEMPERATURE": settings.temperature,
        "PRESSURE": settings.pressure,
        "BAROSTAT": settings.coupling,
        "TIME_STEP": settings.time_step,
        "EQUILIBRATION": settings.equilibration,
        "PRODUCTION": settings.production,
        "SEED": settings.seed,
    }
    texts = {
        "system": (f"{stem}_openmm.xml", system_xml(system)),
        "state": (f"{stem}_state.xml", state_xml(system)),
        "pdb": (f"{stem}.pdb", pdb_text(system)),
        "script": ("run_openmm.py", _script(defaults)),
    }
    return {key: atomic_write_text(folder / file, text) for key, (file, text) in texts.items()}
