"""A mapped molecule, or a refusal, as the JSON contract has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from topdown.errors import MoleculeError, TopdownError
from topdown.model import BeadTable, CGMolecule
from topdown.report.cgsmiles import cgsmiles
from topdown.workflows.made_with import mapped_with
from topdown.workflows.map_lists import MoleculeRequest


def error_code(error: TopdownError) -> str:
    """E_… code of a refusal: E_TABLE when the bead table lacks a type, E_MAPPING when the user's beads do not fit."""
    if isinstance(error, MoleculeError):
        return error.code
    return "E_TABLE" if type(error).__name__ == "BeadTableError" else "E_MAPPING"


def mapping_json(
    molecule: CGMolecule,
    table: BeadTable,
    request: MoleculeRequest,
    *,
    alternatives: int = 3,
    other_mappings: Sequence[CGMolecule] | None = None,
    seed: int = 1,
) -> dict[str, Any]:
    """A mapped molecule as the JSON contract has it; bead indices count from 0.

    ``seed`` is that of the conformers, for ``made_with``.

    ``other_mappings``, when asked for, are the key ``alternative_mappings``: the next-best mappings, best first, each with
    its ``beads``, ``cgsmiles`` and ``warnings``.
    """
    found = {
        "smiles": request.smiles,
        "name": request.name,
        "canonical_smiles": molecule.canonical_smiles,
        "table": molecule.table,
        "beads": _beads(molecule, table, alternatives),
        **_bonded(molecule),
        "exclusions": [list(pair) for pair in molecule.exclusions],
        "cgsmiles": cgsmiles(molecule),
        "warnings": list(molecule.warnings),
        "made_with": mapped_with(seed),
    }
    if other_mappings is not None:
        found["alternative_mappings"] = [
            {
                "beads": _beads(other, table, alternatives),
                "cgsmiles": cgsmiles(other),
                "warnings": list(other.warnings),
            }
            for other in other_mappings
        ]
    return found


def _bonded(molecule: CGMolecule) -> dict[str, list[dict[str, Any]]]:
    """What holds the beads together."""
    return {
        "bonds": [
            {"atoms": list(b.atoms), "length": b.length, "force_constant": b.force_constant, "function": b.function}
            for b in molecule.bonds
        ],
        "constraints": [{"atoms": list(c.atoms), "length": c.length} for c in molecule.constraints],
        "angles": [
            {"atoms": list(a.atoms), "angle": a.angle, "force_constant": a.force_constant, "function": a.function}
            for a in molecule.angles
        ],
        "dihedrals": [
            {
                "atoms": list(d.atoms),
                "angle": d.angle,
                "force_constant": d.force_constant,
                "multiplicity": d.multiplicity,
                "function": d.function,
            }
            for d in molecule.dihedrals
        ],
        "virtual_sites": [
            {
                "site": v.site,
                "construction": v.construction,
                "atoms": list(v.atoms),
                "parameters": list(v.parameters),
            }
            for v in molecule.virtual_sites
        ],
    }


def _beads(molecule: CGMolecule, table: BeadTable, alternatives: int) -> list[dict[str, Any]]:
    return [
        {
            "name": bead.name,
            "type": bead.bead_type,
            "size": table.bead_type(bead.bead_type).size,
            "charge": bead.charge,
            "mass": bead.mass,
            "atoms": list(bead.atoms),
            "reason": bead.reason,
            "confidence": bead.confidence,
            "alternatives": list(bead.alternatives[:alternatives]),
        }
        for bead in molecule.beads
    ]


def refusal_json(request: MoleculeRequest, error: TopdownError) -> dict[str, Any]:
    """A refusal as the JSON contract has it."""
    message = error.message + (f" ({error.hint})" if error.hint else "")
    return {
        "smiles": request.smiles,
        "name": request.name,
        "error": {"code": error_code(error), "message": message},
    }
