"""The cheapest ways to divide a graph of units into priced groups.

The cost of a division is a sum over its groups, so that dynamic programming over connected *remainders* is exact: the
first unit of a remainder must be in some group; without that group the remainder falls into smaller connected ones,
each of which is divided best on its own. Units are numbered outwards from the edge of the molecule, breadth first:
along chains and trees the remainders then are branches, and their number grows with the size of the molecule. Only wide
fused rings and cages have too many; past a budget of :data:`MAX_STEPS` the set-partitioning integer programme is given
to HiGHS, and past :data:`MAX_COLUMNS` a beam search answers. Both come with a lower bound.

All budgets count steps, never time, so that results do not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from topdown.mapping.bit_masks import bits
from topdown.mapping.unit_graph import UnitGraph

#: Most (remainder, group) pairs looked at by the dynamic programming.
MAX_STEPS = 25_000
#: Most such pairs times the length of the list, when more than one division is asked for.
MAX_LIST_WORK = 120_000
#: Largest integer programme [groups], and the most nodes of its search tree.
MAX_COLUMNS = 3_000
MAX_NODES = 50
#: Partial divisions kept per number of units covered.
BEAM_WIDTH = 40
#: Up to so many candidate groups, leaving out the hopeless ones would take longer than the search among all; it is tried
#: for so many steps.
FEW_CANDIDATES, FEW_STEPS = 400, 3_000
#: Beyond so many candidate groups, the exact search has a tenth of its steps and the beam a tenth of its width.
MANY_CANDIDATES = 20_000

#: A group that may be used: its cost, the mask of its units, and the mask of the units beside it.
PricedGroup = tuple[int, int, int]
#: A division: its cost, and the masks of units of its groups.
Division = tuple[int, tuple[int, ...]]
#: A division on a list: its cost, its groups, and a bit mask that tells those of its groups apart that matter to the list.
_Listed = tuple[int, tuple[int, ...], int]
#: Every way to take the first group of each remainder: its cost, its units, and the remainders it leaves.
Options = dict[int, list[tuple[int, int, tuple[int, ...]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Divisions:
    """The cheapest divisions found.

    Attributes
    ----------
    ranked : tuple of (int, tuple of int)
        Cost, and the masks of units of the groups; cheapest first.
    exact : bool
        Whether they are proven to be the cheapest.
    bound : int
        No division costs less.
    """

    ranked: tuple[tuple[int, tuple[int, ...]], ...]
    exact: bool
    bound: int


@dataclass(frozen=True, slots=True)
class FewRemainders:
    """The dynamic programming among all of few candidates: a list of divisions starts from it.

    Attributes
    ----------
    options : Options
    cheapest : Division
    value : dict of int to int
        What the cheapest division of each remainder costs.
    """

    options: Options
    cheapest: Division
    value: dict[int, int]

    def within(self, whole: int, ceiling: int) -> tuple[Options, dict[int, int]]:
        """The options that a division of ``whole`` no dearer than ``ceiling`` can hold, and how dear each remainder may be."""
        value = self.value
        beside = {whole: 0}
        kept: Options = {}
        for mask in sorted(self.options, key=int.bit_count, reverse=True):
            before = beside.get(mask)
            if before is None:
                continue
            kept[mask] = found = []
            for option in self.options[mask]:
                total = before + option[0]
                for piece in option[2]:
                    total += value[piece]
                if total > ceiling:
                    continue
                found.append(option)
                for piece in option[2]:
                    without = total - value[piece]
                    if without < beside.get(piece, without + 1):
                        beside[piece] = without
        return kept, {mask: ceiling - beside[mask] for mask in kept}


def cheapest_divisions(
    neighbors: Sequence[int],
    candidates: Sequence[PricedGroup],
    count: int = 1,
    *,
    relevant: int = -1,
    ceiling: int | None = None,
    max_steps: int | None = None,
    known: dict[int, FewRemainders] | None = None,
) -> Divisions:
    """The ``count`` cheapest divisions of all units into candidate groups.

    Parameters
    ----------
    neighbors : sequence of int
        Bit mask over units of the neighbours of each unit; units numbered breadth first.
    candidates : sequence of PricedGroup
        Every connected group that may be used; every unit alone must be among them.
    count : int
    relevant : int, optional
        Mask of units: of divisions that differ only in groups without any of these units, the cheapest stands for all.
    ceiling : int, optional
        Divisions dearer than this need not be found.
    max_steps : int, optional
        Budget of the exact search. A list that would take more than :data:`MAX_LIST_WORK` steps times ``count`` is
        not made: the answer then is the cheapest division alone, not exact.
    known : dict, optional
        What a search among few candidates has found out is kept here, for lists of the same candidates.
    """
    budget = MAX_STEPS if max_steps is None else max_steps
    if count > 1:
        budget = min(budget, MAX_LIST_WORK // count)
    everything = (1 << len(neighbors)) - 1
    if ceiling is not None and known and everything in known:
        listed = _listed(known[everything], everything, count, relevant, ceiling, budget)
        if listed is not None:
            return Divisions(ranked=tuple(listed), exact=True, bound=listed[0][0])
    graph = UnitGraph(neighbors)
    if ceiling is not None:
        candidates = _worth_it(everything, candidates, ceiling)
    ranked: list[Division] = [(0, ())]
    exact, bound = True, 0
    for whole in _components(neighbors):
        every = inside = candidates if whole == everything else [c for c in candidates if c[1] & whole]
        solved = None
        if count == 1 and len(every) <= FEW_CANDIDATES:
            options = _options(graph, whole, every, min(budget, FEW_STEPS))
            if options is not None:
                few = FewRemainders(options, *_best(options, whole))
                solved = [few.cheapest]
                if known is not None:
                    known[whole] = few
        if solved is None:
            if count == 1:
                inside = _worth_it(whole, _without_dominated(every))
            # Sheets and cages of hundreds of atoms are beyond the exact search: little is spent to find that out.
            allowed = budget // 10 if len(every) > MANY_CANDIDATES else budget
            solved = _by_remainders(graph, whole, inside, count, relevant, allowed)
        if solved is None and count > 1:
            shorter = cheapest_divisions(neighbors, candidates, 1, max_steps=max_steps)
            return Divisions(ranked=shorter.ranked, exact=False, bound=shorter.bound)
        if solved is None:
            part = _by_programme(whole, every)
            exact = exact and part.exact
            solved, bound = list(part.ranked), bound + part.bound
        else:
            bound += solved[0][0]
        if len(ranked) == 1 and count == 1:
            ranked = [(ranked[0][0] + solved[0][0], ranked[0][1] + solved[0][1])]
        else:
            ranked = _both(ranked, solved, count, relevant)
    return Divisions(ranked=tuple(ranked), exact=exact, bound=bound)


def _both(ones: Sequence[Division], others: Sequence[Division], count: int, relevant: int) -> list[Division]:
    """The cheapest divisions of two components together."""
    numbers: dict[int, int] = {}

    def marked(divisions: Sequence[Division]) -> list[_Listed]:
        return [
            (cost, groups, sum(1 << numbers.setdefault(g, len(numbers)) for g in groups if g & relevant))
            for cost, groups in divisions
        ]

    kept = _cheapest(_joined(marked(ones), marked(others), count), count)
    return [(cost, groups) for cost, groups, _ in kept]


def _groups_in_order(option: _Listed) -> list[int]:
    return sorted(option[1])


def _components(neighbors: Sequence[int]) -> list[int]:
    left, found = (1 << len(neighbors)) - 1, []
    while left:
        piece = frontier = left & -left
        while frontier:
            reached = 0
            for u in bits(frontier):
                reached |= neighbors[u]
            frontier = reached & ~piece
            piece |= frontier
        found.append(piece)
        left &= ~piece
    return found


def _without_dominated(candidates: Sequence[PricedGroup]) -> list[PricedGroup]:
    """The candidates less those dearer than two candidates they are made of, which no best division holds."""
    price = {units: cost for cost, units, _ in candidates}
    kept = []
    for group in candidates:
        cost, units, _ = group
        for u in bits(units):
            one, other = price.get(1 << u), price.get(units ^ 1 << u)
            if one is not None and other is not None and one + other < cost:
                break
        else:
            kept.append(group)
    return kept


def _worth_it(whole: int, candidates: Sequence[PricedGroup], ceiling: int | None = None) -> list[PricedGroup]:
    """The candidates that a division no dearer than ``ceiling``, or than that of a narrow beam, can hold.

    With a price on every unit such that no group costs less than its units together, the sum of the prices is a lower
    bound, and a group dearer than its units by more than the gap to a known division is in no better one.
    """
    prices = _unit_prices(whole, candidates)
    known = _by_beam(whole, candidates, 4)[0] if ceiling is None else ceiling
    gap = known - sum(prices.values())
    price_of = prices.__getitem__
    return [group for group in candidates if group[0] - sum(map(price_of, bits(group[1]))) <= gap]


def _unit_prices(whole: int, candidates: Sequence[PricedGroup]) -> dict[int, int]:
    """Prices of the units that no candidate undercuts, raised one after the other as far as they go (dual ascent)."""
    members = [bits(units) for _, units, _ in candidates]
    share: dict[int, int] = {}
    holding: dict[int, list[int]] = {u: [] for u in bits(whole)}
    for k, ((cost, _, _), found) in enumerate(zip(candidates, members)):
        each = cost // len(found)
        for u in found:
            holding[u].append(k)
            if each < share.get(u, each + 1):
                share[u] = each
    share_of = share.__getitem__
    slack = [cost - sum(map(share_of, found)) for (cost, _, _), found in zip(candidates, members)]
    slack_of = slack.__getitem__
    for u, groups in holding.items():
        raised = min(map(slack_of, groups))
        if raised:
            share[u] += raised
            for k in groups:
                slack[k] -= raised
    return share


def _by_remainders(
    graph: UnitGraph, whole: int, candidates: Sequence[PricedGroup], count: int, relevant: int, max_steps: int
) -> list[Division] | None:
    """Dynamic programming (module docstring), or None when it takes more than ``max_steps`` steps."""
    options = _options(graph, whole, candidates, max_steps)
    if options is None:
        return None
    return [_best(options, whole)[0]] if count == 1 else _best_few(options, whole, count, relevant)


def _options(graph: UnitGraph, whole: int, candidates: Sequence[PricedGroup], max_steps: int) -> Options | None:
    """What may become of ``whole`` and of every remainder it leads to, or None after ``max_steps`` steps."""
    by_first: dict[int, list[PricedGroup]] = {}
    for group in candidates:
        by_first.setdefault(group[1] & -group[1], []).append(group)
    options: Options = {}
    pieces_of_rest: dict[int, tuple[int, ...]] = {}
    waiting, steps = [whole], 0
    while waiting:
        mask = waiting.pop()
        if mask in options:
            continue
        options[mask] = found = []
        outside = ~mask
        for cost, units, boundary in by_first.get(mask & -mask, ()):
            if units & outside:
                continue
            steps += 1
            rest, near = mask & ~units, boundary & mask
            if near & (near - 1):
                # Different groups of different remainders leave the same rest.
                pieces = pieces_of_rest.get(rest)
                if pieces is None:
                    pieces = pieces_of_rest[rest] = graph.pieces_without(rest, units, boundary)
                found.append((cost, units, pieces))
                waiting += pieces
            elif rest:
                found.append((cost, units, (rest,)))
                waiting.append(rest)
            else:
                found.append((cost, units, ()))
        if steps > max_steps:
            return None
    return options


def _best(options: Options, whole: int) -> tuple[Division, dict[int, int]]:
    """The cheapest division, and what the cheapest of every remainder costs."""
    value: dict[int, int] = {}
    choice: dict[int, tuple[int, tuple[int, ...]]] = {}
    for mask in sorted(options, key=int.bit_count):
        best: tuple[int, int, tuple[int, ...]] | None = None
        for cost, units, pieces in options[mask]:
            for piece in pieces:
                # A remainder none of whose divisions is worth it has no value.
                least = value.get(piece)
                if least is None:
                    break
                cost += least
            else:
                if best is None or cost < best[0] or (cost == best[0] and (units, pieces) < best[1:]):
                    best = cost, units, pieces
        if best is not None:
            value[mask], choice[mask] = best[0], best[1:]
    groups, waiting = [], [whole]
    while waiting:
        units, pieces = choice[waiting.pop()]
        groups.append(units)
        waiting.extend(pieces)
    return (value[whole], tuple(sorted(groups))), value


def _listed(
    known: FewRemainders, whole: int, count: int, relevant: int, ceiling: int, max_steps: int
) -> list[Division] | None:
    """The ``count`` cheapest divisions up to ``ceiling``, or None where there are none or too many ways to look at."""
    if known.cheapest[0] > ceiling:
        return None
    options, limits = known.within(whole, ceiling)
    if sum(map(len, options.values())) > max_steps:
        return None
    return _best_few(options, whole, count, relevant, limits)


def _best_few(
    options: Options, whole: int, count: int, relevant: int, limits: dict[int, int] | None = None
) -> list[Division]:
    """The cheapest divisions of ``whole``; of each remainder those no dearer than its limit are looked at."""
    best: dict[int, list[_Listed]] = {}
    numbers: dict[int, int] = {}
    for mask in sorted(options, key=int.bit_count):
        limit = None if limits is None else limits[mask]
        found: list[_Listed] = []
        for cost, units, pieces in options[mask]:
            mark = 1 << numbers.setdefault(units, len(numbers)) if units & relevant else 0
            if not pieces:
                found.append((cost, (units,), mark))
                continue
            # A group more leaves the divisions of a remainder in their order.
            partial = [(cost + c, (units, *g), mark | m) for c, g, m in best[pieces[0]]]
            for piece in pieces[1:]:
                partial = _cheapest(_joined(partial, best[piece], count), count)
            found += partial if limit is None else [division for division in partial if division[0] <= limit]
        best[mask] = _cheapest(found, count)
    return [(cost, groups) for cost, groups, _ in best[whole]]


def _joined(ones: Sequence[_Listed], others: Sequence[_Listed], count: int) -> list[_Listed]:
    """Divisions of two remainders together, each list in order: all that can be among the ``count`` first.

    Of the k-th and the l-th, k l - 1 others come before: those of an earlier or the same with an earlier or the same.
    """
    return [
        (c1 + c2, g1 + g2, m1 | m2)
        for k, (c1, g1, m1) in enumerate(ones, start=1)
        for c2, g2, m2 in others[: count // k]
    ]


def _cheapest(divisions: list[_Listed], count: int) -> list[_Listed]:
    """The ``count`` cheapest of those whose marks differ, equals in the order of their groups."""
    divisions.sort(key=itemgetter(0))
    seen: set[int] = set()
    kept: list[_Listed] = []
    end = 0
    while end < len(divisions):
        start, cost = end, divisions[end][0]
        while end < len(divisions) and divisions[end][0] == cost:
            end += 1
        # Few are equal: to put all in the order of their groups would take most of the time of a list.
        equal = divisions[start:end] if end - start == 1 else sorted(divisions[start:end], key=_groups_in_order)
        for division in equal:
            if division[2] not in seen:
                seen.add(division[2])
                kept.append(division)
                if len(kept) == count:
                    return kept
    return kept


def _by_programme(whole: int, candidates: Sequence[PricedGroup]) -> Divisions:
    """One division, and a bound, from the set-partitioning programme; from the beam where that is too large."""
    floor = sum(_unit_prices(whole, candidates).values())
    every, candidates = candidates, _worth_it(whole, _without_dominated(candidates))
    if len(candidates) <= MAX_COLUMNS:
        import numpy as np
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_matrix

        place = {u: row for row, u in enumerate(bits(whole))}
        entries = [(place[u], column) for column, (_, units, _) in enumerate(candidates) for u in bits(units)]
        rows, columns = zip(*entries)
        covers: Any = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(place), len(candidates)))
        answer = milp(
            np.array([cost for cost, _, _ in candidates], dtype=float),
            constraints=LinearConstraint(covers, 1, 1),
            integrality=np.ones(len(candidates)),
            bounds=Bounds(0, 1),
            options={"node_limit": MAX_NODES, "mip_rel_gap": 0.0},
        )
        if answer.mip_dual_bound is not None and np.isfinite(answer.mip_dual_bound):
            floor = max(floor, int(np.ceil(answer.mip_dual_bound - 1e-4)))
        if answer.x is not None:
            chosen = [candidates[int(k)] for k in np.flatnonzero(answer.x > 0.5)]
            cost = sum(c for c, _, _ in chosen)
            floor = min(floor, cost)
            groups = tuple(sorted(units for _, units, _ in chosen))
            return Divisions(ranked=((cost, groups),), exact=floor == cost, bound=floor)
    best = _by_beam(whole, every, BEAM_WIDTH // 10 if len(every) > MANY_CANDIDATES else BEAM_WIDTH)
    return Divisions(ranked=(best,), exact=best[0] == floor, bound=floor)


def _by_beam(whole: int, candidates: Sequence[PricedGroup], width: int = BEAM_WIDTH) -> tuple[int, tuple[int, ...]]:
    """Cover unit after unit, keeping the cheapest partial divisions per number of units covered."""
    by_first: dict[int, list[tuple[int, int]]] = {}
    for cost, units, _ in candidates:
        by_first.setdefault(units & -units, []).append((cost, units))
    levels: list[dict[int, tuple[int, tuple[int, ...]]]] = [{} for _ in range(whole.bit_count() + 1)]
    levels[0][whole] = (0, ())
    for level in levels[:-1]:
        kept = sorted(level.items(), key=lambda item: (item[1][0], item[0]))[:width]
        level.clear()
        for left, (cost, groups) in kept:
            for extra, units in by_first[left & -left]:
                if units & ~left:
                    continue
                key = left & ~units
                target = levels[whole.bit_count() - key.bit_count()]
                known = target.get(key)
                if known is None or cost + extra < known[0]:
                    target[key] = (cost + extra, (*groups, units))
    cost, groups = levels[-1][0]
    return cost, tuple(sorted(groups))
