"""Executors by name; a Dask cluster of two workers, one of which dies, when Dask is installed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dask_tasks import square

from topdown.errors import SettingsError
from topdown.sampling.executors import named_executor, run_tasks


def test_names() -> None:
    assert named_executor("") is None
    assert named_executor("processes") is None
    pool = named_executor("threads", 2)
    assert isinstance(pool, ThreadPoolExecutor)
    with pool:
        assert dict(run_tasks(abs, [-1, 2, -3], executor=pool)) == {0: 1, 1: 2, 2: 3}
    with pytest.raises(SettingsError, match=r"no executor 'cloud' \(processes, threads"):
        named_executor("cloud")


@pytest.mark.parametrize(("name", "package"), [("mpi", "mpi4py"), ("dask://localhost:1", "distributed")])
def test_packages_that_are_not_installed_are_named(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.futures", None)
    with pytest.raises(SettingsError, match="pip install"):
        named_executor(name)


def test_a_dask_cluster_gives_the_same_results_though_a_worker_dies(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    tasks = [(n, str(tmp_path)) for n in range(8)]
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        executor = named_executor(cluster.scheduler_address.replace("tcp://", "dask://"))
        assert executor is not None
        found = dict(run_tasks(square, tasks, executor=executor))
        executor.shutdown()
    assert (tmp_path / "died").exists()
    assert found == {n: n * n for n in range(8)}


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect to tcp://localhost:1 after 10 s\nmore")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(SettingsError, match="no Dask scheduler answers: Timed out") as caught:
        named_executor("dask://localhost:1")
    assert "\n" not in str(caught.value)
