# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine: a Dask cluster, of this machine or named by its scheduler's address."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


#: How long a scheduler may take to answer, in seconds.
CONNECT_S = 5


class ClusterError(Exception):
    """The engine is not there, or not to be reached; the message says what to do."""


@dataclass(frozen=True)
class Where:
    """Where to work: so many worker processes of this machine, or a scheduler's address."""

    workers: int = 0
    scheduler: str = ""

    def __bool__(self) -> bool:
        return bool(self.workers or self.scheduler)


@contextmanager
def connected(where: Where) -> Iterator[Any]:
    """A client of the cluster; what was started for it ends with it.

    :raise ClusterError: when Dask is not installed or the scheduler does not answer.
    """
    dask = _dask()
    if where.scheduler:
        try:
            client = dask.Client(where.scheduler, timeout=CONNECT_S)
        except (OSError, ValueError) as error:
            raise ClusterError(f"no Dask scheduler at {where.scheduler}: {error}") from error
        with client:
            yield client
        return
    with (
        dask.LocalCluster(
            n_workers=where.workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        dask.Client(cluster) as client,
    ):
        yield client


def _dask() -> Any:
    try:
        return import_module("distributed")
    except ImportError:
        raise ClusterError("Dask is not installed: pip install 'qsim[cluster]'") from None


def spread(client: Any, work: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
    """What ``work`` makes of each part, as they come.

    A part whose worker was lost is done again by another; an exception of ``work`` is raised here.
    """
    futures = client.map(work, list(parts), pure=False)
    for future in _dask().as_completed(futures):
        yield future.result()
        future.release()
