"""A mapped molecule as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from topdown.model import CGMolecule


def mapping_text(molecule: CGMolecule, alternatives: int, others: Sequence[CGMolecule] = ()) -> str:
    """Beads with their reasons, bonded terms, notes, and the next-best mappings."""
    own = molecule.name == molecule.canonical_smiles
    title = _plain(molecule.name if own else f"{molecule.name}  {molecule.canonical_smiles}")
    charge = f", charge {molecule.charge:+g} e" if molecule.charge else ""
    n = molecule.n_beads
    lines = [title, f"{molecule.table}, {n} bead{'s' * (n > 1)}{charge}, {molecule.molar_mass:.2f} g/mol", ""]
    lines += _bead_lines(molecule, alternatives)
    rows = _term_lines(molecule)
    lines += ["", *(f"  {row}" for row in rows)] if rows else []
    lines += [f"note: {_plain(warning)}" for warning in molecule.warnings]
    for rank, other in enumerate(others, start=1):
        beads = "  ".join(f"{b.bead_type}({','.join(map(str, b.atoms))})" for b in other.beads)
        lines += [""] * (rank == 1) + [f"alternative {rank}: {other.n_beads} beads  {beads}"]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text without control characters, which could command the terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _bead_lines(molecule: CGMolecule, alternatives: int) -> list[str]:
    atoms = [",".join(map(str, bead.atoms)) for bead in molecule.beads]
    name = max(4, *(len(b.name) for b in molecule.beads))
    kind = max(4, *(len(b.bead_type) for b in molecule.beads))
    wide = max(5, *map(len, atoms))
    lines = [f"{'bead':<{name}}  {'type':<{kind}}  {'atoms':<{wide}}  conf.  reason"]
    for bead, indices in zip(molecule.beads, atoms):
        lines.append(
            f"{bead.name:<{name}}  {bead.bead_type:<{kind}}  {indices:<{wide}}  {bead.confidence:4.0%}  {bead.reason}"
        )
        if alternatives and bead.alternatives:
            lines.append(f"{'':<{name}}  or {', '.join(bead.alternatives[:alternatives])}")
    return lines


def _term_lines(molecule: CGMolecule) -> list[str]:
    def label(indices: tuple[int, ...]) -> str:
        return "-".join(molecule.beads[i].name for i in indices)

    rows = [f"{label(b.atoms):<16s} {b.length:.3f} nm  {b.force_constant:.0f} kJ/mol/nm²" for b in molecule.bonds]
    rows += [f"{label(c.atoms):<16s} {c.length:.3f} nm  constraint" for c in molecule.constraints]
    rows += [f"{label(a.atoms):<16s} {a.angle:.1f}°  {a.force_constant:.0f} kJ/mol" for a in molecule.angles]
    rows += [
        f"{label(d.atoms):<16s} {d.angle:.1f}°  {d.force_constant:.0f} kJ/mol/rad²  "
        + ("improper" if d.function == 2 else "dihedral")
        for d in molecule.dihedrals
    ]
    rows += [f"{label((v.site, *v.atoms)):<16s} virtual site {v.construction}" for v in molecule.virtual_sites]
    return rows
