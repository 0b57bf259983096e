# SPDX-License-Identifier: GPL-2.0-or-later
"""What a step must show, from the file's form to an Expectation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qsim.block.child import Request
from qsim.block.errno import TABLE
from qsim.scenario.case import (
    CANCELLED,
    IO_VERBS,
    REFUSED,
    WAITS,
    WAITS_REFUSED,
    Answer,
    Expectation,
)
from qsim.scenario.content import parse_bytes, parse_content
from qsim.scenario.error import ScenarioError
from qsim.scenario.lines import Path
from qsim.scenario.notation import parse_event, parse_extent, parse_round

#: Numbers beyond this are no errno, and stand for themselves.
MAX_ERRNO = 4095


@dataclass
class ExpectationReader:
    """Reads one ``expect``.

    :param fail: makes the error for a place below it.
    :param line: where it stands.
    :param children: the names there are, in order.
    :param everyone: whom ``all`` stands for.
    :param blind: what the children are asked cannot be seen (image files).
    """

    fail: Callable[[Path, str], ScenarioError]
    line: int
    children: list[str]
    everyone: list[str]
    blind: bool

    def read(self, raw: Any, verb: str, offset: int, bytes_: int, step: Any) -> Expectation:
        """The expectation of a step.

        :raise ScenarioError: for what is missing, wrong, or cannot be.
        """
        if ("meanwhile" in raw) != ("meanwhile" in step):
            raise self.fail((), "a command given meanwhile and what is expected of it go together")
        exits = "exit" in raw or ("undefined" in raw and "ret" not in raw)
        ret = self._ret(raw, verb) if verb in IO_VERBS and not exits else None
        error = raw.get("error")
        if isinstance(error, str):
            error = {"class": "GenericError", "desc": error}
        try:
            return Expectation(
                line=self.line,
                ret=ret,
                data=_data(raw, bytes_),
                extent=parse_extent(raw["extent"]) if "extent" in raw else None,
                requests=self._requests(raw, verb, offset, bytes_, step),
                events=tuple(parse_event(text) for text in raw.get("events", [])),
                returns=raw.get("return", {}),
                error=(error["class"], error["desc"]) if error else None,
                exit=(raw["exit"]["status"], raw["exit"]["stderr"]) if "exit" in raw else None,
                answers=self._answers(raw, step) if verb == "together" else (),
                finish=tuple(raw.get("finish", ())),
                undefined=raw.get("undefined"),
                meanwhile=_meanwhile(raw.get("meanwhile")),
            )
        except ValueError as problem:
            raise self.fail((), str(problem)) from problem

    def _ret(self, raw: Any, verb: str) -> str:
        """A guest request's result, and that everything that goes with it is said."""
        if "ret" not in raw:
            raise self.fail((), "ret is missing: 0 or an errno")
        ret = self._complete(raw, verb, ())
        if "requests" not in raw and not self.blind:
            raise self.fail((), "requests is missing: what the children must be asked")
        return ret

    def _complete(self, raw: Any, verb: str, path: Path) -> str:
        ret = str(raw["ret"])
        odd = ret.isdigit() and int(ret) > MAX_ERRNO
        if ret not in ("0", CANCELLED) and ret not in TABLE and not odd:
            raise self.fail((*path, "ret"), f"{ret!r} is neither 0, {CANCELLED} nor an errno")
        for key, of, what in (
            ("data", "read", "what the guest must get"),
            ("extent", "block-status", "what the guest must be told"),
        ):
            wanted = verb == of and ret == "0"
            if wanted and key not in raw:
                raise self.fail(path, f"{key} is missing: {what}")
            if not wanted and key in raw:
                raise self.fail((*path, key), f"only a {of} that returns 0 has {key}")
        return ret

    def _answers(self, raw: Any, step: Any) -> tuple[Answer, ...]:
        """The answers to requests in flight together, in the order of the requests."""
        any_order = step.get("complete") == "any"
        requests = step["together"]
        if any_order and "finish" in raw:
            raise self.fail(("finish",), "in any order there is no order of the answers")
        for key in ("answers", "finish", "requests"):
            if key not in raw and "undefined" not in raw and (key != "finish" or not any_order):
                raise self.fail((), f"{key} is missing: all of what must be seen")
        if "answers" not in raw:
            return ()
        if not any_order and sorted(raw["finish"]) != list(range(len(requests))):
            raise self.fail(("finish",), f"name each of 0 to {len(requests) - 1} once")
        if len(raw["answers"]) != len(requests):
            raise self.fail(("answers",), f"{len(requests)} requests need as many answers")
        answers = []
        for i, (one, request) in enumerate(zip(raw["answers"], requests, strict=True)):
            verb = next(verb for verb in IO_VERBS if verb in request)
            ret = self._complete(one, verb, ("answers", i))
            bytes_ = parse_bytes(request["read"][1]) if verb == "read" else 0
            extent = parse_extent(one["extent"]) if "extent" in one else None
            answers.append(Answer(ret, _data(one, bytes_), extent))
        return tuple(answers)

    def _requests(
        self, raw: Any, verb: str, offset: int, bytes_: int, step: Any
    ) -> tuple[tuple[Request, ...], ...] | None:
        if self.blind:
            return None
        rounds = raw.get("requests", [])
        if rounds == "all":
            where = "" if verb == "flush" else f" {offset} {bytes_}"
            rounds = [f"all {verb}{where} {' '.join(step.get('flags', []))}"]
        return tuple(parse_round(text, self.children, self.everyone) for text in rounds)


def _meanwhile(raw: Any) -> str | None:
    """What must be seen of a command given meanwhile."""
    if isinstance(raw, dict):
        ((how, desc),) = raw.items()
        return f"{REFUSED if how == 'refused' else WAITS_REFUSED}{desc}"
    return None if raw is None else WAITS


def _data(raw: Any, bytes_: int) -> bytes | None:
    return parse_content(raw["data"], bytes_).data.read(0, bytes_) if "data" in raw else None
