"""Memory of one process that maps a long list graph-only, as a worker does: resident size and time per thousand molecules.

    python benchmarks/mapping_memory.py LIST [--count 20000] [--every 1000]

A list of many different molecules comes from ``druglike_list.py --substitute``. What a process remembers is bounded
(``topdown/mapping/remembered.py``); the resident size must level off once the bounds are reached.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

from topdown.workflows.map_lists import iterate_requests
from topdown.workflows.map_workers import BatchSettings, Job, in_process

_PAGE_MB = 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--every", type=int, default=1000)
    parser.add_argument("--table", default="martini3")
    options = parser.parse_args()
    requests = itertools.islice(iterate_requests(options.list), options.count)
    jobs = (Job(number=number, request=request) for number, request in enumerate(requests))
    settings = BatchSettings(mapping={"conformers": False, "table": options.table})
    since, refused = time.process_time(), 0
    for number, answer in enumerate(in_process(jobs, settings, None), start=1):
        refused += bool(answer.code)
        if number % options.every == 0:
            now = time.process_time()
            print(
                f"{number:7d} molecules, {refused} refused: {resident():6.1f} MB, "
                f"{1000 * (now - since) / options.every:5.2f} ms each",
                flush=True,
            )
            since = now


def resident() -> float:
    """Resident size of this process [MB]; Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB


if __name__ == "__main__":
    main()
