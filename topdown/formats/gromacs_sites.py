"""Virtual sites, restraints and exclusions of GROMACS topologies.

Constructions and parameter order: GROMACS reference manual, "Virtual interaction sites" and "Topology file formats".
"""

from __future__ import annotations

from collections.abc import Mapping

from topdown.errors import TopologyError
from topdown.formats.gromacs_contents import Contents, MoleculeDraft
from topdown.formats.gromacs_lines import Fields
from topdown.model import CONSTRUCTIONS, Construction, FlatBottomRestraint, PositionRestraint, VirtualSite

#: Section → function → construction; ``n`` is read apart.
SITES: Mapping[str, Mapping[int, Construction]] = {
    "virtual_sites1": {1: "n"},
    "virtual_sites2": {1: "2", 2: "2fd"},
    "virtual_sites3": {1: "3", 2: "3fd", 3: "3fad", 4: "3out"},
    "virtual_sites4": {2: "4fdn"},
}

_N_CONSTRUCTING = {"virtual_sites1": 1, "virtual_sites2": 2, "virtual_sites3": 3, "virtual_sites4": 4}


def section_name(name: str) -> str:
    """Today's name of a section: ``dummies3`` was that of ``virtual_sites3``."""
    return name.replace("dummies", "virtual_sites") if name.startswith("dummies") else name


def _add_site(molecule: MoleculeDraft, line: Fields, site: VirtualSite) -> None:
    bead = molecule.beads[site.site]
    if bead.mass != 0.0:
        raise line.error(
            f"bead {site.site + 1} ({bead.name}) is a virtual site and has mass {bead.mass:g}",
            f"write mass 0 in [ atoms ], {molecule.bead_places[site.site]}",
        )
    if site in molecule.terms["virtual_sites"]:
        return  # the same line twice is one
    if any(site.site == other.site for other in molecule.terms["virtual_sites"]):
        raise line.error(f"bead {site.site + 1} ({bead.name}) is placed twice")
    molecule.add("virtual_sites", site)


def read_site(contents: Contents, line: Fields) -> None:
    """A line of ``[ virtual_sites1 ]`` to ``[ virtual_sites4 ]``: site, constructing beads, function, parameters."""
    molecule, section = contents.molecule(line), section_name(line.section)
    n = _N_CONSTRUCTING[section] + 1
    if len(line.words) <= n:
        raise line.error(f"needs {n} beads and a function, found {' '.join(line.words)!r}")
    beads, function = molecule.atoms(line, range(n)), line.integer(n)
    construction = SITES[section].get(function)
    if construction is None:
        known = ", ".join(map(str, SITES[section]))
        molecule.refuse(line.error(f"function {function} is not supported", f"functions {known} are"))
        return
    wanted = CONSTRUCTIONS[construction][1]
    line.check_count(n + 1 + wanted, n + 1 + wanted)
    parameters = (1.0,) if section == "virtual_sites1" else line.numbers(n + 1)
    _add_site(
        molecule,
        line,
        VirtualSite(site=beads[0], construction=construction, atoms=beads[1:], parameters=parameters),
    )


def read_site_n(contents: Contents, line: Fields) -> None:
    """A line of ``[ virtual_sitesn ]``: the geometric centre (1), the centre of mass (2), or free weights (3)."""
    molecule = contents.molecule(line)
    if len(line.words) < 3:
        raise line.error(f"needs a bead, a function and constructing beads, found {' '.join(line.words)!r}")
    function, last = line.integer(1), len(line.words)
    if function not in (1, 2, 3):
        molecule.refuse(line.error(f"function {function} is not supported", "functions 1, 2, 3 are"))
        return
    if function == 3 and last % 2:
        raise line.error(f"needs a weight after each bead, found {' '.join(line.words)!r}")
    step = 2 if function == 3 else 1
    ordered = Fields((line.words[0], *line.words[2:last:step]), line.section, line.where)
    site, *atoms = molecule.atoms(ordered, range(len(ordered.words)))
    weights = [1.0] * len(atoms)
    if function == 2:
        weights = [molecule.beads[atom].mass for atom in atoms]
    elif function == 3:
        weights = [line.number(k) for k in range(3, last, 2)]
    if min(weights) < 0 or sum(weights) == 0.0:
        what = "masses" if function == 2 else "weights"
        raise line.error(f"the {what} of the constructing beads must not be negative and not all be zero")
    _add_site(
        molecule,
        line,
        VirtualSite(site=site, construction="n", atoms=tuple(atoms), parameters=tuple(weights)),
    )


def read_restraint(contents: Contents, line: Fields) -> None:
    """A line of ``[ position_restraints ]``: harmonic (1: three force constants) or flat-bottomed (2: g, r, k)."""
    molecule = contents.molecule(line)
    line.check_count(5, 5)
    (atom,), function = molecule.atoms(line, range(1)), line.integer(1)
    if function not in (1, 2):
        molecule.refuse(line.error(f"function {function} is not supported", "functions 1, 2 are"))
    elif function == 1:
        kx, ky, kz = line.numbers(2)
        molecule.add("position_restraints", PositionRestraint(atom=atom, force_constants=(kx, ky, kz)))
    else:
        geometry = line.integer(2)
        if not 1 <= geometry <= 8:
            raise line.error(f"the geometry must be 1 to 8, found {geometry}")
        molecule.add(
            "flat_bottom_restraints",
            FlatBottomRestraint(atom=atom, geometry=geometry, radius=line.number(3), force_constant=line.number(4)),
        )


def read_exclusion(contents: Contents, line: Fields) -> None:
    """A line of ``[ exclusions ]``: a bead, and the beads it does not see."""
    molecule = contents.molecule(line)
    if len(line.words) < 2:
        raise line.error("needs a bead and the beads it ignores")
    first, *others = (molecule.atoms(line, range(k, k + 1))[0] for k in range(len(line.words)))
    for other in others:
        if other != first:
            molecule.exclusions[min(first, other), max(first, other)] = None


def massless_bead(molecule: MoleculeDraft) -> TopologyError | None:
    """The error for the first bead without mass that is no virtual site, if there is one."""
    sites = {site.site for site in molecule.terms["virtual_sites"]}
    for k, (bead, where) in enumerate(zip(molecule.beads, molecule.bead_places)):
        if bead.mass == 0.0 and k not in sites:
            return TopologyError(
                f"[ atoms ] bead {k + 1} ({bead.name}) has mass 0 and is no virtual site",
                where=where,
                hint=f"no [ virtual_sites ] of {molecule.name} places it",
            )
    return None
