"""Reading and writing files of other programs; everything is written whole or not at all."""

from topdown.formats.gro import GroFile, gro_text, read_gro
from topdown.formats.gromacs_read import Topology, read_gromacs_topology, read_topology
from topdown.formats.gromacs_write import molecule_itp, write_gromacs
from topdown.formats.lammps import write_lammps
from topdown.formats.mdp import RunSettings
from topdown.formats.mdp_read import MdpSettings, read_mdp
from topdown.formats.ndx import read_ndx
from topdown.formats.openmm import write_openmm
from topdown.formats.pdb import PdbFile, pdb_text, read_pdb

__all__ = [
    "GroFile",
    "MdpSettings",
    "PdbFile",
    "RunSettings",
    "Topology",
    "gro_text",
    "molecule_itp",
    "pdb_text",
    "read_gro",
    "read_gromacs_topology",
    "read_mdp",
    "read_ndx",
    "read_pdb",
    "read_topology",
    "write_gromacs",
    "write_lammps",
    "write_openmm",
]
