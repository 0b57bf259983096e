# SPDX-License-Identifier: GPL-2.0-or-later
"""Block jobs in a case: from which step to which one is there, and what cannot be said then."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from qsim.block.events import JOB_ENDS
from qsim.block.stage import StopAfter
from qsim.scenario.case import IO_VERBS, Expectation, Step
from qsim.scenario.error import ScenarioError
from qsim.scenario.lines import Path
from qsim.scenario.notation import parse_stop_after

#: What id_wellformed() takes.
_WELL_FORMED = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")


class Jobs:
    """The block job there is at the step that is being read: ``name``, "" if there is none.

    :param fail: makes the error for a place in the case.
    :param images: whether the children are image files.
    """

    def __init__(self, fail: Callable[[Path, str], ScenarioError], images: bool) -> None:
        self._fail = fail
        self._images = images
        self.name = ""

    def begin(self, raw: dict[str, Any], path: Path) -> str:
        """A step is to be read; the job that there is meanwhile.

        :raise ScenarioError: for what cannot be said or done then.
        """
        if "kill" in raw:
            self._killed(raw, path)
        if raw.get("qmp", {}).get("execute") == "blockdev-mirror":
            self._mirror(raw, path)
        if self.name:
            self._beside(raw, path)
        return self.name

    def end(self, expect: Expectation | None) -> None:
        """A step was read: the job is gone if that is expected to be seen."""
        events = expect.events if expect else ()
        if any(one.name in JOB_ENDS and one.get("device") == self.name for one in events):
            self.name = ""

    def _killed(self, raw: dict[str, Any], path: Path) -> None:
        for key in ("faults", "complete"):
            if key in raw:
                raise self._fail((*path, key), "nothing is asked in a kill; leave it out")
        if self._images:
            message = "a process with image files is not killed: they are not the harness's own"
            raise self._fail((*path, "kill"), message)
        self.name = ""

    def _mirror(self, raw: dict[str, Any], path: Path) -> None:
        """A mirror that is not refused is a job from here on."""
        arguments = raw["qmp"].get("arguments", {})
        job_id = arguments.get("job-id")
        if isinstance(job_id, str) and not _WELL_FORMED.fullmatch(job_id):
            place = (*path, "qmp", "arguments", "job-id")
            message = f"{job_id!r} does not match: a letter, then letters, digits, and - . _"
            raise self._fail(place, message)
        into_itself = arguments.get("device") == arguments.get("target")
        if "error" in (raw.get("expect") or {}) or into_itself:
            return
        if self.name:
            self.second(path)
        if self._images:
            raise self._fail(path, "what images are asked cannot be seen, so no job runs on them")
        if not isinstance(job_id, str):
            raise self._fail((*path, "qmp"), "a job needs a job-id, by which its events are known")
        self.name = job_id

    def second(self, path: Path) -> None:
        """A job is to start while one is there.

        :raise ScenarioError: always.
        """
        raise self._fail(path, f"there is a job already: {self.name}")

    def _beside(self, raw: dict[str, Any], path: Path) -> None:
        """What children are asked beside a job depends on its pace, so nobody can name it."""
        for key in ("complete", "meanwhile", "together"):
            if key in raw:
                raise self._fail((*path, key), f"not while there is a job ({self.name})")
        expects = raw.get("expect")
        for expect in expects if isinstance(expects, list) else [expects or {}]:
            if "requests" in expect:
                raise self._fail(
                    (*path, "expect", "requests"),
                    f"what children are asked depends on the pace of the job ({self.name}) that "
                    "there is; leave it out",
                )

    def stop_after(self, raw: dict[str, Any], path: Path) -> StopAfter | None:
        """The completion a step ends with, if it says one.

        :raise ScenarioError: when it cannot be.
        """
        if "stop-after" not in raw:
            return None
        place = (*path, "stop-after")
        if not self.name or not any(verb in raw for verb in ("qmp", *IO_VERBS)):
            raise self._fail(place, "only a command or a request beside a job stops in the middle")
        try:
            return parse_stop_after(raw["stop-after"])
        except ValueError as error:
            raise self._fail(place, str(error)) from error

    def over(self, steps: Sequence[Step]) -> None:
        """All steps were read.

        :raise ScenarioError: when children hold requests at the end, which nobody would answer.
        """
        self.name = ""
        if steps and steps[-1].stop_after is not None:
            message = "children hold requests at the end: let another step follow, or a kill"
            raise self._fail(("steps", len(steps) - 1, "stop-after"), message)
