"""Threads that advance one system together: all of them run the same kernel, each on its share, and meet where they must.

Meeting costs a fraction of a microsecond while every thread has a processor of its own, which no pool of threads that is handed
one loop after another comes near. A thread that waits long gives its processor up, so that a busy machine is slow, not stuck.
"""

from __future__ import annotations

import os
import platform
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from topdown.engine._arrays import first_at_least, first_of
from topdown.engine._jit import helper
from topdown.engine._lent import lent

_I32, _I64, _VOID = ir.IntType(32), ir.IntType(64), ir.VoidType()
_IS_X86 = platform.machine().lower() in ("x86_64", "amd64", "i686", "x86")
_CAN_YIELD = hasattr(os, "sched_yield")
#: Words of ``Team.sync`` between two that different threads write: a line of the processor's cache.
_LINE = 8
#: Beads carried from one step to the next at a time: all that is theirs fits the first-level cache.
BLOCK = 64
#: Looks at the counter before a waiting thread gives its processor up.
_PATIENCE = 4000


@lent
class Team(NamedTuple):
    """What the threads of one system share.

    Attributes
    ----------
    sync : (8 (n + 2),) int64
        Arrivals at meetings; the status that thread 0 announces; and for each thread a flag, the arrivals it waits for and a
        second flag.
    forces : (n, m) float32
        The negative force that each thread adds up, four words to a slot, and zero outside of a step; empty for a single thread,
        which uses the slots themselves.
    split, beads : (n + 1,) int64
        First cluster and first bead of each thread; molecules are not divided.
    elsewhere : (n,) float64
        Work that each thread has besides its clusters, in packs of pairs.
    partial : (n + 1, 8) float64
        What each thread adds up where something acts on all velocities; in the last row what the first thread draws.
    block : (n, BLOCK, 3) float64 [kJ/mol/nm]
        Forces on the few beads that each thread carries to the next step.
    energies, virials : (n, n_terms), (n, 3, 3) float64 [kJ/mol]
        Each thread's part.
    stretches : (n, 6) int64
        While an outer list is made: the columns each thread searches, from and to, and the entries of the outer and of the
        masked rows that it may write to and then has written to.
    """

    sync: npt.NDArray[np.int64]
    forces: npt.NDArray[np.float32]
    split: npt.NDArray[np.int64]
    beads: npt.NDArray[np.int64]
    elsewhere: npt.NDArray[np.float64]
    partial: npt.NDArray[np.float64]
    block: npt.NDArray[np.float64]
    energies: npt.NDArray[np.float64]
    virials: npt.NDArray[np.float64]
    stretches: npt.NDArray[np.int64]


def new_team(n_threads: int, n_slots: int, n_terms: int, n_beads: int = 0) -> Team:
    """A team whose force buffers have ``n_slots`` each; its last thread has all beads as long as nobody divides them."""
    return Team(
        sync=np.zeros(_LINE * (n_threads + 2), np.int64),
        forces=np.zeros((n_threads, 4 * n_slots if n_threads > 1 else 0), np.float32),
        split=np.zeros(n_threads + 1, np.int64),
        beads=np.array([0] * n_threads + [n_beads], np.int64),
        elsewhere=np.zeros(n_threads),
        partial=np.zeros((n_threads + 1, 8)),
        block=np.zeros((n_threads, BLOCK, 3)),
        energies=np.zeros((n_threads, n_terms)),
        virials=np.zeros((n_threads, 3, 3)),
        stretches=np.zeros((n_threads, 6), np.int64),
    )


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index], inbounds=True)


@intrinsic
def _arrive(typing: Any, array: Any, index: Any) -> Any:
    """array[index] += 1, at once for all threads."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *values)
        builder.atomic_rmw("add", pointer, _I64(1), "seq_cst")
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@intrinsic
def _arrivals(typing: Any, array: Any, index: Any) -> Any:
    """array[index] as the other threads have left it."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load_atomic(_pointer(context, builder, signature.args[0], *values), "seq_cst", 8)

    return types.int64(array, types.intp), generate


