# SPDX-License-Identifier: GPL-2.0-or-later
"""An exploration that was interrupted, as a JSON file from which it goes on.

What was found is kept as the way to it, and played again.  A file of another exploration, another
revision or another version of the model is refused.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from qsim.block.child import Request
from qsim.explore.choices import Edge, Pick
from qsim.explore.exploration import Exploration
from qsim.explore.independent import Move
from qsim.explore.search import Figures, Search, Todo, play_way


class CheckpointError(Exception):
    """A file from which an exploration cannot go on; the message names it and says why."""


def save(exploration: Exploration, path: Path) -> None:
    """Write where ``exploration`` stands; the old file is there until the new one is whole."""
    data = {
        "of": _of(exploration),
        "done": exploration.number,
        "figures": vars(exploration.figures),
        "bounded": exploration.bounded,
        "outcomes": [[_path(way.path) for way in each.values()] for each in exploration.outcomes],
        "found": [[number, _path(way.path)] for number, way, _ in exploration.found],
        "search": exploration.search and _search(exploration.search),
    }
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(data), "utf-8")
    new.replace(path)


def restore(exploration: Exploration, path: Path) -> None:
    """Put a fresh ``exploration`` where the file says.

    :raise CheckpointError: when it is no file of this very exploration.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
        of = data["of"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}") from error
    if of != _of(exploration):
        raise CheckpointError(
            f"{path} is of another exploration (cases, revision, options or version of the model "
            "differ); name another file, or remove it to begin again"
        )
    try:
        _restore(exploration, data)
    except (AssertionError, IndexError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}; remove it to begin again") from error


def _restore(exploration: Exploration, data: Any) -> None:
    for number, paths in enumerate(data["outcomes"]):
        exploration.outcomes.append({})
        for told in paths:
            exploration.came(number, _played(exploration, number, told))
    for number, told in data["found"]:
        exploration.came(number, _played(exploration, number, told))
    exploration.figures = Figures(**data["figures"])
    exploration.bounded = data["bounded"]
    if data["search"] is not None:
        exploration.search = _searched(exploration, data["done"], data["search"])


def _of(exploration: Exploration) -> str:
    """What the exploration is of, as a digest."""
    told = [
        _code(),
        exploration.revision.name,
        exploration.reduction.value,
        exploration.cancel,
        [case.raw for case in exploration.cases],
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _code() -> str:
    """The model and the explorer, as a digest: states of other code are other states."""
    digest = hashlib.sha256(sys.version.encode())
    package = Path(__file__).parents[1]
    for name in ("block", "explore", "quorum", "scenario", "target"):
        for source in sorted((package / name).rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()


def _played(exploration: Exploration, number: int, told: Any) -> Any:
    case, revision = exploration.cases[number], exploration.revision
    return play_way(case, revision, _edges(told), exploration.cancel)


def _path(path: tuple[Edge, ...]) -> Any:
    return [[edge.word, [list(pick) for pick in edge.picks]] for edge in path]


def _edges(told: Any) -> tuple[Edge, ...]:
    return tuple(Edge(word, _picks(picks)) for word, picks in told)


def _picks(told: Any) -> tuple[Pick, ...]:
    return tuple(Pick(*pick) for pick in told)


def _move(move: Move) -> Any:
    request = move.request and {
        **vars(move.request),
        "data": None if move.request.data is None else move.request.data.hex(),
    }
    return [move.owner, request, [list(pick) for pick in move.picks]]


def _moved(told: Any) -> Move:
    owner, request, picks = told
    if request is not None:
        data = None if request["data"] is None else bytes.fromhex(request["data"])
        request = Request(**{**request, "flags": tuple(request["flags"]), "data": data})
    return Move(owner, request, _picks(picks))


def _search(search: Search) -> Any:
    return {
        "figures": vars(search.figures),
        "todo": [
            [_path(one.prefix), one.state.hex(), [_move(move) for move in one.asleep]]
            for one in search.todo
        ],
        "entered": [
            [state.hex(), [_move(move) for move in moves]]
            for state, moves in search.entered.items()
        ],
        "silent": [
            [state.hex(), _move(move), silent] for (state, move), silent in search.silent.items()
        ],
    }


def _searched(exploration: Exploration, number: int, told: Any) -> Search:
    search = exploration.search_of(number)
    search.figures = Figures(**told["figures"])
    search.todo = [
        Todo(_edges(path), bytes.fromhex(state), tuple(map(_moved, moves)))
        for path, state, moves in told["todo"]
    ]
    search.entered = {
        bytes.fromhex(state): frozenset(map(_moved, moves)) for state, moves in told["entered"]
    }
    search.silent = {
        (bytes.fromhex(state), _moved(move)): silent for state, move, silent in told["silent"]
    }
    return search
