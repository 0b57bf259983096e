# SPDX-License-Identifier: GPL-2.0-or-later
"""A sequence diagram for the terminal: lanes at the left, what is said at the right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from textwrap import TextWrapper
from typing import Any

import click

from qsim.trace.diagram import MONITOR, QUORUM, Diagram, Row

#: Columns, as mail and terminals have them.
WIDTH = 80
#: Columns from one lane to the next: at most, and when there are many at least.
WIDEST, NARROWEST = 7, 5
#: The longest name of a lane for which all become wider.
LONGEST = 10
#: Columns that the words need at least.
WORDS = 28

COLOURS: dict[str, dict[str, Any]] = {
    "request": {},
    "ok": {"fg": "green"},
    "error": {"fg": "red"},
    "event": {"fg": "yellow"},
    "vote": {"fg": "cyan", "bold": True},
    "retry": {"fg": "cyan", "bold": True},
    "rewrite": {"fg": "magenta", "bold": True},
    "free": {"dim": True},
    "branch": {"dim": True},
    "fatal": {"fg": "red", "bold": True},
}


@dataclass(frozen=True)
class Strokes:
    """What lines are drawn with."""

    lane: str
    line: str
    right: str
    left: str
    from_left: str
    from_right: str
    note: str


DRAWN = Strokes("│", "─", "▶", "◀", "├", "┤", "●")
TYPED = Strokes("|", "-", ">", "<", "|", "|", "*")


@dataclass(frozen=True)
class Look:
    """How a diagram is to look.

    :param width: columns.
    :param colour: whether the terminal shows colours.
    :param why: whether reasons are told, and the C functions that have them.
    """

    width: int = WIDTH
    strokes: Strokes = TYPED
    colour: bool = False
    why: bool = False


class _Lanes:
    """Where each lane is; those for which there is no room share the last one."""

    def __init__(self, names: Sequence[str], width: int) -> None:
        room = width - WORDS
        most = max(4, room // NARROWEST)
        self.names = list(names)
        self.shared = self.names[most - 1 :] if len(self.names) > most else []
        if self.shared:
            self.names = [*self.names[: most - 1], f"{self.shared[0]}…"]
        widest = max(WIDEST, *(len(name) + 1 for name in self.names if len(name) <= LONGEST))
        self.pitch = max(NARROWEST, min(widest, room // len(self.names)))
        self.width = self.pitch * len(self.names)
        self._place = {name: i for i, name in enumerate(self.names)}
        self._place |= dict.fromkeys(self.shared, len(self.names) - 1)

    def column(self, name: str) -> int:
        """The column of a lane's line; an unknown one is the driver's own."""
        return self._place.get(name, self._place[QUORUM]) * self.pitch + self.pitch // 2

    def header(self) -> str:
        """The lanes' names over their lines."""
        line = [" "] * (self.width + self.pitch)
        for name in self.names:
            shown = name if len(name) < self.pitch else name[: self.pitch - 1]
            start = max(0, self.column(name) - len(shown) // 2)
            line[start : start + len(shown)] = shown
        return "".join(line).rstrip()

    def empty(self, strokes: Strokes) -> list[str]:
        """All lanes, and nothing between them."""
        line = [" "] * self.width
        for name in self.names:
            line[self.column(name)] = strokes.lane
        return line

    def row(self, row: Row, strokes: Strokes) -> str:
        """The lanes with an arrow or a note on them."""
        line = self.empty(strokes)
        start = self.column(row.source)
        if not row.dest:
            line[start] = strokes.note
            return "".join(line)
        end = self.column(row.dest)
        step = 1 if end > start else -1
        for at in range(start + step, end, step):
            line[at] = strokes.line
        line[start] = strokes.from_left if step > 0 else strokes.from_right
        line[end - step if abs(end - start) > 1 else end] = (
            strokes.right if step > 0 else strokes.left
        )
        return "".join(line)

    def span(self, row: Row) -> slice:
        """The columns of the arrow or the note."""
        ends = self.column(row.source), self.column(row.dest or row.source)
        return slice(min(ends), max(ends) + 1)

    def whose(self, row: Row) -> str:
        """The child's name where its lane is shared."""
        names = [name for name in (row.source, row.dest) if name in self.shared]
        return f"{names[0]} " if names else ""


def draw(shown: Diagram, look: Look) -> str:
    """A diagram as lines of at most ``look.width`` columns."""
    lanes = _Lanes(_used(shown), look.width)
    lines = [shown.witness, "", lanes.header()]
    for row in shown.rows:
        if row.style == "branch" and not look.why:
            continue
        lines += _row(row, lanes, look)
    lines += ["", *(f"{name} holds {what}" for name, what in shown.ends)]
    lines += [_styled(f"!! {text}", "fatal", look) for text in shown.trouble]
    return "\n".join(line.rstrip() for line in lines)


def _used(shown: Diagram) -> list[str]:
    """The lanes, without a monitor that has nothing to say."""
    monitor = any(MONITOR in (row.source, row.dest) for row in shown.rows)
    return [lane for lane in shown.lanes if lane != MONITOR or monitor]


def _row(row: Row, lanes: _Lanes, look: Look) -> Iterator[str]:
    empty = "".join(lanes.empty(look.strokes))
    text = f"{lanes.whose(row)}{row.text}"
    for i, words in enumerate(wrapped(text, look.width - lanes.width - 1)):
        drawn = empty if i else _arrow(lanes, row, look)
        yield f"{drawn} {_styled(words, row.style, look)}"
    if look.why and row.function:
        # Reasons are long: they stand on the children's lanes.
        left = empty[: lanes.column(QUORUM) + 1]
        why = f"{row.function}(){':' if row.because else ''} {' '.join(row.because)}"
        yield from (f"{left}  {words}" for words in wrapped(why, look.width - len(left) - 2))


def _arrow(lanes: _Lanes, row: Row, look: Look) -> str:
    """The lanes with an arrow or a note, which alone has the colour."""
    drawn, span = lanes.row(row, look.strokes), lanes.span(row)
    styled = _styled(drawn[span], row.style, look)
    return f"{drawn[: span.start]}{styled}{drawn[span.stop :]}"


def wrapped(text: str, width: int, indent: int = 2) -> list[str]:
    """``text`` in lines, those after the first indented."""
    lead = len(text) - len(text.lstrip())
    wrapper = _Wrapper(
        width,
        initial_indent=" " * lead,
        subsequent_indent=" " * max(indent, lead),
        break_on_hyphens=False,
    )
    return wrapper.wrap(text.lstrip()) or [""]


class _Wrapper(TextWrapper):
    """Breaks lines at spaces, and the options of a -drive behind their commas."""

    wordsep_simple_re = re.compile(r"([\t\n\x0b\x0c\r ]+|(?<=,)(?=[^ ]))")


def _styled(text: str, style: str, look: Look) -> str:
    return click.style(text, **COLOURS[style]) if look.colour and COLOURS[style] else text


def beside(left: Diagram, right: Diagram, look: Look) -> tuple[str, bool]:
    """Two runs side by side, and whether they part; the first row in which they do is marked.

    What only one of the two witnesses can show (notes, what children are asked) is left out.
    """
    half = (look.width - 5) // 2
    lines = [f"  {left.witness:<{half}} | {right.witness}"]
    parted = False
    for a, b in _paired(*_comparable(left, right)):
        first = a != b and not parted
        parted = parted or first
        mark = ">" if first else " "
        for x, y in zip_longest(wrapped(a, half), wrapped(b, half), fillvalue=""):
            line = f"{mark} {x:<{half}} | {y}".rstrip()
            lines.append(_styled(line, "fatal" if first else "request", look))
            mark = " "
    return "\n".join(lines), parted


def _paired(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What both say on one line, also behind something that only one of them says."""
    for _, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        yield from zip_longest(left[a:b], right[c:d], fillvalue="")


def _comparable(left: Diagram, right: Diagram) -> list[list[str]]:
    alike = bool(_notes(left)) == bool(_notes(right))
    unseen = () if left.sees_children and right.sees_children else _children(left)
    texts = []
    for one in (left, right):
        rows = [row for row in one.rows if alike or row not in _notes(one)]
        rows = [row for row in rows if row.source not in unseen and row.dest not in unseen]
        lines = [_said(row) for row in rows if row.style not in ("branch", "free")]
        lines += [f"{name} holds {what}" for name, what in one.ends]
        texts.append([*lines, *(f"!! {text}" for text in one.trouble)])
    return texts


def _notes(shown: Diagram) -> list[Row]:
    return [row for row in shown.rows if row.function]


def _children(shown: Diagram) -> tuple[str, ...]:
    return shown.lanes[shown.lanes.index(QUORUM) + 1 :]


def _said(row: Row) -> str:
    """A row without lanes."""
    return f"{row.source} > {row.dest}: {row.text}" if row.dest else f"{row.source}: {row.text}"
