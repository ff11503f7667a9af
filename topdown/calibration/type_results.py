"""What a campaign says about bead types: those it chose, and what next-best types would do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeCandidate:
    """A type a building block might have.

    Attributes
    ----------
    bead_type : str
    cost_change : float or None
        Of the calibration targets, by this change alone; None where samples do not support it.
    n_effective : float or None
        Effective samples of the worst state.
    reason : str
        Why it could not be scored.
    """

    bead_type: str
    cost_change: float | None
    n_effective: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeResult:
    """What became of a building block's type.

    Attributes
    ----------
    name : str
    beads, environments : tuple of str
        ``"butanol:B2"``…; the fragments as in ``building_blocks.csv``.
    start, chosen : str
        Bead types: before, and as the calibration targets choose it.
    gain : float
        By how much the choice lowers the cost of the calibration targets.
    gain_left_out : float or None
        The same for molecules it was not chosen on; None where there are none.
    n_tested : int
        How many those are.
    adopted : bool
        Whether it is kept: it must help there.
    candidates : tuple of TypeCandidate
    """

    name: str
    beads: tuple[str, ...]
    environments: tuple[str, ...]
    start: str
    chosen: str
    gain: float
    gain_left_out: float | None
    n_tested: int
    adopted: bool
    candidates: tuple[TypeCandidate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeOutcome:
    """Bead types as part of a campaign.

    Attributes
    ----------
    blocks : tuple of TypeResult
    gain, gain_kept, gain_left_out : float
        By how much the cost of the molecules with such blocks falls: with all that was chosen, with what is kept, and with what
        was chosen without the molecule in question.
    rms_before, rms_chosen, rms_left_out : float
        Root mean square errors of their calibration targets [kJ/mol], in the same order.
    n_targets : int
    """

    blocks: tuple[TypeResult, ...]
    gain: float
    gain_kept: float
    gain_left_out: float
    rms_before: float
    rms_chosen: float
    rms_left_out: float
    n_targets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerUp:
    """What the next-best type of one bead would do to the score of its molecule.

    Attributes
    ----------
    molecule, bead, bead_type, runner_up : str
    confidence : float
        Of the present type.
    least_sure : bool
        Whether it is the least sure bead of its molecule, so that this is the molecule's runner-up mapping.
    cost_change, held_out_change : float or None
        Of its calibration targets; of half the squares of its held-out targets in total errors. None where there are none, or
        samples do not support it.
    n_effective : float or None
    reason : str
        Why it could not be scored.
    """

    molecule: str
    bead: str
    bead_type: str
    confidence: float
    runner_up: str
    least_sure: bool
    cost_change: float | None
    held_out_change: float | None
    n_effective: float | None
    reason: str = ""
