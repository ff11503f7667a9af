"""The binary copy of large matrices: fast, never stale, never needed."""

import time

import numpy as np
import pytest

from topdown.tables import cache, load_bead_table, load_bead_types, reader


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TOPDOWN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bead_tables"


def test_second_load_does_not_parse(cache_folder, monkeypatch):
    first = load_bead_table("martini3")
    assert len(list(cache_folder.glob("*.npz"))) == 1
    monkeypatch.setattr(reader, "parse_pairs", lambda *_: pytest.fail("parsed again"))
    start = time.process_time()
    second = load_bead_table("martini3")
    assert time.process_time() - start < 0.15
    assert np.array_equal(first.epsilon, second.epsilon)
    assert np.array_equal(first.sigma, second.sigma)


def test_bead_types_are_read_without_the_pairs(monkeypatch):
    monkeypatch.setattr(reader, "find_pairs_file", lambda *_: pytest.fail("looked for pairs"))
    assert len(load_bead_types("martini3")) == 843


def small_matrices():
    return np.array([[1.0, 2.0], [2.0, 3.0]]), np.array([[0.4, 0.5], [0.5, 0.6]])


def test_key_follows_names_order_and_bytes():
    keys = {
        cache.table_key(names, data)
        for names, data in [
            (("A", "B"), b"x"),
            (("B", "A"), b"x"),
            (("A", "B"), b"y"),
            (("AB",), b"x"),
            (("A",), b"Bx"),
        ]
    }
    assert len(keys) == 5


def test_torn_or_foreign_copies_are_ignored(cache_folder):
    epsilon, sigma = small_matrices()
    cache.store_matrices("k", epsilon, sigma)
    stored = cache.read_cached_matrices("k", 2)
    assert stored is not None
    assert np.array_equal(stored[0], epsilon)
    assert np.array_equal(stored[1], sigma)
    assert cache.read_cached_matrices("k", 3) is None
    path = cache_folder / "k.npz"
    whole = path.read_bytes()
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        assert cache.read_cached_matrices("k", 2) is None
    flipped = bytearray(whole)
    flipped[whole.index(np.float64(2.0).tobytes())] ^= 0xFF
    path.write_bytes(bytes(flipped))
    assert cache.read_cached_matrices("k", 2) is None
    np.savez(path, epsilon=np.array([{"an": "object"}], dtype=object), sigma=sigma)
    assert cache.read_cached_matrices("k", 2) is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("TOPDOWN_CACHE", str(blocked / "cache"))
    cache.store_matrices("k", *small_matrices())
    assert cache.read_cached_matrices("k", 2) is None
    assert load_bead_table("martini3").pair("W", "W") == (0.47, 4.65)
