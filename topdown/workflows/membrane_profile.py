"""``topdown membrane profile``: the free energy of a molecule across a bilayer and its partition coefficient into it."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown.errors import InputFileError, SettingsError
from topdown.model import CGMolecule, Estimate
from topdown.properties.membrane_profile import Comparison, PartitionProfile, partition_profile
from topdown.properties.membrane_umbrella import ProfileRequest, ProfileSamples, sample_profile
from topdown.properties.sampler import Progress
from topdown.resources import atomic_write_bytes, atomic_write_text, cache_folder
from topdown.sampling.equilibrate import TIME_STEP
from topdown.tables import load_bead_table, load_molecule
from topdown.workflows.made_with import made_with
from topdown.workflows.membrane_request import Shares

#: Length of the parts in which windows are run and stored [ps].
_PART_PS: Final = 500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSettings:
    """What ``topdown membrane profile`` is asked.

    Attributes
    ----------
    lipids : tuple of (str, float)
        Curated models and their shares, alike in both leaflets.
    table : str
        Bead table, by name or folder.
    size : (float, float, float)
        Edges of the box at the start [nm].
    salt : float
        [mol/l]
    temperature : float
        [K]
    spacing : float
        Between windows [nm].
    length_ns : float
        Of each run; every window is run twice.
    membrane_ns : float
        Equilibration of the bilayer before.
    spring : float
        Of the umbrellas [kJ/mol/nm²].
    depth : float, optional
        d of K_V [nm].
    seed : int

    Raises
    ------
    SettingsError
        A value out of range.
    """

    lipids: Shares
    table: str = "martini3"
    size: tuple[float, float, float] = (4.8, 4.8, 8.4)
    salt: float = 0.0
    temperature: float = 310.0
    spacing: float = 0.2
    length_ns: float = 2.0
    membrane_ns: float = 5.0
    spring: float = 200.0
    depth: float | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        limits = {
            "temperature": (200.0, 500.0),
            "spacing": (0.02, 0.5),
            "length_ns": (0.01, 1e5),
            "membrane_ns": (0.0, 1e5),
            "spring": (1.0, 1e5),
            "salt": (0.0, 6.0),
        }
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                option = name.removesuffix("_ns").replace("membrane", "equilibrate")
                raise SettingsError(
                    f"--{option} {getattr(self, name):g} is out of range", hint=f"{least:g} to {most:g}"
                )
        if self.depth is not None and not 0.1 <= self.depth <= 50.0:
            raise SettingsError(f"--depth {self.depth:g} is out of range", hint="0.1 to 50 nm")
        if self.seed < 0:
            raise SettingsError(f"--seed must not be negative, got {self.seed}")

    @property
    def targets(self) -> tuple[float, ...]:
        """Heights of the windows [nm], symmetric about the middle plane, all round the periodic box."""
        n = math.floor(self.size[2] / 2 / self.spacing + 1e-9)
        return tuple(round(self.spacing * k, 6) for k in range(-n, n + 1))


@dataclass(frozen=True, kw_only=True, eq=False)
class ProfileResult:
    """A finished profile.

    Attributes
    ----------
    smiles : str
    settings : ProfileSettings
    solute : CGMolecule
    samples : ProfileSamples
    profile : PartitionProfile
    n_beads : int
        Of the solute.
    files : dict of str to Path
    """

    smiles: str
    settings: ProfileSettings
    solute: CGMolecule
    samples: ProfileSamples
    profile: PartitionProfile
    files: dict[str, Path]

    def as_json(self) -> dict[str, Any]:
        """Plain values, for files and programs."""
        return profile_data(self)


def profile_request(smiles: str, settings: ProfileSettings) -> ProfileRequest:
    """Map the molecule and say what is to be run.

    Raises
    ------
    TopdownError
        A SMILES that is refused, an unknown table or lipid, or a box too small.
    """
    from topdown.mapping import map_molecule

    table = load_bead_table(settings.table)
    reach = table.scheme.cutoff + 0.5
    if min(settings.size) < 2 * reach:
        raise SettingsError(
            f"a box edge of {min(settings.size):g} nm is shorter than twice the cut-off with its buffer, {2 * reach:g} nm",
            where="--size",
        )
    lipids = tuple((load_molecule(settings.table, name), share) for name, share in settings.lipids)
    water, cation, anion = (load_molecule(settings.table, name) for name in ("W", "NA", "CL"))
    solute = map_molecule(smiles, table, name="MOL", conformers=True, seed=settings.seed)
    molecules = (solute, water, cation, anion, *(lipid for lipid, _ in lipids))
    part = round(min(_PART_PS, settings.length_ns * 1000.0) / TIME_STEP)
    return ProfileRequest(
        solute=solute,
        lipids=lipids,
        water=water,
        cation=cation,
        anion=anion,
        table=table.subset({name for molecule in molecules for name in molecule.type_names}),
        size=settings.size,
        temperature=settings.temperature,
        salt=settings.salt,
        targets=settings.targets,
        spring=settings.spring,
        membrane_steps=round(settings.membrane_ns * 1000.0 / TIME_STEP),
        part_steps=part,
        settling_steps=min(25_000, part),
        parts=max(1, round(settings.length_ns * 1000.0 / TIME_STEP / part)),
        seed=settings.seed,
    )


def membrane_profile(
    smiles: str,
    settings: ProfileSettings,
    output: Path,
    *,
    store: Path | None = None,
    workers: int = 0,
    plots: bool = True,
    progress: Progress | None = None,
) -> ProfileResult:
    """Run what is missing, work out the profile, and write it: ``profile.json``, ``profile.csv``, with ``plots`` ``profile.png``.

    Parameters
    ----------
    smiles : str
    settings : ProfileSettings
    output : Path
        Made when missing.
    store : Path, optional
        Run store; by default that of the user's cache.
    workers : int
        Processes; 0 for one per available processor.
    plots : bool
    progress : callable, optional
        Called with (runs done, runs to do, what).

    Raises
    ------
    TopdownError
        Input that cannot be used, a run that failed, or samples that do not support a result.
    """
    if plots:
        from topdown.report.coupling_plots import require_matplotlib

        require_matplotlib()
    if workers < 0:
        raise SettingsError(f"workers must not be negative, got {workers}")
    request = profile_request(smiles, settings)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputFileError(f"cannot write there: {error.strerror}", where=str(output)) from None
    samples = sample_profile(request, store or cache_folder() / "runs", workers=workers, progress=progress)
    found = partition_profile(
        samples,
        temperature=settings.temperature,
        molar_mass=mean_molar_mass(request),
        depth=settings.depth,
    )
    result = ProfileResult(
        smiles=smiles, settings=settings, solute=request.solute, samples=samples, profile=found, files={}
    )
    result.files["csv"] = atomic_write_text(output / "profile.csv", profile_csv(found))
    if plots:
        from topdown.report.membrane_profile_plot import partition_figure

        result.files["png"] = output / "profile.png"
        atomic_write_bytes(result.files["png"], partition_figure(found, samples, title=smiles))
    result.files["json"] = output / "profile.json"
    atomic_write_text(result.files["json"], json.dumps(result.as_json(), indent=1, allow_nan=False) + "\n")
    return result


def mean_molar_mass(request: ProfileRequest) -> float:
    """Mean real molar mass of the lipids [g/mol]; 0 when one is unknown."""
    masses = np.array([lipid.molar_mass for lipid, _ in request.lipids])
    shares = np.array([share for _, share in request.lipids])
    return float(np.average(masses, weights=shares)) if np.all(masses > 0) else 0.0


def _plain(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "standard_error": estimate.standard_error}


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "between": list(found.names),
        "log_k": list(found.log_k),
        "standard_error": found.standard_error,
        "rms_kJ_mol": found.rms,
        "largest_kJ_mol": found.largest,
        "at_nm": found.at,
        "agrees": found.agrees,
    }


def profile_data(result: ProfileResult) -> dict[str, Any]:
    """The contents of ``profile.json``; nothing in it depends on the machine's speed."""
    found, settings = result.profile, result.settings
    known = np.isfinite(found.profile.delta_g)
    return {
        "made_with": made_with(settings.seed),
        "smiles": result.smiles,
        "beads": [[bead.name, bead.bead_type] for bead in result.solute.beads],
        "lipids": [[name, share] for name, share in settings.lipids],
        "table": settings.table,
        "temperature_K": settings.temperature,
        "windows_nm": list(settings.targets),
        "runs": len(result.samples.runs),
        "length_ns": settings.length_ns,
        "spring_kJ_mol_nm2": settings.spring,
        "log_k_v": _plain(found.log_k_v),
        "log_k_m_L_kg": _plain(found.log_k_m),
        "d_nm": found.depth,
        "area_per_lipid_nm2": _plain(found.area_per_lipid),
        "minimum_nm": abs(found.minimum),
        "delta_g_minimum_kJ_mol": _plain(found.delta_g_minimum),
        "delta_g_centre_kJ_mol": _plain(found.delta_g_centre),
        "profile": {
            "z_nm": found.profile.z[known].round(6).tolist(),
            "delta_g_kJ_mol": found.profile.delta_g[known].tolist(),
            "standard_error_kJ_mol": np.nan_to_num(found.standard_error[known]).tolist(),
        },
        "checks": [_comparison(comparison) for comparison in found.comparisons],
        "overlap": found.overlap,
        "frames": found.n_frames,
        "n_effective": found.n_effective,
        "remarks": list(found.remarks),
        "files": sorted(path.name for path in result.files.values()),
    }


def profile_csv(found: PartitionProfile) -> str:
    """Height [nm], ΔG and its standard error [kJ/mol]; bins without frames are left out."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["z_nm", "delta_g_kJ_mol", "standard_error_kJ_mol"])
    for z, value, error in zip(found.profile.z, found.profile.delta_g, found.standard_error):
        if np.isfinite(value):
            writer.writerow([f"{z:.3f}", f"{value:.4f}", f"{error:.4f}"])
    return buffer.getvalue()