@intrinsic
def _relax(typing: Any, gives_up: Any) -> Any:
    """Wait a moment; when ``gives_up``, let another thread have the processor."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def call(name: str, result: Any) -> None:
            function = builder.module.globals.get(name) or ir.Function(
                builder.module, ir.FunctionType(result, []), name
            )
            builder.call(function, [])

        if _IS_X86:
            call("llvm.x86.sse2.pause", _VOID)
        if _CAN_YIELD:
            with builder.if_then(values[0]):
                call("sched_yield", _I32)
        return context.get_dummy_value()

    return types.void(types.boolean), generate


@helper
def team_size(team: Any) -> int:
    """Number of threads."""
    return int(team.split.shape[0] - 1)


@helper
def meet(thread: int, team: Any) -> None:
    """Wait until every thread is here; what each has written before, all see afterwards."""
    n = team_size(team)
    if n == 1:
        return
    sync = team.sync
    own = _LINE * (thread + 2) + 1
    sync[own] += n
    expected = sync[own]
    _arrive(sync, 0)
    looks = 0
    while _arrivals(sync, 0) < expected:
        looks += 1
        _relax(looks > _PATIENCE)


@helper
def share(thread: int, team: Any, n: int) -> tuple[int, int]:
    """First and one past the last of this thread's part of ``n`` things."""
    size = team_size(team)
    return n * thread // size, n * (thread + 1) // size


@helper
def divide_beads(start: Any, team: Any) -> None:
    """Give each thread about as many beads in whole molecules, which begin at ``start``, one past the last bead at its end."""
    n, n_molecules = team_size(team), start.shape[0] - 1
    n_beads = np.int64(start[n_molecules])
    for thread in range(n + 1):
        team.beads[thread] = np.int64(start[first_of(n_beads * thread // n, start)])


@helper
def announce(status: int, team: Any) -> None:
    """Leave a status for the others, by thread 0 before a meeting."""
    team.sync[_LINE] = status


@helper
def announced(team: Any) -> int:
    """The status left, after a meeting."""
    return int(team.sync[_LINE])


@helper
def agreed(thread: int, yes: bool, second: bool, team: Any) -> bool:
    """Meet, and whether all threads say yes.

    Twice in a row it takes the ``second`` flag in turn, since some may still read the first.
    """
    place = 2 if second else 0
    team.sync[_LINE * (thread + 2) + place] = 1 if yes else 0
    meet(thread, team)
    all_say = True
    for other in range(team_size(team)):
        all_say &= team.sync[_LINE * (other + 2) + place] != 0
    return bool(all_say)


@helper
def share_rows(thread: int, near: Any, team: Any) -> tuple[int, int]:
    """First and one past the last of the clusters that this thread prunes: about the same number of rows for each."""
    return _cluster_at(thread, near, team), _cluster_at(thread + 1, near, team)


@helper
def _cluster_at(k: int, near: Any, team: Any) -> int:
    """The first cluster before which there are ``k`` n-ths of the outer rows."""
    n_clusters = near.counts[0]
    wanted = np.int64(near.outer_start[n_clusters]) * k // team_size(team)
    return int(n_clusters if k == team_size(team) else first_at_least(wanted, near.outer_start, 0, n_clusters))


@helper
def _packs(q: int, near: Any) -> float:
    """Packs of cluster q, and four for what each cluster costs."""
    packs: float = 4.0 + near.inner_end[q] - near.inner_start[q] + near.masked_start[q + 1] - near.masked_start[q]
    return packs


@helper
def split_clusters(near: Any, team: Any) -> None:
    """Give each thread clusters such that, with its work ``elsewhere``, all have about the same to do."""
    n = team_size(team)
    split, n_clusters = team.split, near.counts[0]
    total = 0.0
    for thread in range(n):
        total += team.elsewhere[thread]
    for q in range(n_clusters):
        total += _packs(q, near)
    split[0] = 0
    thread, done = 1, team.elsewhere[0]
    for q in range(n_clusters):
        while thread < n and done >= total * thread / n:
            split[thread] = q
            done += team.elsewhere[thread]
            thread += 1
        done += _packs(q, near)
    split[thread:] = n_clusters
