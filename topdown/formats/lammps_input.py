"""The input scripts of LAMMPS around a data file: styles, coefficients, and the three runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from topdown.formats.gromacs_write import STIFF_BOND
from topdown.formats.lammps_data import FIELDS_SECTION, FLAT_AXES, Content, longest_reach
from topdown.formats.lammps_rigid import SITE_MASS, stiff_time_step
from topdown.formats.lammps_terms import (
    ANGSTROM,
    SPRING,
    Types,
    charge_energy,
    number,
    reaction_field,
    table_keyword,
)
from topdown.formats.mdp import RunSettings
from topdown.formats.naming import one_line
from topdown.units import KCAL_TO_KJ

#: What neighbour lists reach beyond the cut-off [Å].
SKIN = 2.5
#: Points of the tables written for tabulated angles: one per hundredth of a degree.
TABLE_POINTS = 18001
#: 1 bar in atm, the pressure of units real.
BAR_TO_ATM = 1.0 / 1.01325
#: LAMMPS's factor from kcal/mol/Å³ to atm, undone where the virial is printed.
_PRESSURE_FACTOR = 68568.415


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNames:
    """Names of the files of one system."""

    stem: str

    @property
    def data(self) -> str:
        return f"{self.stem}.data"

    @property
    def init(self) -> str:
        return f"{self.stem}.in.init"

    @property
    def settings(self) -> str:
        return f"{self.stem}.in.settings"

    @property
    def table(self) -> str:
        return f"{self.stem}.angles.table"

    @property
    def start(self) -> str:
        return f"{self.stem}.start.dump"


def _charged(content: Content) -> bool:
    return any(charged for _, _, charged in content.atom_types)


def _lj_style(content: Content) -> str:
    return "lj/smooth/linear" if content.registry.scheme.lj_modifier == "force-shift" else "lj/cut"


def init_text(content: Content) -> str:
    """What stands before the data file is read: units, and what ``Bonds`` of the data file mean."""
    lines = [
        f"# {one_line(content.system.title, limit=120) or 'topdown'}; bead table {one_line(content.registry.table.name)}",
        "# Lengths in Angstrom, energies in kcal/mol, times in fs (units real).",
        "units real",
        "atom_style full",
        "# exactly what Bonds connects is excluded from the non-bonded sums",
        "special_bonds lj/coul 0.0 1.0 1.0",
    ]
    return "\n".join(lines) + "\n"


def _styles(content: Content) -> list[str]:
    """Styles; they come after the beads are read, since restart files keep them without all of their options."""
    scheme, registry = content.registry.scheme, content.registry
    cutoff = number(scheme.cutoff * ANGSTROM)
    lj = f"{_lj_style(content)} {cutoff}"
    lines = [
        f"dielectric {number(scheme.epsilon_r)}",
        f"pair_style hybrid/overlay {lj} lepton/coul {cutoff}" if _charged(content) else f"pair_style {lj}",
    ]
    if scheme.lj_modifier == "potential-shift":
        lines.append(f"pair_modify {'pair lj/cut ' if _charged(content) else ''}shift yes")
    if registry.bonds.types:
        options = {"lepton": "lepton no_offset"}
        lines.append("bond_style hybrid " + " ".join(_with_options(registry.bonds.styles, options)))
    if registry.angles.types:
        options = {"table": f"table spline {TABLE_POINTS}"}
        lines.append("angle_style hybrid " + " ".join(_with_options(registry.angles.styles, options)))
    if registry.dihedrals.types:
        if "spherical" in registry.dihedrals.styles:
            lines += [
                "# combined bending-torsion: energy and forces of `spherical` are right, but LAMMPS (22Jul2025) tallies another",
                "# pressure tensor for it (its trace is right): with semi-isotropic coupling the area can be off",
            ]
        lines.append("dihedral_style hybrid " + " ".join(registry.dihedrals.styles))
    return lines


def _with_options(styles: Sequence[str], options: dict[str, str]) -> list[str]:
    return [options.get(style, style) for style in styles]


def _coefficients(kind: str, types: Types, names: FileNames) -> list[str]:
    files = {"table": f"{names.table} "}
    return [
        f"{kind}_coeff {k} {t.style} {files.get(t.style, '')}{t.coefficients}"
        for k, t in enumerate(types.types, start=1)
    ]


def _pair_coefficients(content: Content) -> list[str]:
    scheme, table, types = content.registry.scheme, content.registry.table, content.atom_types
    charged, style = _charged(content), _lj_style(content)
    factor, k_rf, c_rf = reaction_field(scheme)
    coulomb = f'"{number(factor)}*qi*qj*(1/r+{number(k_rf)}*r^2-{number(c_rf)})"'
    lines = []
    for i, (a, _, a_charged) in enumerate(types, start=1):
        for j, (b, _, b_charged) in enumerate(types[i - 1 :], start=i):
            sigma, epsilon = table.pair(a, b)
            values = f"{number(epsilon / KCAL_TO_KJ)} {number(sigma * ANGSTROM)}"
            lines.append(f"pair_coeff {i} {j} {f'{style} ' if charged else ''}{values} # {a} {b}")
            if a_charged and b_charged:
                lines.append(f"pair_coeff {i} {j} lepton/coul {coulomb}")
    return lines


def settings_text(content: Content, names: FileNames) -> str:
    """Styles, coefficients, restraints, neighbour lists, and the energy terms as variables."""
    registry = content.registry
    lines = ["# styles and coefficients", *_styles(content), *_pair_coefficients(content)]
    for kind, types in (("bond", registry.bonds), ("angle", registry.angles), ("dihedral", registry.dihedrals)):
        lines += _coefficients(kind, types, names)
    lines += ["", f"neighbor {SKIN} bin", "neigh_modify every 1 delay 0 check yes"]
    listed = registry.scheme.cutoff * ANGSTROM + SKIN
    reach = max(1.5 * longest_reach(content), _expected_reach(content))
    if reach > listed:
        lines.append(f"comm_modify cutoff {number(np.ceil(reach))} # terms and bodies reach further than the lists")
    lines += _restraints(content)
    return "\n".join([*lines, *_energy_variables(content)]) + "\n"


def _expected_reach(content: Content) -> float:
    """The communication cut-off [Å] below which LAMMPS warns: a multiple of the longest bond, and the skin."""
    registry = content.registry
    harmonic = (t.coefficients.split() for t in registry.bonds.types if t.style == "harmonic")
    longest = max((float(words[1]) for words in harmonic), default=0.0)
    factor = 3.125 if registry.dihedrals.types else 2.25 if registry.angles.types else 1.5
    return factor * longest + SKIN


def _restraints(content: Content) -> list[str]:
    """Restraints to the nearest image of points that scale with the box (as ``refcoord-scaling = all``)."""
    if "d_rx" not in content.columns:
        return []
    lines = [
        "",
        "# restraints: energy and forces; their share of the virial is left out (-1/2 d f per bead, d from the point)",
    ]
    for axis, edge in zip("xyz", content.system.box):
        away = f"({axis}-{axis}lo-d_r{axis}*l{axis}/{number(edge * ANGSTROM)})"
        lines.append(f"variable away_{axis} atom {away}-l{axis}*round({away}/l{axis})")
    energy: list[str] = []
    forces: dict[str, list[str]] = {axis: [] for axis in "xyz"}
    marks: list[str] = []
    if "d_kx" in content.columns:
        for axis in "xyz":
            energy.append(f"0.5*d_k{axis}*v_away_{axis}^2")
            forces[axis].append(f"-d_k{axis}*v_away_{axis}")
            marks.append(f"(d_k{axis}!=0)")
    for g in content.flat_geometries:
        squares = "+".join(f"v_away_{axis}^2" for axis in FLAT_AXES[g])
        lines += [
            f"variable distance_{g} atom sqrt({squares})",
            f"variable beyond_{g} atom v_distance_{g}-abs(d_fr{g})",
            f"variable push_{g} atom d_fk{g}*v_beyond_{g}*(((d_fr{g}>=0)&&(v_beyond_{g}>0))||((d_fr{g}<0)&&(v_beyond_{g}<0)))",
        ]
        energy.append(f"0.5*v_push_{g}*v_beyond_{g}")
        for axis in FLAT_AXES[g]:
            forces[axis].append(f"-v_push_{g}*v_away_{axis}/(v_distance_{g}+(v_distance_{g}==0))")
        marks.append(f"(d_fk{g}!=0)")
    lines += [f"variable force_{axis} atom {''.join(forces[axis]) or '0.0'}" for axis in "xyz"]
    lines += [
        f"variable restraint_energy atom {'+'.join(energy)}",
        f"variable is_restrained atom {'||'.join(marks)}",
        "group restrained variable is_restrained",
        "fix restraints restrained addforce v_force_x v_force_y v_force_z energy v_restraint_energy",
        "fix_modify restraints energy yes virial no",
    ]
    return lines


def self_energy(content: Content) -> float:
    """Reaction-field energy of each charge with itself, summed [kcal/mol]: -1/2 f/ε_r c_rf Σ q²."""
    scheme = content.registry.scheme
    squares = sum(count * bead.charge**2 for m, count in content.system.components for bead in m.beads)
    return -0.5 * charge_energy(scheme, squares) * reaction_field(scheme)[2]


def _energy_variables(content: Content) -> list[str]:
    registry, kj = content.registry, number(KCAL_TO_KJ)
    place = {style: f"c_bond_terms[{k}]" for k, style in enumerate(registry.bonds.styles, start=1)}
    angles = [f"c_angle_terms[{k}]" for k in range(1, len(registry.angles.styles) + 1)]
    spring = angles.pop(registry.angles.styles.index("charmm")) if "charmm" in registry.angles.styles else None
    bond = "+".join(filter(None, [place.get("harmonic"), spring]))
    lj = "+".join(filter(None, ["evdwl", place.get("special")]))
    coulomb = "+".join(filter(None, ["ecoul", place.get("lepton")]))
    lines = [
        "",
        "# Energy terms in kJ/mol, by the names and in the sense of `topdown energy`. LAMMPS's own pe lacks one constant:",
        "# the reaction field of each charge with itself.",
    ]
    if registry.bonds.types:
        lines.append("compute bond_terms all bond")
    if registry.angles.types:
        lines.append("compute angle_terms all angle")
    lines += [
        f"variable bond equal {kj}*({bond or '0.0'})",
        f"variable angle equal {kj}*({'+'.join(angles) or '0.0'})",
        f"variable dihedral equal {kj}*{'edihed' if registry.dihedrals.types else '0.0'}",
        f"variable restraint equal {kj}*{'f_restraints' if 'd_rx' in content.columns else '0.0'}",
        f"variable lj equal {kj}*({lj})",
        f"variable coulomb equal {kj}*({coulomb}+({number(self_energy(content))}))",
        "variable potential equal v_bond+v_angle+v_dihedral+v_restraint+v_lj+v_coulomb",
    ]
    return lines


def _read(content: Content, names: FileNames, *, restarts: bool = False) -> list[str]:
    """Commands that read the data file, or a restart file where that is allowed, between the two includes."""
    columns = " ".join(content.columns)
    fields = f"fix fields all property/atom {columns}" if columns else ""
    read = f"read_data ${{start}}.data{f' fix fields NULL {FIELDS_SECTION}' if columns else ''}"
    lines = [f"variable start index {names.stem}", f"include {names.init}"]
    if restarts:
        fresh, again = (
            " ".join(f'"{command}"' for command in commands if command)
            for commands in ((fields, read), ("read_restart ${restart}", fields))
        )
        lines += [
            "variable fresh equal !is_defined(variable,restart)",
            f'if "${{fresh}}" then {fresh} else {again}',
        ]
    else:
        lines += [command for command in (fields, read) if command]
    return [*lines, f"include {names.settings}"]


def _bodies(names: FileNames, *, restarts: bool) -> list[str]:
    """Groups of beads in and outside rigid bodies, and the bodies of the exported file put onto their constraints."""
    original = f"x${{start}} == x{names.stem}" + (" && ${fresh}" if restarts else "")
    return [
        "# The exported data file meets the constraints of rigid bodies to its digits only; files LAMMPS writes meet them.",
        f'if "{original}" then "read_dump {names.start} 0 x y z box no replace yes wrapped no"',
        "variable in_body atom i_body>0",
        "group bodies variable in_body",
        "group others subtract all bodies",
    ]


def _stiff(content: Content, holdings: Sequence[str]) -> list[str]:
    """Bond coefficients that turn constraints into stiff bonds."""
    k = number(0.5 * STIFF_BOND * SPRING)
    return [
        f"bond_coeff {kind} harmonic {k} {number(length)}"
        for kind, (length, holding) in content.registry.constraints.items()
        if holding in holdings
    ]


def single_point_text(content: Content, names: FileNames) -> str:
    """Energy terms (JSON, kJ/mol) and forces [kcal/mol/Å] of the data file as it stands; constraints are not applied."""
    terms = ("bond", "angle", "dihedral", "restraint", "lj", "coulomb", "potential")
    virial = ", ".join(f"$(v_virial_{k}:%.15g)" for k in range(1, 7))
    factor = number(-0.5 * KCAL_TO_KJ / _PRESSURE_FACTOR)
    lines = [
        "# Single point: energies and virial [kJ/mol] go to single_point.json, forces [kcal/mol/Angstrom] to",
        "# single_point.forces. Constraints are not applied; forces on virtual sites stay on the sites.",
        *_read(content, names),
        "compute stress all pressure NULL virial",
        *(f"variable virial_{k} equal {factor}*vol*c_stress[{k}]" for k in range(1, 7)),
        "thermo_style custom step pe evdwl ecoul ebond eangle edihed c_stress[*]",
        "thermo_modify format float %.15g norm no",
        "dump forces all custom 1 single_point.forces id type q fx fy fz",
        "dump_modify forces sort id format float %.17g",
        "run 0",
        "print '{"
        + ", ".join(f'"{term}": $(v_{term}:%.15g)' for term in terms)
        + f', "virial xx yy zz xy xz yz": [{virial}]}}\' file single_point.json',
    ]
    return "\n".join(lines) + "\n"


def minimize_text(content: Content, names: FileNames) -> str:
    """Conjugate gradients; what SHAKE holds in a run is held by stiff bonds, rigid bodies stay where they are."""
    lines = ["# Minimisation; continue with: lmp -in in.run -var start minimized", *_read(content, names)]
    lines += _stiff(content, ("shake", "stiff"))
    if "rigid" in content.holdings:
        lines += [
            *_bodies(names, restarts=False),
            "# bodies wait for the others to move out of their way",
            "fix hold bodies setforce 0.0 0.0 0.0",
        ]
    lines += [
        "thermo 100",
        "thermo_style custom step pe v_potential fmax fnorm",
        "thermo_modify norm no",
        "min_style cg",
        "minimize 0.0 1.0 2000 20000",
        "write_data minimized.data nocoeff",
    ]
    return "\n".join(lines) + "\n"


def time_step(content: Content, settings: RunSettings) -> float:
    """Time step [ps] of the run: the one asked for, or less where stiff bonds stand in for constraints."""
    stiff = [
        stiff_time_step(molecule, cluster, STIFF_BOND)
        for (molecule, _), clusters in zip(content.system.components, content.clusters)
        for cluster in clusters
        if cluster.holding == "stiff"
    ]
    return min(settings.time_step, float(np.floor(1000.0 * min(stiff))) / 1000.0 if stiff else settings.time_step)


def run_text(content: Content, names: FileNames, settings: RunSettings) -> str:
    """Equilibration and production at constant temperature and pressure."""
    step = time_step(content, settings)
    steps = {name: max(1, round(1000.0 * getattr(settings, name) / step)) for name in ("equilibration", "production")}
    drawn = "draw" if content.system.velocities is None else "keep"
    lines = [
        "# Constant temperature and pressure: equilibration, then production. Defaults can be overruled, for instance",
        "#   lmp -in in.run -var start minimized -var velocities draw -var production 100000",
        f"#   lmp -in in.run -var restart {names.stem}.restart.1 -var equilibration 0     (goes on with velocities as they are)",
        *(f"variable {name} index {count}" for name, count in steps.items()),
        f"variable seed index {settings.seed + 1}",
        f"variable velocities index {drawn}",
        f"variable temperature index {number(settings.temperature)} # K",
        f"variable pressure index {number(settings.pressure * BAR_TO_ATM)} # atm",
        *_read(content, names, restarts=True),
        *(_bodies(names, restarts=True) if "rigid" in content.holdings else []),
        'if "${velocities} == draw && ${fresh}" then &',
        '  "velocity all create ${temperature} ${seed} mom yes rot no dist gaussian"',
        f"timestep {number(1000.0 * step)}",
        *_held(content, step),
        *_integrators(content, settings),
        f"thermo {_every(20.0, step)}",
        "thermo_style custom step time temp press pe v_potential lx ly lz density",
        "thermo_modify flush yes norm no",
        f"restart {_every(1000.0, step)} {names.stem}.restart.1 {names.stem}.restart.2",
        "run ${equilibration}",
        f"dump trajectory all xtc {_every(100.0, step)} {names.stem}.xtc",
        "dump_modify trajectory unwrap yes precision 1000",
        "run ${production}",
        "write_data final.data nocoeff",
    ]
    return "\n".join(lines) + "\n"


def _every(picoseconds: float, step: float) -> int:
    return max(100, round(picoseconds / step / 100.0) * 100)


def _held(content: Content, step: float) -> list[str]:
    """What stands in for constraints that neither SHAKE nor rigid bodies take, and what to know about bodies."""
    lines = []
    if "stiff" in content.holdings:
        lines += [
            "# SHAKE takes clusters of a bead with up to three partners, fix rigid those without inner freedom.",
            f"# Other constraints are bonds of {STIFF_BOND:g} kJ/mol/nm^2: lengths swing by about 0.005 nm,",
            f"# and the time step is {1000.0 * step:g} fs.",
            *_stiff(content, ("stiff",)),
        ]
    if any(cluster.sites for clusters in content.clusters for cluster in clusters):
        lines.append(f"# Virtual sites are parts of rigid bodies; LAMMPS wants a mass for them: {SITE_MASS:g} u.")
    return lines


def _integrators(content: Content, settings: RunSettings) -> list[str]:
    target = "${pressure} ${pressure} 12000.0"
    box = f"x {target} y {target} z {target} couple xy" if settings.coupling == "semiisotropic" else f"iso {target}"
    shaken = sorted(k for k, (_, holding) in content.registry.constraints.items() if holding == "shake")
    # SHAKE has to be defined before what changes the box
    lines = [f"fix constraints all shake 1.0e-8 500 0 b {' '.join(map(str, shaken))}"] if shaken else []
    if "rigid" in content.holdings:
        lines += [
            "# Langevin friction of 1/ps on all beads: scaling velocities would not reach the bodies",
            "fix thermostat all langevin ${temperature} ${temperature} 1000.0 ${seed}",
            f"fix integrate_bodies bodies rigid/nph/small custom i_body {box}",
            "fix integrate others nve",
        ]
    else:
        lines += [
            f"fix integrate all nph {box}",
            "# stochastic velocity rescaling (Bussi, Donadio and Parrinello 2007), coupling time 1 ps",
            "fix thermostat all temp/csvr ${temperature} ${temperature} 1000.0 ${seed}",
        ]
    return lines


def angle_table_text(content: Content) -> str:
    """The tabulated angles at ``TABLE_POINTS`` angles, energies in kcal/mol and -dU/dθ in kcal/mol/degree."""
    from scipy.interpolate import CubicHermiteSpline  # half of what importing the formats would cost

    lines = ["# tabulated angles: cubic between the points of the original tables, written out finely"]
    for place, ((_, k), table) in enumerate(content.registry.angle_tables.items()):
        theta = np.linspace(0.0, 180.0, TABLE_POINTS)
        curve = CubicHermiteSpline(table.x, table.energy, table.slope)
        energy, slope = curve(theta), curve(theta, 1)
        scale = k / KCAL_TO_KJ
        lines += ["", table_keyword(place), f"N {TABLE_POINTS}", ""]
        lines += [
            f"{n} {number(t)} {number(u)} {number(f)}"
            for n, (t, u, f) in enumerate(zip(theta, scale * energy, -scale * slope), start=1)
        ]
    return "\n".join(lines) + "\n"
