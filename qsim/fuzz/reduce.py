# SPDX-License-Identifier: GPL-2.0-or-later
"""A raw scenario made smaller: what can go, or be plainer, and changes nothing by it, does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from qsim.scenario.case import IO_VERBS

Raw = dict[str, Any]

#: The plainest request of each verb; discard and the others have a range alone.
PLAIN_RANGES = ([0, 512], [0, 1], [0, 4096], [0, 1024])
PLAIN_CONTENT = "A"
PLAIN_WRITTEN = "W"
#: So many candidates are tried side by side.
AT_ONCE = 12


def reduce(raw: Raw, first: Callable[[list[Raw]], int | None]) -> Raw:
    """The smallest scenario that is found from ``raw`` by single steps.

    :param first: says which of some candidates is the first that will do.
    """
    raw = by_name(raw)
    candidates = _plainer(raw)
    while batch := list(islice(candidates, AT_ONCE)):
        chosen = first([tidy(one) for one in batch])
        if chosen is not None:
            raw = batch[chosen]
            candidates = _plainer(raw)
    return tidy(raw)


def by_name(raw: Raw) -> Raw:
    """The same with its children by name, so that one can go and the others keep theirs."""
    children = raw.get("children", 3)
    if isinstance(children, int):
        children = [PLAIN_CONTENT] * children
    if isinstance(children, list):
        children = {f"c{i}": child for i, child in enumerate(children)}
    return {**raw, "children": children}


def tidy(raw: Raw) -> Raw:
    """The same with its children in the shortest form there is."""
    children = raw["children"]
    if not isinstance(children, dict) or list(children) != [f"c{i}" for i in range(len(children))]:
        return raw
    listed = list(children.values())
    if all(child == PLAIN_CONTENT for child in listed):
        return {**raw, "children": len(listed)}
    return {**raw, "children": listed}


def _plainer(raw: Raw) -> Iterator[Raw]:
    steps = raw["steps"]
    for i in reversed(range(len(steps))):
        yield {**raw, "steps": steps[:i] + steps[i + 1 :]}
    if len(raw["children"]) > 1:
        for name in reversed(raw["children"]):
            yield _without_child(raw, name)
    for key in ("above", "guest", "size", "block-size", "spares"):
        if key in raw:
            yield _without(raw, key)
    for quorum in _plainer_quorum(raw["quorum"]):
        yield {**raw, "quorum": quorum}
    for name, child in raw["children"].items():
        for plain in _plainer_child(child):
            yield {**raw, "children": {**raw["children"], name: plain}}
    for i, step in enumerate(steps):
        for plain in _plainer_step(step):
            yield {**raw, "steps": [*steps[:i], plain, *steps[i + 1 :]]}
    if _renamed(raw) != raw:
        yield _renamed(raw)


def _renamed(raw: Raw) -> Raw:
    """The same with its children named from c0 on, wherever they are named."""
    names = {name: f"c{i}" for i, name in enumerate(raw["children"])}
    words = re.compile(rf"\b({'|'.join(names)})\b")
    renamed = words.sub(lambda match: names[match[0]], json.dumps(raw))
    result: Raw = json.loads(renamed)
    return result


def _without(one: Raw, key: str) -> Raw:
    return {name: value for name, value in one.items() if name != key}


def _without_child(raw: Raw, gone: str) -> Raw:
    """The same without a child, and without all that names it."""
    children = _without(raw["children"], gone)
    result = {**raw, "children": children}
    if "spares" in raw:
        result["spares"] = [name for name in raw["spares"] if name != gone]
        if not result["spares"]:
            del result["spares"]
    quorum = dict(raw["quorum"])
    if isinstance(quorum.get("children"), list):
        quorum["children"] = _unlisted(quorum["children"], gone)
    result["quorum"] = quorum
    result["steps"] = [_step_without_child(step, gone) for step in raw["steps"]]
    result["steps"] = [step for step in result["steps"] if step.get("set", True)]
    return result


def _unlisted(listed: list[Any], gone: str) -> list[Any]:
    rest: list[Any] = []
    for one in listed:
        if one == gone or (isinstance(one, dict) and one.get("export") == gone):
            continue
        if isinstance(one, dict) and isinstance(one.get("children"), list):
            rest.append({**one, "children": _unlisted(one["children"], gone)})
        else:
            rest.append(one)
    return rest


def _step_without_child(step: Raw, gone: str) -> Raw:
    step = dict(step)
    for key in ("faults", "set"):
        if key in step:
            step[key] = _without(step[key], gone)
    if not step.get("faults", True):
        del step["faults"]
    if "complete" in step:
        step["complete"] = [word for word in step["complete"] if word.split(".")[0] != gone]
        if not step["complete"]:
            del step["complete"]
    return step


def _plainer_quorum(quorum: Raw) -> Iterator[Raw]:
    for key in quorum:
        if key != "vote-threshold":
            yield _without(quorum, key)
    if quorum.get("vote-threshold") != 1:
        yield {**quorum, "vote-threshold": 1}
    listed = quorum.get("children")
    if isinstance(listed, list):
        for i, one in enumerate(listed):
            yield {**quorum, "children": listed[:i] + listed[i + 1 :]}
            if isinstance(one, dict) and "children" in one:
                for inner in _plainer_quorum(one):
                    if inner.keys() >= {"driver", "children"}:
                        yield {**quorum, "children": [*listed[:i], inner, *listed[i + 1 :]]}


def _plainer_child(child: Any) -> Iterator[Any]:
    if child != PLAIN_CONTENT:
        yield PLAIN_CONTENT
    if not isinstance(child, dict):
        if child not in (PLAIN_CONTENT, "B"):
            yield "B"
        return
    if "contents" in child:
        yield child["contents"]
    for key in child:
        yield _without(child, key)
    for key in child.get("node", {}):
        yield {**child, "node": _without(child["node"], key)}
    for fault in _plainer_fault(child.get("faults", "")):
        yield {**child, "faults": fault}


def _plainer_fault(text: str) -> Iterator[str]:
    """A fault without its place, its times, its operation; with the usual errno."""
    words = text.split()
    for word, length in (("at", 3), ("after", 2)):
        if word in words:
            i = words.index(word)
            yield " ".join(words[:i] + words[i + length :])
    for i, word in enumerate(words):
        if word.startswith("x"):
            yield " ".join(words[:i] + words[i + 1 :])
        if word.startswith("E") and word != "EIO":
            yield " ".join([*words[:i], "EIO", *words[i + 1 :]])
    if len(words) > 1 and words[1].startswith("E"):
        yield " ".join(words[1:])


def _plainer_step(step: Raw) -> Iterator[Raw]:
    for key in ("faults", "flags", "complete", "meanwhile"):
        if key in step:
            yield _without(step, key)
    faults = step.get("faults", {})
    for name, fault in faults.items():
        if len(faults) > 1:
            yield {**step, "faults": _without(faults, name)}
        for shorter in _plainer_fault(fault):
            yield {**step, "faults": {**faults, name: shorter}}
    if len(step.get("flags", ())) > 1:
        for flag in step["flags"]:
            yield {**step, "flags": [one for one in step["flags"] if one != flag]}
    if len(step.get("complete", ())) > 1:
        yield {**step, "complete": step["complete"][:-1]}
    for i, part in enumerate(step.get("together", ())):
        parts = step["together"]
        rest = parts[:i] + parts[i + 1 :]
        yield {**_without(step, "together"), **({"together": rest} if rest[1:] else rest[0])}
        for plain in _plainer_step(part):
            yield {**step, "together": [*parts[:i], plain, *parts[i + 1 :]]}
    yield from _plainer_range(step)


def _plainer_range(step: Raw) -> Iterator[Raw]:
    for verb in IO_VERBS:
        if not isinstance(step.get(verb), list):
            continue
        given, rest = step[verb][:2], step[verb][2:]
        for plain in PLAIN_RANGES[: PLAIN_RANGES.index(given) if given in PLAIN_RANGES else None]:
            yield {**step, verb: [*plain, *rest]}
        if rest and rest[0] != PLAIN_WRITTEN:
            yield {**step, verb: [*given, PLAIN_WRITTEN]}
        if verb == "write":
            yield {**_without(step, verb), "read": given}
