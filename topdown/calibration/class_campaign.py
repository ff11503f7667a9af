"""A campaign that makes a table of classes: TOML, in which every key is known or refused. ``docs/topdown1.md`` describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from topdown.calibration.campaign_sections import load_toml, refuse_unknown
from topdown.errors import InputFileError


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPhase:
    """A phase the table is fitted to.

    Attributes
    ----------
    name : str
    contents : tuple of int
        Molecules of each component in the box.
    family : tuple of str
        Phases whose data stand in for this one where a molecule has none of its own.
    model_error : float
        How far a model of this resolution may stay from the truth [kJ/mol].
    """

    name: str
    contents: tuple[int, ...]
    family: tuple[str, ...]
    model_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCampaign:
    """What the campaign file says.

    Attributes
    ----------
    path : Path
    name, parent : str
    temperature : float
        [K]
    solvents : tuple of str
        Solvent bead types that strengths refer to.
    base : tuple of float
        Place with each of them before anything is known.
    coupled : mapping of (str, str) to float
        See :func:`topdown.calibration.class_fit.fit_continuous`.
    phases : tuple of CampaignPhase
        Water among them.
    hydration_error : float
        Model error of hydration free energies [kJ/mol].
    n_shapes : int
        How many of the shapes beside the file are sampled, in their order.
    tolerance : float
        Largest difference of a distance between a molecule and the shape that stands for it [nm].
    sampling_error : float
        Standard error at which the sampling of each end of each shape ends [kJ/mol].
    seed : int
    n_classes : int
    width, class_width : float
        Prior standard deviations of the weights of features, and of the places of classes about their centroids.
    """

    path: Path
    name: str
    parent: str
    temperature: float
    solvents: tuple[str, ...]
    base: tuple[float, ...]
    coupled: Mapping[tuple[str, str], float]
    phases: tuple[CampaignPhase, ...]
    hydration_error: float
    n_shapes: int
    tolerance: float
    sampling_error: float
    seed: int
    n_classes: int
    width: float
    class_width: float


_KEYS = {
    "": ("kind", "name", "parent", "temperature", "solvents", "base", "coupled", "hydration_error", "phases",
         "shapes", "sampling", "fit"),
    "phases": ("name", "contents", "family", "model_error"),
    "shapes": ("first", "tolerance"),
    "sampling": ("error", "seed"),
    "fit": ("classes", "width", "class_width"),
}  # fmt: skip


def is_class_campaign(path: Path | str) -> bool:
    """Whether a campaign file says ``kind = "classes"``; False for what cannot be read."""
    try:
        return load_toml(Path(path)).get("kind") == "classes"
    except InputFileError:
        return False


def read_class_campaign(path: Path | str) -> ClassCampaign:
    """Read and check a campaign file.

    Raises
    ------
    InputFileError
        Missing or unreadable file, broken TOML, an unknown or missing key, or a value of the wrong kind.
    """
    path = Path(path)
    data = load_toml(path)
    refuse_unknown(data, _KEYS[""], path, "")
    for section in ("shapes", "sampling", "fit"):
        refuse_unknown(data.get(section, {}), _KEYS[section], path, section)
    for phase in data.get("phases", []):
        refuse_unknown(phase, _KEYS["phases"], path, "phases")
    try:
        phases = tuple(
            CampaignPhase(
                name=str(p["name"]),
                contents=tuple(int(n) for n in p["contents"]),
                family=tuple(str(f) for f in p.get("family", ())),
                model_error=float(p.get("model_error", 0.0)),
            )
            for p in data["phases"]
        )
        campaign = ClassCampaign(
            path=path,
            name=str(data["name"]),
            parent=str(data["parent"]),
            temperature=float(data.get("temperature", 298.15)),
            solvents=tuple(str(v) for v in data["solvents"]),
            base=tuple(float(x) for x in data["base"]),
            coupled={_pair(key): float(value) for key, value in data.get("coupled", {}).items()},
            phases=phases,
            hydration_error=float(data["hydration_error"]),
            n_shapes=int(data["shapes"]["first"]),
            tolerance=float(data["shapes"]["tolerance"]),
            sampling_error=float(data["sampling"]["error"]),
            seed=int(data["sampling"].get("seed", 1)),
            n_classes=int(data["fit"]["classes"]),
            width=float(data["fit"]["width"]),
            class_width=float(data["fit"]["class_width"]),
        )
    except KeyError as error:
        raise InputFileError(f"{error.args[0]} is missing", where=str(path)) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise InputFileError(f"a value of the wrong kind: {error}", where=str(path)) from None
    if "water" not in {p.name for p in phases}:
        raise InputFileError(
            "water is not among the phases", where=str(path), hint="free energies are from or to water"
        )
    if len(campaign.base) != len(campaign.solvents):
        raise InputFileError(
            f"{len(campaign.base)} values of base for {len(campaign.solvents)} solvents", where=str(path)
        )
    return campaign


def _pair(key: str) -> tuple[str, str]:
    a, dash, b = key.partition("-")
    if not (a and dash and b):
        raise ValueError(f"{key!r} is not a pair such as C1-SC2")
    return a, b
