"""Score bead types, given the published partition, on beads held out in ever larger pieces.

    python benchmarks/mapping_types.py --source DIR [--table martini3] [--scheme molecule …] [-v]

Schemes, by what is hidden from both the votes and the weights while a bead is typed:

=========== =====================================================================================================
molecule    its molecule, in all sources
fragment    its molecule's votes, and its fragment wherever it occurs: what an unseen fragment gets
class       its molecule's votes, and all beads with the same functional group
source      everything from its source, and the molecules of that source in other sources
=========== =====================================================================================================

``--ceiling`` says how many published beads no rule can get right that answers as the others publish: beads alike – the same
bead of the same molecule, the same fragment in the same surroundings, the same up to two bonds away – with other types in
other molecules or sources. A ceiling counts beads unlike all others as right.

``exact`` counts a bead as right when its type is the published one of that row; ``any`` also when another publication
gives the same fragment of the same molecule the type chosen; ``core`` ignores labels. ECE is the expected calibration
error of the stated confidence over ten bins.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np
from rdkit import Chem

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


def same_bead(fact: derive.Observation) -> Hashable:
    """The same for the same bead of one molecule, whoever published it, up to symmetry."""
    ranks = Chem.CanonicalRankAtoms(fact.mol, breakTies=False, includeChirality=False)
    return fact.molecule, tuple(sorted(ranks[a] for a in fact.group)), tuple(sorted(ranks[a] for a in fact.shared))


def same_surroundings(fact: derive.Observation) -> Hashable:
    """The same for beads between which the votes cannot tell."""
    return fact.surroundings


def same_two_bonds_around(fact: derive.Observation) -> Hashable:
    """The same for beads that are alike with all atoms up to two bonds away."""
    near = set(fact.group)
    for _ in range(2):
        near |= {n.GetIdx() for a in near for n in fact.mol.GetAtomWithIdx(a).GetNeighbors()}
    symbols = [
        f"[{a.GetSymbol()}{a.GetTotalNumHs()}{a.GetFormalCharge()}{int(a.GetIsAromatic())}{int(a.IsInRing())}"
        f"{'.' * (a.GetIdx() in fact.group)}{':' * (a.GetIdx() in fact.shared)}]"
        for a in fact.mol.GetAtoms()
    ]
    return Chem.MolFragmentToSmiles(fact.mol, sorted(near), atomSymbols=symbols, isomericSmiles=False)


LIKENESS: dict[str, Callable[[derive.Observation], Hashable]] = {
    "same bead of the same molecule": same_bead,
    "same fragment and surroundings": same_surroundings,
    "same up to two bonds away": same_two_bonds_around,
}


def outvoted(facts: Sequence[derive.Observation], likeness: Callable, hidden: Callable) -> dict[int, bool]:
    """For each bead like beads with another ``hidden``: whether their majority has another type (ties are in its favour)."""
    alike = defaultdict(list)
    for fact in facts:
        alike[likeness(fact)].append(fact)
    found = {}
    for beads in alike.values():
        for fact in beads:
            votes = Counter(other.bead_type for other in beads if hidden(other) != hidden(fact))
            if votes:
                found[id(fact)] = votes[fact.bead_type] < max(votes.values())
    return found


def ceiling(facts: Sequence[derive.Observation]) -> None:
    """Print how many beads contradict the others that are like them, in all and per source."""
    print("ceiling: beads whose like has another type elsewhere")
    for title, likeness in LIKENESS.items():
        for where, hidden in (("molecules", fitting.by_molecule), ("sources", fitting.by_origin)):
            if likeness is same_bead and where == "molecules":
                continue
            against = outvoted(facts, likeness, hidden)
            print(f"   {title}, in other {where}")
            for origin in ("", *sorted({f.origin for f in facts})):
                own = [f for f in facts if origin in ("", f.origin)]
                like = [against[id(f)] for f in own if id(f) in against]
                of_like = f"{1 - np.mean(like):.3f}" if like else "-"
                print(
                    f"      {origin or 'all':55s} {len(own):4d} beads, {len(like):4d} have like ones, "
                    f"{sum(like):3d} against them: ceiling {1 - sum(like) / len(own):.3f} (of those {of_like})"
                )
        classes = defaultdict(Counter)
        for fact in facts:
            classes[likeness(fact)][fact.bead_type] += 1
        best = sum(max(types.values()) for types in classes.values())
        print(f"   {title}: one answer per class, chosen knowing all: {best}/{len(facts)} = {best / len(facts):.3f}")


def unmendable(facts: Sequence[derive.Observation], held: Sequence[fitting.Held], scheme: str) -> None:
    """Print how many of the wrong beads their like, in what was not hidden, outvote."""
    hidden = fitting.by_origin if scheme == "source" else fitting.by_molecule
    wrong = [h for h in held if not h.right]
    for title, likeness in LIKENESS.items():
        against = outvoted(facts, likeness, hidden)
        told = Counter(against.get(id(h.fact)) for h in wrong)
        print(
            f"   of {len(wrong)} wrong, {title}: {told[True]} outvoted by their like, "
            f"{told[False]} not, {told[None]} without like"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--table", choices=["martini3", "martini2"], default="martini3")
    schemes = ["molecule", "fragment", "class", "source"]
    parser.add_argument("--scheme", nargs="+", choices=schemes, default=schemes)
    parser.add_argument("--ceiling", action="store_true", help="print how many beads contradict their like")
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
    if arguments.ceiling:
        ceiling(facts)
    for scheme in arguments.scheme:
        held = fitting.held_out(facts, arguments.table, encode, keys[scheme], one_by_one=scheme == "source")
        report(scheme, held, arguments.verbose)
        if arguments.ceiling and scheme in ("molecule", "source"):
            unmendable(facts, held, scheme)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
