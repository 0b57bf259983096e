# SPDX-License-Identifier: GPL-2.0-or-later
"""From a file to cases, and what is said of a file that is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from qsim.block.child import FEATURES, Fault, Request
from qsim.block.sparse import Sparse
from qsim.quorum.revisions import REVISIONS as KNOWN
from qsim.scenario import Case, ScenarioError, load_file, load_paths
from qsim.scenario.case import CANCELLED, SILENT, Answer, Leak
from qsim.scenario.load import load_text

Load = Callable[[str], list[Case]]
FamilyText = Callable[[str], str]

REVISIONS = ["7.2", "10.0"]
READ = "  - read: [0, 512]\n    expect: {ret: 0, data: A, requests: all}\n"


def error_of(text: str) -> ScenarioError:
    """What a whole file is answered with."""
    with pytest.raises(ScenarioError) as caught:
        load_text("f.yaml", text, REVISIONS)
    return caught.value


# What a case is made of.


def test_case_with_nothing_said_has_three_children_of_64k(load: Load) -> None:
    (case,) = load("- name: a\n")
    assert list(case.children) == ["c0", "c1", "c2"]
    for child in case.children.values():
        assert child.content.data == Sparse(64 * 1024, ord("A"))
        assert (child.block_size, child.features) == (1, frozenset(FEATURES))
    assert case.options == {"driver": "quorum", "node-name": "q", "children": ["c0", "c1", "c2"]}
    assert (case.guest, case.drive, case.above) == ("none", None, None)
    assert (case.since, case.until) == (None, None)


def test_case_knows_where_it_stands_and_what_it_is_about(load: Load) -> None:
    first, second = load("- name: a b, c\n- name: d\n  source: elsewhere\n")
    assert (first.id, first.file, first.line) == ("example/a-b,-c", "example.yaml", 5)
    assert first.source == "block/quorum.c example_function() (7.2)"
    assert (second.line, second.source) == (6, "elsewhere")


@pytest.mark.parametrize(
    ("children", "names"),
    [("2", ["c0", "c1"]), ("[A, B]", ["c0", "c1"]), ("{x: A, y: B}", ["x", "y"])],
)
def test_children_as_number_list_or_by_name(load: Load, children: str, names: list[str]) -> None:
    (case,) = load(f"- name: a\n  children: {children}\n")
    assert list(case.children) == names
    assert case.options is not None and case.options["children"] == names


def test_child_in_all_its_parts(load: Load) -> None:
    (case,) = load("""
        - name: a
          children:
          - contents: B
            size: 4k
            block-size: 512
            without: [flush, fua]
            node: {read-only: true}
            faults: [read EIO, write ENOSPC x2]
        """)
    child = case.children["c0"]
    assert child.content.data == Sparse(4096, ord("B"))
    assert child.block_size == 512
    assert child.features == frozenset(FEATURES) - {"flush", "fua"}
    assert child.node == {"read-only": True}
    assert child.faults == (Fault("read", 5), Fault("write", 28, count=2))


def test_child_is_made_afresh_for_every_run(load: Load) -> None:
    (case,) = load("- name: a\n  children: [{contents: 'hole:512 A', faults: read EIO x1}]\n")
    first, second = (case.children["c0"].make() for _ in range(2))
    first.complete(Request("c0", "read", 0, 512))
    first.complete(Request("c0", "write", 0, 1, data=b"x"))
    assert second.faults == [Fault("read", 5, count=1)]
    assert second.contents.read(0, 1) == b"\0"
    assert second.status(0, 1024).hole


def test_child_of_a_read_only_node_serves_read_only(load: Load) -> None:
    (case,) = load("- name: a\n  children: [{node: {read-only: true}}, A]\n")
    assert [spec.make().read_only for spec in case.children.values()] == [True, False]


def test_defaults_hold_where_a_case_says_nothing_and_a_case_replaces_them_whole() -> None:
    first, second = load_text(
        "f.yaml",
        "family: f\nabout: x\nsource: s\n"
        "defaults: {size: 4k, block-size: 512, children: 2, quorum: {vote-threshold: 2}}\n"
        "cases:\n- name: a\n- name: b\n  children: [A]\n  quorum: {read-pattern: fifo}\n",
        REVISIONS,
    )
    assert [len(case.children) for case in (first, second)] == [2, 1]
    assert {c.block_size for c in first.children.values()} == {512}
    assert {len(c.content.data) for c in first.children.values()} == {4096}
    assert first.options is not None and first.options["vote-threshold"] == 2
    assert second.options is not None
    assert second.options["read-pattern"] == "fifo" and "vote-threshold" not in second.options


def test_spares_are_children_but_not_members(load: Load) -> None:
    (case,) = load(
        "- name: a\n  children: 3\n  spares: [c1]\n  steps:\n"
        "  - read: [0, 512]\n    expect: {ret: 0, data: A, requests: all}\n"
    )
    assert case.options is not None and case.options["children"] == ["c0", "c2"]
    expect = case.steps[0].expect
    assert expect is not None and expect.requests is not None
    assert [request.child for request in expect.requests[0]] == ["c0", "c2"]


def test_options_replace_what_is_given_anyway_and_null_takes_it_away(load: Load) -> None:
    (case,) = load("- name: a\n  quorum: {children: [c1, c1], node-name: null}\n")
    assert case.options == {"driver": "quorum", "children": ["c1", "c1"]}


def test_guest_is_writable_when_a_step_needs_it_unless_said_otherwise(load: Load) -> None:
    cases = load(f"- name: a\n  steps:\n{READ}- name: b\n  guest: read-only\n  steps:\n{READ}")
    assert [case.guest for case in cases] == ["writable", "read-only"]


def test_all_means_the_step_itself_asked_of_every_member(load: Load) -> None:
    (case,) = load("""
        - name: a
          children: 2
          steps:
          - write: [1k, 512, W]
            flags: [fua]
            expect: {ret: 0, requests: all}
          - flush: true
            expect: {ret: 0, requests: all}
        """)
    rounds = [step.expect.requests for step in case.steps if step.expect]
    assert rounds == [
        (
            (
                Request("c0", "write", 1024, 512, ("fua",)),
                Request("c1", "write", 1024, 512, ("fua",)),
            ),
        ),
        ((Request("c0", "flush"), Request("c1", "flush")),),
    ]


def test_steps_in_words_and_their_lines(load: Load) -> None:
    (case,) = load("""
        - name: a
          steps:
          - read: [1k, 512]
            expect: {ret: EIO, requests: []}
          - write: [0, 512, W]
            flags: [fua]
            expect: {ret: 0, requests: []}
          - flush: true
            expect: {ret: 0, requests: []}
          - qmp: {execute: query-named-block-nodes, arguments: {}}
            expect: {}
          - set: {c0: B}
        """)
    assert [(str(step), step.line) for step in case.steps] == [
        ("read 1024 512", 7),
        ("write 0 512 fua", 9),
        ("flush", 12),
        ("qmp query-named-block-nodes", 14),
        ("set", 16),
    ]
    assert [step.expect.line for step in case.steps if step.expect] == [8, 11, 13, 15]


def test_errors_are_of_the_generic_class_unless_said(load: Load) -> None:
    (case,) = load("""
        - name: a
          open: {error: denied}
          steps:
          - qmp: {execute: blockdev-del}
            expect: {error: {class: DeviceNotFound, desc: gone}}
        """)
    assert case.opening.expect is not None and case.steps[0].expect is not None
    assert case.opening.expect.error == ("GenericError", "denied")
    assert case.steps[0].expect.error == ("DeviceNotFound", "gone")


def test_children_hold_at_the_end_what_is_said_else_what_they_were_set_to(load: Load) -> None:
    (case,) = load(
        "- name: a\n  children: [A, B, C]\n  contents: {c0: W}\n  steps:\n  - set: {c0: X, c1: Y}\n"
    )
    held = {name: data.read(0, 1) for name, data in case.contents.items()}
    assert held == {"c0": b"W", "c1": b"Y", "c2": b"C"}


def test_data_of_a_read_that_fails_is_refused(load: Load) -> None:
    with pytest.raises(ScenarioError, match=r"expect\.data: only a read that returns 0 has data"):
        load("""
            - name: a
              steps:
              - read: [0, 512]
                expect: {ret: EIO, data: A, requests: []}
            """)


def test_images_are_the_children_of_a_drive_and_their_requests_are_not_seen(load: Load) -> None:
    (case,) = load("""
        - name: a
          drive: driver=quorum
          images: {0.qcow2: A, 1.qcow2: {contents: B, faults: read EIO}}
          steps:
          - read: [0, 512]
            expect: {ret: 0, data: A}
        """)
    assert list(case.images) == list(case.children) == ["0.qcow2", "1.qcow2"]
    assert (case.options, case.drive) == (None, "driver=quorum")
    assert case.steps[0].expect is not None and case.steps[0].expect.requests is None


TOGETHER = """\
- name: a
  children: 2
  steps:
  - together:
    - {read: [0, 4]}
    - {write: [512, 4, W], flags: [fua]}
    expect:
      answers: [{ret: 0, data: A}, {ret: EIO}]
      finish: [1, 0]
      requests: ["all read 0 4, all write 512 4 fua"]
