"""The functional group that decides a bead's class, and the class published models usually give it.

A class is a bead type without size and labels: ``P3``; a bead takes the class of its most polar group. Classes follow the
building-block tables of Souza et al., Nat. Methods 18, 382 (2021) and Alessandri et al., Adv. Theory Simul. 5, 2100391
(2022) for Martini 3, and Table 3 of Marrink et al., J. Phys. Chem. B 111, 7812 (2007) for Martini 2. They are where
estimates start from (:mod:`topdown.mapping.type_estimate`), not the last word.
"""

from __future__ import annotations

from topdown.mapping.atom_roles import AtomRoles
from topdown.mapping.bead_chemistry import BeadChemistry, FunctionalGroup
from topdown.mapping.martini2_groups import martini2_group
from topdown.mapping.martini3_groups import martini3_group

__all__ = ["FunctionalGroup", "functional_group"]


def functional_group(roles: AtomRoles, group: tuple[int, ...], shared: frozenset[int], style: str) -> FunctionalGroup:
    """The most polar functional group of a bead.

    Parameters
    ----------
    roles : AtomRoles
    group : tuple of int
        Atoms of the bead.
    shared : frozenset of int
        Atoms that stand in more than one bead.
    style : {"martini3", "martini2"}
    """
    names = tuple(roles.names[a] for a in group)
    bead = BeadChemistry(roles, group, shared, names, frozenset(names))
    return martini3_group(bead) if style == "martini3" else martini2_group(bead)
