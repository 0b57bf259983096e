# SPDX-License-Identifier: GPL-2.0-or-later
"""The schema that ships with qsim, and its explained differences."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qsim import data
from qsim.qapi import (
    Explanation,
    QapiValueError,
    Schema,
    compare,
    default_schema_path,
    introspection,
    split,
)
from qsim.qapi.model import Command, Enum, Event, Struct, Union

QUORUM: dict[str, Any] = {
    "driver": "quorum",
    "node-name": "quorum0",
    "vote-threshold": 2,
    "read-pattern": "quorum",
    "children": [
        "child0",
        {
            "driver": "nbd",
            "node-name": "child1",
            "export": "child1",
            "reconnect-delay": 0,
            "server": {"type": "unix", "path": "/tmp/child1.sock"},
        },
        {
            "driver": "qcow2",
            "overlap-check": "all",
            "backing": None,
            "file": {"driver": "file", "filename": "child2.qcow2", "cache": {"direct": True}},
        },
        {
            "driver": "blkdebug",
            "image": {"driver": "null-co", "size": 1 << 20},
            "inject-error": [{"event": "read_aio", "errno": 5, "once": True}],
            "set-state": [{"event": "none", "new_state": 2}],
        },
    ],
}


def test_quorum_as_in_the_cover_letter(shipped: Schema) -> None:
    shipped.check_command("blockdev-add", QUORUM)


def changed(path: str, value: Any) -> dict[str, Any]:
    """QUORUM with the value at ``a.0.b`` replaced; None takes it out."""

    def change(node: Any, parts: list[str]) -> Any:
        key, *rest = parts
        if isinstance(node, list):
            return [change(n, rest) if i == int(key) else n for i, n in enumerate(node)]
        if rest:
            return {**node, key: change(node[key], rest)}
        others = {k: v for k, v in node.items() if k != key}
        return others if value is None else {**others, key: value}

    result = change(QUORUM, path.split("."))
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "vote-threshold",
            None,
            "vote-threshold: missing; BlockdevOptions(driver=quorum) requires it",
        ),
        ("vote-threshold", "2", "vote-threshold: '2' is a string, must be an integer"),
        ("vote-treshold", 2, "vote-treshold: BlockdevOptions(driver=quorum) has no such member"),
        (
            "read-pattern",
            "lifo",
            "read-pattern: 'lifo' is not a value of QuorumReadPattern "
            "(quorum, fifo); did you mean 'fifo'?",
        ),
        (
            "driver",
            "qorum",
            "driver: 'qorum' is not a value of BlockdevDriver (blkdebug, blkverify, "
            "copy-on-read, file, nbd, null-aio, null-co, qcow2, …); did you mean "
            "'quorum'?",
        ),
        ("children", "child0", "children: 'child0' is a string, must be an array"),
        (
            "children.1.server.type",
            "tcp",
            "children[1].server.type: 'tcp' is not a value of "
            "SocketAddressType (inet, unix, vsock, fd)",
        ),
        (
            "children.1.server.port",
            "1",
            "children[1].server.port: SocketAddress(type=unix) has no such member",
        ),
        (
            "children.1.reconnect-delay",
            -1,
            "children[1].reconnect-delay: -1 is out of range, must be 0 to 4294967295",
        ),
        ("children.2.file", 3, "children[2].file: 3 is an integer, must be an object or a string"),
        (
            "children.3.inject-error.0.event",
            "read",
            "children[3].inject-error[0].event: 'read' is not a value of BlkdebugEvent",
        ),
    ],
)
def test_rubbish_is_refused(shipped: Schema, path: str, value: Any, message: str) -> None:
    with pytest.raises(QapiValueError) as caught:
        shipped.check_command("blockdev-add", changed(path, value))
    assert str(caught.value).startswith(f"command blockdev-add: {message}")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("x-blockdev-change", {"parent": "quorum0", "child": "children.1"}),
        ("x-blockdev-change", {"parent": "quorum0", "node": "new"}),
        ("blockdev-del", {"node-name": "child1"}),
        ("blockdev-reopen", {"options": [QUORUM]}),
        (
            "blockdev-mirror",
            {
                "device": "quorum0",
                "target": "new",
                "replaces": "child1",
                "sync": "full",
                "job-id": "j",
            },
        ),
        ("block_resize", {"node-name": "quorum0", "size": 0}),
        (
            "block-export-add",
            {
                "type": "nbd",
                "id": "e",
                "node-name": "quorum0",
                "writable": True,
                "bitmaps": ["b", {"node": "n", "name": "c"}],
            },
        ),
        ("block-export-del", {"id": "e", "mode": "hard"}),
        ("nbd-server-start", {"addr": {"type": "unix", "data": {"path": "/tmp/s"}}}),
        ("nbd-server-start", {"addr": {"type": "fd", "data": {"str": "3"}}, "max-connections": 0}),
        ("nbd-server-stop", None),
        ("qmp_capabilities", {"enable": ["oob"]}),
        ("human-monitor-command", {"command-line": 'qemu-io quorum0 "read 0 512"'}),
        ("quit", None),
    ],
)
def test_commands(shipped: Schema, name: str, arguments: dict[str, Any] | None) -> None:
    shipped.check_command(name, arguments)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (
            "QUORUM_REPORT_BAD",
            {
                "type": "read",
                "error": "Input/output error",
                "node-name": "child1",
                "sector-num": 0,
                "sectors-count": 8,
            },
        ),
        (
            "QUORUM_REPORT_BAD",
            {"type": "flush", "node-name": "", "sector-num": 0, "sectors-count": 0},
        ),
        ("QUORUM_FAILURE", {"reference": "quorum0", "sector-num": 1, "sectors-count": 1}),
        ("BLOCK_EXPORT_DELETED", {"id": "e"}),
        ("BLOCK_JOB_READY", {"type": "mirror", "device": "j", "len": 1, "offset": 1, "speed": 0}),
        ("SHUTDOWN", {"guest": False, "reason": "host-qmp-quit"}),
    ],
)
def test_events(shipped: Schema, name: str, data: dict[str, Any]) -> None:
    message = {"event": name, "data": data, "timestamp": {"seconds": 1, "microseconds": 0}}
    shipped.check_event(message)
    with pytest.raises(QapiValueError, match=f"^event {name}: data.extra: {name} has no such"):
        shipped.check_event({**message, "data": {**data, "extra": 1}})


def reduced(schema: Schema, name: str, member: str) -> Schema:
    """The schema without one member or value of one definition."""
    definition = schema.definitions[name]
    match definition:
        case Enum(values=values):
            less: Any = replace(definition, values=_without(values, member))
        case Struct(members=members):
            less = replace(definition, members=_without(members, member))
        case Command(data=dict(data)) | Event(data=dict(data)):
            less = replace(definition, data=_without(data, member))
        case _:
            raise AssertionError(definition)
    return Schema({**schema.definitions, name: less})


def _without(table: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != name}


@pytest.mark.parametrize(
    ("name", "member"),
    [
        *(
            ("BlockdevOptionsQuorum", m)
            for m in (
                "children",
                "vote-threshold",
                "blkverify",
                "rewrite-corrupted",
                "read-pattern",
            )
        ),
        ("QuorumReadPattern", "quorum"),
        ("QuorumReadPattern", "fifo"),
        *(
            ("QUORUM_REPORT_BAD", m)
            for m in ("type", "error", "node-name", "sector-num", "sectors-count")
        ),
        *(("QUORUM_FAILURE", m) for m in ("reference", "sector-num", "sectors-count")),
        ("QuorumOpType", "read"),
        ("QuorumOpType", "write"),
        ("QuorumOpType", "flush"),
        ("x-blockdev-change", "parent"),
        ("x-blockdev-change", "child"),
        ("x-blockdev-change", "node"),
    ],
)
def test_no_explanation_covers_quorum(
    shipped: Schema, explanations: list[Explanation], name: str, member: str
) -> None:
    less = reduced(shipped, name, member)
    for schema, binary, side in ((less, shipped, "schema"), (shipped, less, "binary")):
        found = split(compare(schema, introspection(binary)), explanations)
        assert [d.side for d in found.unexplained] == [side]
        assert found.unexplained[0].path.endswith(member)
        assert found.explained == []


def test_the_quorum_branch_is_not_covered(shipped: Schema, explanations: list[Explanation]) -> None:
    options = shipped.definitions["BlockdevOptions"]
    assert isinstance(options, Union)
    less = replace(options, branches=_without(options.branches, "quorum"))
    schema = Schema({**shipped.definitions, "BlockdevOptions": less})
    found = split(compare(schema, introspection(shipped)), explanations)
    assert [str(d) for d in found.unexplained][:1] == [
        "command blockdev-add: BlockdevOptions(driver=quorum): the schema lacks this union branch"
    ]


def test_everything_is_documented(shipped: Schema) -> None:
    for name, definition in shipped.definitions.items():
        assert definition.doc, name
        assert "Since" in definition.doc.sections, name


def test_schema_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_schema_path().name == "block-core.json"
    installed, checkout = tmp_path / "_data" / "schema", tmp_path / "schema"
    monkeypatch.setattr(data, "_PACKAGE", tmp_path)
    monkeypatch.setattr(data, "_CHECKOUT", tmp_path)
    with pytest.raises(FileNotFoundError, match="reinstall qsim"):
        default_schema_path()
    for place in (checkout, installed):  # What is found first is made last.
        place.mkdir(parents=True)
        (place / "block-core.json").touch()
        assert default_schema_path() == place / "block-core.json"