"""


def test_requests_in_flight_together_are_parts_of_one_step(load: Load) -> None:
    (case,) = load(TOGETHER)
    (step,) = case.steps
    assert str(step) == "read 0 4 | write 512 4 fua"
    assert [(part.verb, part.offset, part.data, part.flags) for part in step.parts] == [
        ("read", 0, None, ()),
        ("write", 512, b"WWWW", ("fua",)),
    ]
    assert step.expect is not None
    assert step.expect.answers == (Answer("0", b"AAAA"), Answer("EIO"))
    assert step.expect.finish == (1, 0)
    assert case.guest == "writable"


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "message"),
    [
        ("finish: [1, 0]", "finish: [1]", 13, ".expect.finish", "name each of 0 to 1 once"),
        ("finish: [1, 0]", "finish: [1, 1]", 13, ".expect.finish", "name each of 0 to 1 once"),
        (
            "answers: [{ret: 0, data: A}, {ret: EIO}]",
            "answers: [{ret: 0, data: A}]",
            12,
            ".expect.answers",
            "2 requests need as many answers",
        ),
        (
            "{ret: EIO}",
            "{ret: EFOO}",
            12,
            ".expect.answers[1].ret",
            "'EFOO' is neither 0, cancelled nor",
        ),
        ("{ret: 0, data: A}", "{ret: 0}", 12, ".expect.answers[0]", "data is missing"),
        ("{ret: EIO}", "{ret: 0, data: A}", 12, ".expect.answers[1].data", "only a read that"),
        ("      finish: [1, 0]\n", "", 11, ".expect", "finish is missing"),
        (
            "{read: [0, 4]}",
            "{qmp: {execute: blockdev-del}}",
            9,
            ".together[0]",
            "have only a verb and flags",
        ),
        (
            "{read: [0, 4]}",
            "{read: [0, 4], complete: [c0]}",
            9,
            ".together[0]",
            "have only a verb and flags",
        ),
        ("    - {read: [0, 4]}\n", "", 8, ".together", "is too short"),
    ],
)
def test_mistake_in_requests_together_is_named(
    family_text: FamilyText, old: str, new: str, line: int, key: str, message: str
) -> None:
    assert old in TOGETHER
    error = error_of(family_text(TOGETHER.replace(old, new)))
    assert str(error).startswith(f"f.yaml:{line}: cases[0].steps[0]{key}: ")
    assert message in error.message


MEANWHILE = """\
- name: a
  quorum: {vote-threshold: 1}
  steps:
  - read: [0, 4]
    meanwhile: {execute: x-blockdev-change, arguments: {parent: q, child: children.0}}
    expect: {ret: 0, data: A, requests: all, meanwhile: waits}
