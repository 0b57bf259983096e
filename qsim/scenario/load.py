# SPDX-License-Identifier: GPL-2.0-or-later
"""From a YAML file to cases: shape by JSON Schema, meaning by the short forms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path as FilePath
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match

from qsim.block.child import FEATURES, Fault
from qsim.block.flags import BDRV_SECTOR_SIZE
from qsim.block.monitor import COMMANDS
from qsim.block.sparse import Sparse
from qsim.block.stage import CANCEL
from qsim.qapi import QapiValueError, shipped_schema
from qsim.scenario.case import (
    IO_VERBS,
    SILENT,
    Case,
    ChildSpec,
    Expectation,
    Leak,
    OpenContent,
    OpenFaults,
    Step,
)
from qsim.scenario.choice import alternatives
from qsim.scenario.content import Content, parse_bytes, parse_content
from qsim.scenario.error import ScenarioError
from qsim.scenario.expect import ExpectationReader
from qsim.scenario.jobs import Jobs
from qsim.scenario.lines import Document, Path
from qsim.scenario.notation import parse_fault

DEFAULT_SIZE = 64 * 1024
#: The largest child, in bytes.
MAX_SIZE = 1 << 60
#: The longest request with data, and without, that NBD carries, in bytes.
MAX_DATA = 32 << 20
MAX_LENGTH = (1 << 32) - 1
#: Names no child can have: the quorum node, the node above it, everyone, and the harness's own.
RESERVED = ("q", "top", "all", "ping", CANCEL)
#: What stands for an order that is left open.
ANY = "any"
VERBS = (*IO_VERBS, "together", "qmp", "set", "kill")


@cache
def _validator() -> jsonschema.Draft202012Validator:
    text = resources.files("qsim.scenario").joinpath("scenario.schema.json").read_text("utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def load_paths(paths: Iterable[FilePath], revisions: Sequence[str]) -> list[Case]:
    """The cases of all files, and of all ``*.yaml`` files in folders, in order of name.

    :param revisions: the names ``since`` and ``until`` may have.
    :raise ScenarioError: for the first mistake, also when two families have one name.
    """
    cases: list[Case] = []
    families: dict[str, str] = {}
    for path in _files(paths):
        loaded = load_file(path, revisions)
        family = loaded[0].family
        if family in families:
            raise ScenarioError(
                str(path), 1, "family", f"{family!r} is already the family of {families[family]}"
            )
        families[family] = str(path)
        cases += loaded
    return cases


def _files(paths: Iterable[FilePath]) -> Iterator[FilePath]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.yaml"))
        else:
            yield path


def load_file(path: FilePath, revisions: Sequence[str]) -> list[Case]:
    """The cases of one family.

    :raise ScenarioError: when the file cannot be read or anything in it is wrong.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(str(path), 0, "", f"cannot be read: {error}") from error
    return load_text(str(path), text, revisions)


def load_text(name: str, text: str, revisions: Sequence[str]) -> list[Case]:
    """The cases of a family given as text; ``name`` is for messages.

    :raise ScenarioError: for the first mistake.
    """
    document = Document(name, text)
    error = best_match(_validator().iter_errors(document.data))
    if error is not None:
        raise document.error(tuple(error.absolute_path), _readable(error))
    family = document.data
    cases = [
        Loader(document, ("cases", i), raw, family, revisions).case()
        for i, raw in enumerate(family["cases"])
    ]
    names: set[str] = set()
    for i, case in enumerate(cases):
        if case.name in names:
            raise document.error(("cases", i, "name"), f"{case.name!r} is the name of two cases")
        names.add(case.name)
    return cases


def _has_range(verb: str) -> bool:
    return verb in IO_VERBS and verb != "flush"


