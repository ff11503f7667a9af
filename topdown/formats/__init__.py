"""Reading and writing files of other programs; everything is written whole or not at all."""

from topdown.formats.atomic import atomic_write_bytes, atomic_write_text
from topdown.formats.gro import GroFile, gro_text, read_gro
from topdown.formats.gromacs_read import Topology, read_gromacs_topology, read_topology
from topdown.formats.gromacs_write import molecule_itp, write_gromacs
from topdown.formats.mdp import RunSettings
from topdown.formats.pdb import pdb_text

__all__ = [
    "GroFile",
    "RunSettings",
    "Topology",
    "atomic_write_bytes",
    "atomic_write_text",
    "gro_text",
    "molecule_itp",
    "pdb_text",
    "read_gro",
    "read_gromacs_topology",
    "read_topology",
    "write_gromacs",
]