"""


def test_a_command_is_given_meanwhile(load: Load) -> None:
    (case,) = load(MEANWHILE)
    command = case.steps[0].meanwhile
    assert command is not None
    assert (command.command, command.arguments["child"]) == ("x-blockdev-change", "children.0")
    assert str(case.steps[0]) == "read 0 4 and qmp x-blockdev-change"


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "message"),
    [
        (", meanwhile: waits", "", 10, ".expect", "go together"),
        ("read: [0, 4]", "set: {c0: B}", 9, ".meanwhile", "only guest requests have a meanwhile"),
        ("x-blockdev-change", "blockdev-add", 9, ".meanwhile.execute", "is not one of"),
    ],
)
def test_mistake_in_a_command_given_meanwhile_is_named(
    family_text: FamilyText, old: str, new: str, line: int, key: str, message: str
) -> None:
    assert old in MEANWHILE
    error = error_of(family_text(MEANWHILE.replace(old, new)))
    assert str(error).startswith(f"f.yaml:{line}: cases[0].steps[0]{key}: ")
    assert message in error.message


# What a case says of revisions: ranges, leaks, undefined behaviour.

HEAD_2014 = """\
family: f
about: x
source: s
since: v2
until: mid-2015
without: [v3-1]
fixed: by nobody
leaks: [{what: opts of quorum_open(), until: v4-merged}]
cases:
"""
ALL_REVISIONS = [one.name for one in KNOWN]


def load_2014(cases: str) -> list[Case]:
    """Cases of a family that says all it can of revisions."""
    return load_text("f.yaml", HEAD_2014 + cases, ALL_REVISIONS)


def test_case_says_of_revisions_what_its_family_says() -> None:
    (case,) = load_2014("- name: a\n")
    assert (case.since, case.until, case.without) == ("v2", "mid-2015", ("v3-1",))
    assert case.leaks == (Leak("opts of quorum_open()", None, "v4-merged"),)
    assert case.fixed == "by nobody"


def test_case_of_its_own_mind_replaces_what_its_family_says() -> None:
    (case,) = load_2014(
        "- name: a\n  since: v1\n  until: v4\n  without: [v2, v3]\n  fixed: soon\n"
        "  leaks: [{what: a of b(), since: v3}, {what: c of d()}]\n"
    )
    assert (case.since, case.until, case.without, case.fixed) == ("v1", "v4", ("v2", "v3"), "soon")
    assert case.leaks == (Leak("a of b()", "v3", None), Leak("c of d()"))
    (case,) = load_2014("- name: a\n  leaks: []\n  without: []\n")
    assert (case.leaks, case.without) == ((), ())


def test_case_says_nothing_of_revisions_unless_it_does(load: Load) -> None:
    (case,) = load("- name: a\n")
    assert (case.without, case.leaks, case.fixed) == ((), (), "")


@pytest.mark.parametrize(
    ("line", "place", "message"),
    [
        ("without: [v4, v5]", "10: cases[0].without[1]", "there is no revision 'v5'"),
        ("leaks: [{what: a, since: v5}]", "10: cases[0].leaks[0].since", "there is no revision"),
        ("leaks: [{what: a, until: v5}]", "10: cases[0].leaks[0].until", "there is no revision"),
        ("leaks: [{since: v4}]", "10: cases[0].leaks[0]", "'what' is a required property"),
        ("leaks: [{what: a, who: b}]", "10: cases[0].leaks[0]", "unknown key 'who'"),
        ("leaks: opts", "10: cases[0].leaks", "is not of type 'array'"),
        ("without: v3-1", "10: cases[0].without", "is not of type 'array'"),
        ("fixed: [a]", "10: cases[0].fixed", "is not of type 'string'"),
    ],
)
def test_mistake_in_what_is_said_of_revisions_is_named(line: str, place: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_2014(f"- {line}\n  name: a\n")
    assert str(caught.value).startswith(f"f.yaml:{place}: ")
    assert message in caught.value.message


@pytest.mark.parametrize("key", ["without: [v5]", "leaks: [{what: a, until: v5}]"])
def test_unknown_revision_at_the_head_of_the_family_is_named_there(key: str) -> None:
    text = f"family: f\nabout: x\nsource: s\n{key}\ncases:\n- name: a\n"
    with pytest.raises(ScenarioError) as caught:
        load_text("f.yaml", text, ALL_REVISIONS)
    assert str(caught.value).startswith(f"f.yaml:4: {key.split(':')[0]}")


def undefined_step(expect: str, step: str = "read: [0, 512]") -> str:
    """A case whose only step expects this."""
    return f"- name: a\n  children: 2\n  steps:\n  - {step}\n    expect: {expect}\n"


def test_undefined_behaviour_needs_no_result(load: Load) -> None:
    (case,) = load(undefined_step("{requests: all, undefined: 'double free in f(): x'}"))
    expect = case.steps[0].expect
    assert expect is not None
    assert (expect.undefined, expect.ret, expect.data) == ("double free in f(): x", None, None)
    assert expect.requests is not None and len(expect.requests) == 1


def test_undefined_behaviour_can_come_after_the_answer(load: Load) -> None:
    (case,) = load(undefined_step("{ret: EIO, requests: all, undefined: x}"))
    assert case.steps[0].expect is not None
    assert (case.steps[0].expect.ret, case.steps[0].expect.undefined) == ("EIO", "x")


def test_requests_together_that_end_in_undefined_behaviour_need_no_answers(load: Load) -> None:
    step = "together: [{read: [0, 512]}, {flush: true}]"
    (case,) = load(undefined_step("{requests: [c0 read 0 512], undefined: x}", step))
    assert case.steps[0].expect is not None
    assert (case.steps[0].expect.answers, case.steps[0].expect.finish) == ((), ())


def test_result_of_a_request_that_was_given_up_is_cancelled(load: Load) -> None:
    (case,) = load(undefined_step("{ret: cancelled, requests: all}"))
    assert case.steps[0].expect is not None
    assert case.steps[0].expect.ret == CANCELLED == "cancelled"


def test_request_that_was_given_up_has_no_data(family_text: FamilyText) -> None:
    error = error_of(family_text(undefined_step("{ret: cancelled, data: A, requests: all}")))
    assert error.message == "only a read that returns 0 has data"


@pytest.mark.parametrize("words", ["[cancel]", "[c0, cancel.1, c1, cancel]"])
def test_schedule_can_cancel(load: Load, words: str) -> None:
    (case,) = load(undefined_step("{ret: 0, data: A, requests: all}\n    complete: " + words))
    assert f"[{', '.join(case.steps[0].complete)}]" == words


def test_child_called_as_the_word_that_cancels_is_refused(family_text: FamilyText) -> None:
    error = error_of(family_text("- name: a\n  children: {cancel: A, b: B}\n"))
    assert error.message == "'cancel' has a meaning of its own; choose another"


# Where a mistake is and what it is called.

#: What is wrong in the first case: its text, the line, the key, and words of the message.
MISTAKES = [
    ("- name: a\n  sise: 512\n", 5, "cases[0]", "unknown key 'sise'; known here: above,"),
    ("- name: a\n  children:\n  - sise: 512\n", 7, "cases[0].children[0]", "unknown key 'sise'"),
    ("- name: a\n  above: {align: 512, x: 1}\n", 6, "cases[0].above", "unknown key 'x'"),
    ("- name: a\n  steps:\n  - red: [0, 1]\n", 7, "cases[0].steps[0]", "unknown key 'red'"),
    (
        "- name: a\n  steps:\n  - flush: true\n    expect: {rte: 0}\n",
        8,
        "cases[0].steps[0].expect",
        "unknown key 'rte'; known here: ",
    ),
    ("- name: 5\n", 5, "cases[0].name", "5 is not of type 'string'"),
    ("- name: a/b\n", 5, "cases[0].name", "does not match: letters, digits, spaces and , . + -"),
    ("- about: a\n", 5, "cases[0]", "unknown key 'about'"),
    ("- size: 512\n", 5, "cases[0]", "'name' is a required property"),
    ("- name: a\n  quorum: fifo\n", 6, "cases[0].quorum", "'fifo' is not of type 'object'"),
    ("- name: a\n  children: 0\n", 6, "cases[0].children", "0 is less than the minimum of 1"),
    ("- name: a\n  children: [null]\n", 6, "cases[0].children[0]", "None is not"),
    (
        "- name: a\n  block-size: 513\n",
        6,
        "cases[0].block-size",
        "513 is not one of [1, 512, 4096]",
    ),
    ("- name: a\n  guest: absent\n", 6, "cases[0].guest", "'absent' is not one of"),
    ("- name: a\n  steps:\n  - read: [0]\n", 7, "cases[0].steps[0].read", "is too short"),
    (
        "- name: a\n  steps:\n  - read: [0, x]\n",
        7,
        "cases[0].steps[0].read[1]",
        "'x' does not match: a number of bytes, e.g. 512, 64k or 1M",
    ),
    ("- name: a\n  steps:\n  - flush: 1\n", 7, "cases[0].steps[0].flush", "True was expected"),
    (
        "- name: a\n  steps:\n  - flush: true\n    flags: [fast]\n",
        8,
        "cases[0].steps[0].flags[0]",
        "'fast' is not one of",
    ),
    ("- name: a\n  size: 0\n", 5, "cases[0].children.c0", "the size 0 must be a multiple of 512"),
    ("- name: a\n  size: 1000\n", 5, "cases[0].children.c0", "must be a multiple of 512"),
    ("- name: a\n  size: 2097152T\n", 5, "cases[0].children.c0", f"is beyond {1 << 60}"),
    ("- name: a\n  children:\n  - AB\n", 6, "cases[0].children.c0", "'AB' is no content"),
    ("- name: a\n  children:\n    x: 'A:4'\n", 7, "cases[0].children.x", "'A:4' is 4 bytes long"),
    ("- name: a\n  children: {x: {faults: eio}}\n", 6, "cases[0].children.x", "'eio' is no fault"),
    (
        "- name: a\n  spares: [c0, c9]\n",
        6,
        "cases[0].spares[1]",
        "'c9' is no child; there are: c0,",
    ),
    ("- name: a\n  contents: {c9: A}\n", 6, "cases[0].contents.c9", "'c9' is no child"),
    ("- name: a\n  contents: {c0: 'A:1'}\n", 6, "cases[0].contents.c0", "'A:1' is 1 bytes long"),
    ("- name: a\n  steps:\n  - set: {c9: A}\n", 7, "cases[0].steps[0].set.c9", "'c9' is no child"),
    (
        "- name: a\n  steps:\n  - set: {c0: AB}\n",
        7,
        "cases[0].steps[0].set.c0",
        "'AB' is no content",
    ),
    ("- name: a\n  steps:\n  - {}\n", 7, "cases[0].steps[0]", "a step does one of read, write,"),
    (
        "- name: a\n  steps:\n  - flush: true\n    read: [0, 1]\n",
        7,
        "cases[0].steps[0]",
        "found read and flush",
    ),
    ("- name: a\n  steps:\n  - flush: true\n", 7, "cases[0].steps[0]", "expect is missing"),
    (
        "- name: a\n  steps:\n  - qmp: {execute: blockdev-del}\n",
        7,
        "cases[0].steps[0]",
        "expect is missing: say what must be seen",
    ),
    (
        "- name: a\n  steps:\n  - write: [0, 4, AB]\n    expect: {ret: 0, requests: all}\n",
        7,
        "cases[0].steps[0].write",
        "'AB' is no content",
    ),
    (
        "- name: a\n  steps:\n  - flush: true\n    faults: {c9: EIO}\n    expect: {ret: 0}\n",
        8,
        "cases[0].steps[0].faults.c9",
        "'c9' is no child",
    ),
    (
        "- name: a\n  steps:\n  - flush: true\n    faults: {c0: EFOO}\n    expect: {ret: 0}\n",
        8,
        "cases[0].steps[0].faults.c0",
        "'EFOO' is no errno",
    ),
    (
        "- name: a\n  steps:\n  - flush: true\n    complete: [c9]\n    expect: {ret: 0}\n",
        8,
        "cases[0].steps[0].complete[0]",
        "'c9' is no child",
    ),
    ("- name: a\n  drive: x\n", 5, "cases[0]", "images and drive belong together"),
    ("- name: a\n  images: {a: A}\n", 5, "cases[0]", "images and drive belong together"),
    (
        "- name: a\n  images: {a: A}\n  drive: x\n  quorum: {}\n",
        7,
        "cases[0].drive",
        "give either drive or quorum, not both",
    ),
    (
        "- name: a\n  drive: x\n  images:\n    a: {faults: write EIO}\n",
        8,
        "cases[0].images.a",
        "an image file can only fail with: read EIO",
    ),
    ("- name: a\n  since: '5.2'\n", 6, "cases[0].since", "no revision '5.2'; there are: 7.2, 10.0"),
    ("- name: a\n  until: later\n", 6, "cases[0].until", "there is no revision 'later'"),
]


@pytest.mark.parametrize(
    ("cases", "line", "key", "message"), MISTAKES, ids=[f"{m[2]}-{m[3][:20]}" for m in MISTAKES]
)
def test_mistake_is_named_by_file_line_and_key(
    family_text: FamilyText, cases: str, line: int, key: str, message: str
) -> None:
    error = error_of(family_text(cases))
    assert str(error).startswith(f"f.yaml:{line}: {key}: ")
    assert message in error.message


#: What a step of each kind must say: the step, its expectation, and what is missing.
INCOMPLETE = [
    ("read: [0, 512]", "{}", "", "ret is missing: 0 or an errno"),
    ("read: [0, 512]", "{ret: EFOO}", ".ret", "'EFOO' is neither 0, cancelled nor an errno"),
    ("read: [0, 512]", "{ret: 1}", ".ret", "'1' is neither 0, cancelled nor an errno"),
    ("read: [0, 512]", "{ret: 0, requests: []}", "", "data is missing: what the guest must get"),
    ("read: [0, 512]", "{ret: 0, data: A}", "", "requests is missing: what the children must be"),
    ("read: [0, 512]", "{ret: 0, data: 'A:1', requests: []}", "", "'A:1' is 1 bytes long, 512"),
    ("read: [0, 512]", "{ret: EIO}", "", "requests is missing"),
    ("write: [0, 512, A]", "{ret: 0}", "", "requests is missing"),
    ("flush: true", "{ret: 0}", "", "requests is missing"),
    ("block-status: [0, 512]", "{ret: 0, requests: []}", "", "extent is missing"),
    ("block-status: [0, 512]", "{ret: 0, extent: x, requests: []}", "", "'x' is no extent"),
    ("flush: true", "{ret: 0, requests: [c9 flush]}", "", "'c9' is no child"),
    ("flush: true", "{ret: 0, requests: [c0 erase]}", "", "'erase' is no operation"),
    ("flush: true", "{ret: 0, requests: all, events: [X]}", "", "'X' is no event"),
]


@pytest.mark.parametrize(("step", "expect", "key", "message"), INCOMPLETE)
def test_expectation_that_says_too_little_is_refused(
    family_text: FamilyText, step: str, expect: str, key: str, message: str
) -> None:
    error = error_of(family_text(f"- name: a\n  steps:\n  - {step}\n    expect: {expect}\n"))
    assert str(error).startswith(f"f.yaml:8: cases[0].steps[0].expect{key}: {message}")


def test_second_mistake_of_a_file_waits_for_the_first(family_text: FamilyText) -> None:
    error = error_of(family_text("- name: a\n  since: '1'\n- name: b\n  since: '2'\n"))
    assert (error.line, error.key) == (6, "cases[0].since")


@pytest.mark.parametrize("missing", ["family", "about", "source", "cases"])
def test_every_head_is_needed(missing: str) -> None:
    head = {"family": "f", "about": "x", "source": "s", "cases": "[{name: a}]"}
    text = "".join(f"{key}: {value}\n" for key, value in head.items() if key != missing)
    assert str(error_of(text)) == f"f.yaml:1: '{missing}' is a required property"


def test_head_with_an_unknown_key_names_it_and_those_there_are() -> None:
    error = error_of("family: f\nabout: x\nsource: s\nauthor: me\ncases: [{name: a}]\n")
    assert error.message.startswith("unknown key 'author'; known here: about, cases, defaults,")


@pytest.mark.parametrize(
    ("text", "message"),
    [("- a\n", "['a'] is not of type 'object'"), ("text\n", "'text' is not of type 'object'")],
)
def test_file_that_is_no_family_is_refused(text: str, message: str) -> None:
    assert str(error_of(text)) == f"f.yaml:1: {message}"


def test_family_without_cases_is_refused(family_text: FamilyText) -> None:
    assert str(error_of(family_text("").replace("cases:", "cases: []"))).startswith(
        "f.yaml:4: cases: [] "
    )


def test_two_cases_of_one_name_are_refused_at_the_second(family_text: FamilyText) -> None:
    error = error_of(family_text("- name: a\n- name: b\n- name: a\n"))
    assert str(error) == "f.yaml:7: cases[2].name: 'a' is the name of two cases"


def test_key_given_twice_is_refused(family_text: FamilyText) -> None:
    error = error_of(family_text("- name: a\n  size: 512\n  size: 1k\n"))
    assert str(error) == "f.yaml:7: cases[0].size: given twice"


def test_broken_yaml_is_refused_with_its_line(family_text: FamilyText) -> None:
    assert str(error_of(family_text("- name: [a\n"))).startswith("f.yaml:6: not YAML: ")


# Scenarios that are well formed and still cannot be played: to be refused when they are loaded.

UNPLAYABLE = {
    "guest none and a request": f"- name: a\n  guest: none\n  steps:\n{READ}",
    "command the model lacks": (
        "- name: a\n  steps:\n  - qmp: {execute: query-version}\n    expect: {}\n"
    ),
    "option no node has": "- name: a\n  children: [{node: {reed-only: true}}]\n",
    "fast-zero without write-zeroes": "- name: a\n  children: [{without: [write-zeroes]}]\n",
    "size no multiple of the block size": "- name: a\n  size: 512\n  block-size: 4096\n",
    "a read longer than NBD takes": (
        "- name: a\n  size: 1G\n  steps:\n  - read: [0, 33M]\n"
        "    expect: {ret: EINVAL, requests: []}\n"
    ),
    "zeroes longer than NBD takes": (
        "- name: a\n  size: 1T\n  steps:\n  - write-zeroes: [0, 4G]\n"
        "    expect: {ret: 0, requests: []}\n"
    ),
    "a child called as the quorum node": "- name: a\n  children: {q: A}\n",
    "a child called as the node above": (
        "- name: a\n  above: {align: 512}\n  children: {top: A}\n"
    ),
    "a hole within a block": '- name: a\n  block-size: 512\n  children: ["A:100 hole"]\n',
    "a child called all": "- name: a\n  children: {all: A, b: B}\n",
}


@pytest.mark.parametrize("cases", UNPLAYABLE.values(), ids=UNPLAYABLE.keys())
def test_scenario_that_cannot_be_played_is_refused(family_text: FamilyText, cases: str) -> None:
    with pytest.raises(ScenarioError):
        load_text("f.yaml", family_text(cases), REVISIONS)


def test_mistake_in_the_defaults_is_named_there() -> None:
    error = error_of(
        "family: f\nabout: x\nsource: s\ndefaults:\n  children: [A, AB]\ncases:\n- name: a\n"
    )
    assert str(error).startswith("f.yaml:5: defaults.children")


def test_unknown_revision_of_the_family_is_named_there() -> None:
    error = error_of("family: f\nabout: x\nsource: s\nsince: '1'\ncases:\n- name: a\n")
    assert str(error).startswith("f.yaml:4: since: there is no revision '1'")


# Files and folders.


def test_file_that_is_not_there_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "nosuch.yaml"
    with pytest.raises(ScenarioError, match=re.escape(f"{path}: cannot be read: ")):
        load_file(path, REVISIONS)


def test_file_that_is_no_text_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match=re.escape(f"{path}: cannot be read: ")):
        load_file(path, REVISIONS)


def test_folder_gives_the_yaml_files_below_it_in_order(
    tmp_path: Path, family_text: FamilyText
) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.yaml", "a.yaml", "sub/c.yaml", "d.txt"):
        family = Path(name).stem
        text = family_text("- name: x\n").replace("family: example", f"family: {family}")
        (tmp_path / name).write_text(text, "utf-8")
    cases = load_paths([tmp_path], REVISIONS)
    assert [case.id for case in cases] == ["a/x", "b/x", "c/x"]


def test_two_files_of_one_family_are_refused(tmp_path: Path, family_text: FamilyText) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(family_text("- name: x\n"), "utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_paths([tmp_path], REVISIONS)
    assert str(caught.value) == (
        f"{tmp_path / 'b.yaml'}:1: family: 'example' is already the family of {tmp_path / 'a.yaml'}"
    )


# The fixtures that ship.


def test_every_shipped_case_has_an_id_of_its_own(shipped_cases: list[Case]) -> None:
    assert len(shipped_cases) > 400
    assert len({case.id for case in shipped_cases}) == len(shipped_cases)


def test_every_shipped_case_names_the_c_it_is_about(shipped_cases: list[Case]) -> None:
    without = {case.file for case in shipped_cases if not re.search(r"\w\.c\b", case.source)}
    assert not without


def test_every_shipped_case_expects_something_of_every_step(shipped_cases: list[Case]) -> None:
    silent = [
        case.id
        for case in shipped_cases
        for step in case.steps
        if step.verb not in SILENT and not step.expected
    ]
    assert not silent