def _readable(error: jsonschema.ValidationError) -> str:
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        properties = error.schema.get("properties", {})
        assert isinstance(error.instance, dict)
        extra = [key for key in error.instance if key not in properties]
        return f"unknown key {extra[0]!r}; known here: {', '.join(sorted(properties))}"
    if error.validator == "pattern" and isinstance(error.schema, dict):
        return f"{error.instance!r} does not match: {error.schema['description']}"
    return error.message


class Loader:
    """Makes one case of a document; ``at`` is its place there."""

    def __init__(
        self,
        document: Document,
        at: Path,
        raw: dict[str, Any],
        family: Any,
        revisions: Sequence[str],
    ) -> None:
        self.revisions = revisions
        self.document = document
        self.at = at
        self.own = raw
        self.defaults = family.get("defaults", {})
        self.raw = {**self.defaults, **raw}
        self.family = family
        self.children: dict[str, ChildSpec] = {}
        self.everyone: list[str] = []
        self.steps: list[Step] = []
        self.jobs = Jobs(self.fail, bool(self.raw.get("images")))

    def fail(self, path: Path, message: str) -> ScenarioError:
        return self.document.error(self._place(path), message)

    def _place(self, path: Path) -> Path:
        """Where a key of the case stands: in it, in the defaults, or at the family's head."""
        key = path[0] if path else None
        if key is None or key in self.own:
            return (*self.at, *path)
        if key in self.defaults:
            return ("defaults", *path)
        return path if key in self.family else (*self.at, *path)

    def case(self) -> Case:
        raw = self.raw
        images = self._children(raw.get("images", {}), "images")
        if bool(images) != ("drive" in raw):
            raise self.fail((), "images and drive belong together: give both or neither")
        for name, image in images.items():
            if [f for f in image.faults if f.op != "read" or not (f.errno == 5 or f.dead)]:
                raise self.fail(
                    ("images", name), "an image file can only fail with: read EIO, read dies"
                )
        self.children = images or self._children(raw.get("children", 3), "children")
        options = self._options()
        for i, step in enumerate(raw.get("steps", [])):
            self.steps.append(self._step(step, ("steps", i)))
        self.jobs.over(self.steps)
        opening = Step(
            self.document.line(self.at),
            "open",
            expect=self.expectation(raw.get("open", {}), ("open",), "open", {}),
        )
        has_io = any(step.verb in (*IO_VERBS, "together") for step in self.steps)
        guest = raw.get("guest", "writable" if has_io else "none")
        if has_io and guest == "none":
            raise self.fail(("guest",), "there are guest requests, so there must be a guest")
        case = Case(
            family=self.family["family"],
            name=raw["name"],
            file=self.document.name,
            line=self.document.line(self.at),
            source=raw.get("source", self.family["source"]),
            children=self.children,
            images=images,
            options=options,
            drive=raw.get("drive"),
            opening=opening,
            steps=tuple(self.steps),
            contents=self._contents(),
            guest=guest,
            above=raw["above"]["align"] if "above" in raw else None,
            since=self._revision("since"),
            until=self._revision("until"),
            without=self._without(),
            leaks=self._leaks(),
            fixed=self.raw.get("fixed", self.family.get("fixed", "")),
            bug=raw.get("bug", ""),
            raw=raw,
        )
        if case.runs_job and case.is_open:
            raise self.fail((), "a case with a job leaves nothing open")
        return case

    def _revision(self, key: str) -> str | None:
        name = self.raw.get(key, self.family.get(key))
        return None if name is None else self._known_revision(name, (key,))

    def _known_revision(self, name: str, path: Path) -> str:
        if name not in self.revisions:
            known = ", ".join(self.revisions)
            raise self.fail(path, f"there is no revision {name!r}; there are: {known}")
        return name

    def _without(self) -> tuple[str, ...]:
        names = self.raw.get("without", self.family.get("without", []))
        return tuple(self._known_revision(name, ("without", i)) for i, name in enumerate(names))

    def _leaks(self) -> tuple[Leak, ...]:
        leaks = []
        for i, raw in enumerate(self.raw.get("leaks", self.family.get("leaks", []))):
            for key in ("since", "until"):
                if key in raw:
                    self._known_revision(raw[key], ("leaks", i, key))
            leaks.append(Leak(raw["what"], raw.get("since"), raw.get("until")))
        return tuple(leaks)

    def _options(self) -> dict[str, Any] | None:
        raw = self.raw
        if "drive" in raw:
            if "quorum" in raw:
                raise self.fail(("drive",), "give either drive or quorum, not both")
            self.everyone = list(self.children)
            return None
        spares = raw.get("spares", [])
        for i, name in enumerate(spares):
            self._known(name, ("spares", i))
        members = [name for name in self.children if name not in spares]
        options = {"driver": "quorum", "node-name": "q", "children": members}
        options |= raw.get("quorum", {})
        listed = options["children"]
        if isinstance(listed, list):
            self.everyone = [n for n in self._listed(listed) if n in self.children]
        return {key: value for key, value in options.items() if value is not None}

    def _listed(self, listed: list[Any]) -> Iterator[str]:
        """The children that are meant, those of a quorum in the quorum among them."""
        for one in listed:
            if isinstance(one, str):
                yield one
            elif isinstance(one, dict):
                if isinstance(one.get("children"), list):
                    yield from self._listed(one["children"])
                elif "export" in one:
                    yield str(one["export"])
                else:
                    message = "a child defined in place needs an export: a child"
                    raise self.fail(("quorum",), message)

    def _known(self, name: str, path: Path) -> None:
        if name not in self.children:
            raise self.fail(path, f"{name!r} is no child; there are: {', '.join(self.children)}")

    def _children(self, raw: Any, key: str) -> dict[str, ChildSpec]:
        if isinstance(raw, int):
            raw = ["A"] * raw
        if isinstance(raw, list):
            raw = {f"c{i}": child for i, child in enumerate(raw)}
        for name in RESERVED:
            if name in raw:
                raise self.fail((key, name), f"{name!r} has a meaning of its own; choose another")
        return {name: self._child(name, child, (key, name)) for name, child in raw.items()}

    def _child(self, name: str, raw: Any, path: Path) -> ChildSpec:
        if not isinstance(raw, dict):
            raw = {"contents": raw}
        size = parse_bytes(raw.get("size", self.raw.get("size", DEFAULT_SIZE)))
        if not size or size % BDRV_SECTOR_SIZE:
            raise self.fail(path, f"the size {size} must be a multiple of 512")
        if size > MAX_SIZE:
            raise self.fail(path, f"the size {size} is beyond {MAX_SIZE}")
        block_size = raw.get("block-size", self.raw.get("block-size", 1))
        if size % block_size:
            raise self.fail(path, f"the size {size} must be a multiple of the block size")
        features = frozenset(FEATURES) - frozenset(raw.get("without", []))
        if "fast-zero" in features and "write-zeroes" not in features:
            raise self.fail(path, "fast-zero needs write-zeroes; leave out both")
        node = raw.get("node", {})
        for option in ("driver", "node-name", "server", "export"):
            if option in node:
                raise self.fail((*path, "node"), f"{option} is the harness's own; leave it out")
        server = {"type": "unix", "path": "children.sock"}
        try:
            shipped_schema().check_type(
                "BlockdevOptions",
                {"driver": "nbd", "node-name": name, "export": name, "server": server, **node},
            )
        except QapiValueError as error:
            raise self.fail((*path, "node"), str(error)) from error
        told = raw.get("contents", "A")
        texts = self._alternatives(told, path) or [told]
        contents = [OpenContent(str(text), self._content(text, size, path)) for text in texts]
        for part in (part for one in contents for part in one.content.holes):
            if part.start % block_size or part.end % block_size:
                raise self.fail(path, "holes must begin and end at multiples of the block size")
        faults, open_faults = self._faults(raw.get("faults", []), path)
        return ChildSpec(
            name=name,
            content=contents[0].content,
            block_size=block_size,
            features=features,
            node=node,
            faults=faults,
            open_contents=tuple(contents[: len(contents) if len(contents) > 1 else 0]),
            open_faults=open_faults,
        )

    def _content(self, text: Any, size: int, path: Path) -> Content:
        try:
            return parse_content(text, size)
        except ValueError as error:
            raise self.fail(path, str(error)) from error

    def _alternatives(self, raw: Any, path: Path) -> list[str] | None:
        try:
            return alternatives(raw)
        except ValueError as error:
            raise self.fail(path, str(error)) from error

    def _faults(self, raw: Any, path: Path) -> tuple[tuple[Fault, ...], tuple[OpenFaults, ...]]:
        """The faults of a child, or those of which it has one."""
        texts = self._alternatives(raw, path)
        try:
            if texts is not None:
                ok: tuple[Fault, ...] = ()
                return (), tuple(
                    OpenFaults(text, ok if text == "ok" else (parse_fault(text),)) for text in texts
                )
            return tuple(parse_fault(text) for text in ([raw] if isinstance(raw, str) else raw)), ()
        except ValueError as error:
            raise self.fail(path, str(error)) from error

    def _step(self, raw: dict[str, Any], path: Path, part_of_many: bool = False) -> Step:
        verbs = [verb for verb in VERBS if verb in raw]
        if len(verbs) != 1:
            found = " and ".join(verbs) or "none"
            raise self.fail(path, f"a step does one of {', '.join(VERBS)}; found {found}")
        verb = verbs[0]
        offset = bytes_ = 0
        data = None
        if _has_range(verb):
            offset, bytes_ = (parse_bytes(part) for part in raw[verb][:2])
            longest = MAX_DATA if verb in ("read", "write") else MAX_LENGTH
            if bytes_ > longest:
                raise self.fail((*path, verb), f"NBD carries at most {longest} bytes in a {verb}")
        if verb == "write":
            written = self._content(raw["write"][2], bytes_, (*path, "write"))
            data = written.data.read(0, bytes_)
        command, arguments = "", {}
        if verb == "qmp":
            command, arguments = raw["qmp"]["execute"], raw["qmp"].get("arguments", {})
            if command not in COMMANDS:
                known = ", ".join(COMMANDS)
                raise self.fail((*path, "qmp", "execute"), f"the model takes only {known}")
        job = self.jobs.begin(raw, path)
        faults, open_faults = {}, {}
        for name, fault in raw.get("faults", {}).items():
            self._known(name, (*path, "faults", name))
            faults[name], choices = self._faults(fault, (*path, "faults", name))
            if choices:
                open_faults[name] = choices
        any_order = raw.get("complete") == ANY
        complete = [] if any_order else raw.get("complete", [])
        for i, name in enumerate(complete):
            if name.partition(".")[0] != CANCEL:
                self._known(name.partition(".")[0], (*path, "complete", i))
        meanwhile = None
        if "meanwhile" in raw:
            if verb not in (*IO_VERBS, "together"):
                raise self.fail((*path, "meanwhile"), "only guest requests have a meanwhile")
            as_step = {"qmp": raw["meanwhile"], "expect": {}}
            meanwhile = self._step(as_step, (*path, "meanwhile"))
        parts = tuple(
            self._step(part, (*path, "together", i), part_of_many=True)
            for i, part in enumerate(raw.get("together", []))
        )
        contents = {}
        for name, text in raw.get("set", {}).items():
            self._known(name, (*path, "set", name))
            if self.children[name].open_contents:
                message = "its contents are left open; name what it holds, or leave the set out"
                raise self.fail((*path, "set", name), message)
            size = len(self.children[name].content.data)
            contents[name] = self._content(text, size, (*path, "set", name))
        expect: Expectation | None = None
        allowed: tuple[Expectation, ...] = ()
        if part_of_many:
            if verb not in IO_VERBS or raw.keys() - {verb, "flags"}:
                raise self.fail(path, "requests in flight together have only a verb and flags")
        elif verb not in SILENT:
            if any_order or open_faults or isinstance(raw.get("expect"), list):
                allowed = self._allowed(raw, path, verb)
            else:
                expect = self.expectation(raw.get("expect"), (*path, "expect"), verb, raw)
        elif "expect" in raw:
            raise self.fail((*path, "expect"), f"nothing is seen of a {verb}")
        stop_after = self.jobs.stop_after(raw, path)
        if stop_after is not None:
            self._known(stop_after.child, (*path, "stop-after"))
        self.jobs.end(expect)
        return Step(
            line=self.document.line(self._place(path)),
            verb=verb,
            offset=offset,
            bytes=bytes_,
            data=data,
            flags=tuple(raw.get("flags", [])),
            command=command,
            arguments=arguments,
            contents=contents,
            faults=faults,
            complete=tuple(complete),
            parts=parts,
            meanwhile=meanwhile,
            expect=expect,
            any_order=any_order,
            open_faults=open_faults,
            allowed=allowed,
            job=job,
            stop_after=stop_after,
        )

    def _allowed(self, raw: dict[str, Any], path: Path, verb: str) -> tuple[Expectation, ...]:
        """What a step that leaves something open may show: one of these."""
        told = raw.get("expect")
        path = (*path, "expect")
        if not isinstance(told, list):
            one = self.expectation(told, path, verb, raw)
            return () if one is None else (one,)
        found = []
        for i, each in enumerate(told):
            one = self.expectation(each, (*path, i), verb, raw)
            if one is not None:
                found.append(replace(one, when=self._when(each, raw, (*path, i))))
        return tuple(found)

    def _when(self, expect: Any, step: Any, path: Path) -> tuple[tuple[str, str], ...]:
        """Which alternatives an expectation is for; they must be there."""
        for name, text in expect.get("when", {}).items():
            self._known(name, (*path, "when", name))
            spec = self.children[name]
            open_ = [one.text for one in spec.open_contents]
            open_ += [one.text for one in spec.open_faults]
            open_ += alternatives(step.get("faults", {}).get(name)) or []
            if text not in open_:
                has = ", ".join(open_) or "none"
                raise self.fail((*path, "when", name), f"{text!r} is no alternative; it has {has}")
        return tuple(expect.get("when", {}).items())

    def expectation(self, raw: Any, path: Path, verb: str, step: Any) -> Expectation | None:
        """What ``step`` must show, from ``raw`` at ``path``.

        :raise ScenarioError: when it is missing, or wrong.
        """
        if raw is None:
            raise self.fail(path[:-1], "expect is missing: say what must be seen")
        offset, bytes_ = map(parse_bytes, step[verb][:2]) if _has_range(verb) else (0, 0)
        reader = ExpectationReader(
            lambda sub, message: self.fail((*path, *sub), message),
            self.document.line(self._place(path)),
            list(self.children),
            self.everyone,
            bool(self.raw.get("images") or self.jobs.name),
        )
        expected = reader.read(raw, verb, offset, bytes_, step)
        if "contents" not in raw:
            return expected
        contents = {}
        for name, text in raw["contents"].items():
            place = (*path, "contents", name)
            self._known(name, place)
            size = len(self.children[name].content.data)
            contents[name] = self._content(text, size, place).data
        return replace(expected, contents=contents)

    def _contents(self) -> dict[str, Sparse]:
        """What every child must hold at the end: what is said, else what it held before."""
        contents = {name: child.content.data for name, child in self.children.items()}
        for step in self.steps:
            contents |= {name: content.data for name, content in step.contents.items()}
        for name, text in self.raw.get("contents", {}).items():
            self._known(name, ("contents", name))
            size = len(self.children[name].content.data)
            contents[name] = self._content(text, size, ("contents", name)).data
        return contents
