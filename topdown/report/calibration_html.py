from collections.abc import Mapping, Sequence

from topdown.calibration.result import CalibrationResult
from topdown.calibration.stickiness import VirialComparison
from topdown.model import CGMolecule


def calibration_html(
    result: CalibrationResult, molecules: Mapping[str, CGMolecule], stickiness: Sequence[VirialComparison] = ()
) -> str:
    return ""
