"""Score bead types, given the published partition, on beads held out in ever larger pieces.

    python benchmarks/mapping_types.py --source DIR [--table martini3] [--scheme molecule …] [-v]

Schemes, by what is hidden from both the votes and the weights while a bead is typed:

=========== =====================================================================================================
molecule    its molecule, in all sources
fragment    its molecule's votes, and its fragment wherever it occurs: what an unseen fragment gets
class       its molecule's votes, and all beads with the same functional group
source      everything from its source, and the molecules of that source in other sources
=========== =====================================================================================================

``exact`` counts a bead as right when its type is the published one of that row; ``any`` also when another publication
gives the same fragment of the same molecule the type chosen; ``core`` ignores labels. ECE is the expected calibration
error of the stated confidence over ten bins.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import derive_building_blocks as derive
import fit_type_weights as fitting

from topdown.mapping.functional_groups import functional_group

BINS = np.linspace(0.0, 1.0, 11)


def core(bead_type: str) -> str:
    """A bead type without its labels: SN3ar -> SN3."""
    head = len(bead_type) - len(bead_type.lstrip("ST")) + 2
    return bead_type[:head]


def calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error: mean distance of stated confidence and hit rate over ten bins, weighted by beads."""
    stated, hit = np.asarray(confidence), np.asarray(right, dtype=float)
    place = np.clip(np.digitize(stated, BINS) - 1, 0, len(BINS) - 2)
    return float(
        sum(
            (place == b).mean() * abs(stated[place == b].mean() - hit[place == b].mean())
            for b in range(len(BINS) - 1)
            if (place == b).any()
        )
    )


def reliability(title: str, held: Sequence[fitting.Held]) -> None:
    """Print stated confidence against hit rate in bins."""
    if not held:
        return
    confidence = [h.choice.confidence for h in held]
    right = [h.right for h in held]
    print(f"   {title}: {len(held)} beads, ECE {calibration_error(confidence, right):.3f}")
    place = np.clip(np.digitize(confidence, BINS) - 1, 0, len(BINS) - 2)
    for b in range(len(BINS) - 1):
        chosen = np.flatnonzero(place == b)
        if len(chosen):
            stated = np.mean([confidence[i] for i in chosen])
            hit = np.mean([right[i] for i in chosen])
            print(
                f"      {BINS[b]:.1f}-{BINS[b + 1]:.1f}  stated {stated:.2f}  right {hit:.2f}  {len(chosen):4d} beads"
            )


def share(values: Iterable[bool]) -> str:
    listed = list(values)
    return f"{sum(listed):4d}/{len(listed):4d} = {np.mean(listed):.3f}"


def report(scheme: str, held: list[fitting.Held], verbose: bool) -> None:
    """Print one scheme."""
    published = defaultdict(set)
    for h in held:
        published[h.fact.molecule, h.fact.fragment].add(h.fact.bead_type)
    either = [h.choice.bead_type in published[h.fact.molecule, h.fact.fragment] for h in held]
    per_fragment = defaultdict(list)
    for h in held:
        per_fragment[fitting.by_fragment(h.fact)].append(h.right)
    print(f"held out by {scheme}")
    print(f"   exact {share(h.right for h in held)}")
    print(f"   any   {share(either)}")
    print(f"   core  {share(core(h.choice.bead_type) == core(h.fact.bead_type) for h in held)}")
    print(f"   exact, each distinct fragment counted once  {np.mean([np.mean(v) for v in per_fragment.values()]):.3f}")
    print(f"   among the first two {share(h.fact.bead_type in _first_two(h) for h in held)}")
    groups = defaultdict(list)
    for h in held:
        groups["level " + f"{h.choice.level} {h.choice.support}".strip()].append(h.right)
        groups["source " + h.fact.origin].append(h.right)
    for name, hits in sorted(groups.items()):
        print(f"   {name:60s} {share(hits)}")
    reliability("known fragments", [h for h in held if h.known])
    reliability("unseen fragments", [h for h in held if not h.known])
    if verbose:
        wrong = defaultdict(list)
        for h in held:
            if not h.right:
                wrong[h.fact.fragment, h.fact.bead_type, h.choice.bead_type].append(h)
        for (fragment, theirs, ours), cases in sorted(wrong.items(), key=lambda item: (-len(item[1]), item[0])):
            print(
                f"   {len(cases):3d} x {fragment}: published {theirs}, ours {ours} ({cases[0].choice.confidence:.2f})"
            )
            print(f"         {cases[0].choice.reason}")


def _first_two(held: fitting.Held) -> tuple[str, ...]:
    return (held.choice.bead_type, *held.choice.alternatives[:1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--table", choices=["martini3", "martini2"], default="martini3")
    schemes = ["molecule", "fragment", "class", "source"]
    parser.add_argument("--scheme", nargs="+", choices=schemes, default=schemes)
    parser.add_argument("-v", "--verbose", action="store_true", help="print every difference")
    arguments = parser.parse_args()
    facts = derive.observations(arguments.source, arguments.table)
    encode = fitting.Encoder(arguments.table)

    def by_class(fact: derive.Observation) -> str:
        return functional_group(encode.roles(fact.mol), fact.group, fact.shared, arguments.table).name

    keys = {
        "molecule": fitting.by_molecule,
        "fragment": fitting.by_fragment,
        "class": by_class,
        "source": fitting.by_origin,
    }
    print(f"{arguments.table}: {len(facts)} published beads of {len({f.molecule for f in facts})} molecules")
    for scheme in arguments.scheme:
        held = fitting.held_out(facts, arguments.table, encode, keys[scheme], one_by_one=scheme == "source")
        report(scheme, held, arguments.verbose)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
