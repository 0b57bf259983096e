# SPDX-License-Identifier: GPL-2.0-or-later
"""A plan as a shell script that needs nothing but qemu-img, qemu-io and qemu-system-x86_64.

It makes the images, starts QEMU, does what the scenario does, and compares what is seen with what
must be; the exit status is 0 when it is the same, 1 when not.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from textwrap import fill
from typing import Any

from qsim.block.events import SHORT_FORMS, Event
from qsim.export.plan import Act, Plan, printed


def script_text(plan: Plan, origin: str) -> str:
    """The script.

    :param origin: where it comes from, for its head.
    """
    return "\n".join([*_head(plan, origin), _HELPERS, *_images(plan), *_body(plan), _END])


def _head(plan: Plan, origin: str) -> Iterator[str]:
    yield "#!/bin/sh"
    for text in (f"quorum: {plan.case.name}", plan.case.source, origin):
        yield fill(text, 75, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    yield "#"
    yield "# Needs qemu-img, qemu-io and qemu-system-x86_64; QEMU_BIN=DIR takes them from"
    yield "# there. Exit status: 0 all as it should be, 1 it is not, 2 it could not be tried."
    yield "#"
    yield "# SPDX-License-Identifier: GPL-2.0-or-later"


_HELPERS = r"""
set -u
[ -z "${QEMU_BIN:-}" ] || PATH=$QEMU_BIN:$PATH
for tool in qemu-img qemu-io qemu-system-x86_64; do
    command -v $tool >/dev/null || { echo "$tool is missing" >&2; exit 2; }
done
dir=$(mktemp -d) || exit 2
cd "$dir" || exit 2
trap 'exec 3>&-; [ -z "${qemu:-}" ] || kill -9 "$qemu" 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 2' INT TERM
# A QEMU that has died is told as what is seen, not as the end of this script.
trap '' PIPE
replies=0

# qmp COMMAND: send it, and say how it ended
qmp() {
    replies=$((replies + 1))
    echo "$1" 2>/dev/null >&3
    tries=0
    while [ "$(grep -Ec '^\{"(return|error)"' out)" -lt $replies ]; do
        tries=$((tries + 1))
        if [ $tries -gt 200 ] || ! kill -0 "$qemu" 2>/dev/null; then
            echo "QEMU does not answer"
            # One that hangs would be waited for.
            kill -9 "$qemu" 2>/dev/null
            return
        fi
        sleep 0.1
    done
    grep -E '^\{"(return|error)"' out | tail -n 1 |
        sed -e 's/^{"error".*"desc": "\(.*\)"}}.*/error: \1/' -e 's/^{"return".*/ok/'
}

# events: what the driver has reported since the last time
reported=0
events() {
    qmp '{"execute": "query-version"}' >/dev/null
    grep '"event": "QUORUM_' out | tail -n +$((reported + 1)) > new
    reported=$((reported + $(wc -l < new)))
    while read -r line; do
        name=$(field event)
        case $name in
        QUORUM_FAILURE) what="$(field reference)" ;;
        *) what="$(field type) $(field node-name)" ;;
        esac
        echo "$name $what $(number sector-num) $(number sectors-count) $(field error)"
    done < new | sed -e 's/ *$//'
}
field() {
    echo "$line" | sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p"
}
number() {
    echo "$line" | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p"
}

# requests: what qemu-io has printed, which QEMU lets go only when it ends
requests() {
    grep -v '^{' out | tr -d '\r' | grep -v ' ops; ' |
        sed -e 's/^Pattern verification failed.*/other bytes/'
}

# ends FILE OFFSET BYTES BYTE: whether a child holds what it must
ends() {
    if qemu-io -f raw -r -c "read -P $4 $2 $3" "$1" >/dev/null 2>&1; then
        echo "$1 holds $4 at $2 $3"
    else
        echo "$1 does not hold $4 at $2 $3"
    fi
}
"""


def _images(plan: Plan) -> Iterator[str]:
    for one in plan.images:
        yield f"qemu-img create -q -f raw {one.file} {one.size} || exit 2"
        for part in one.fills:
            command = f"write -P 0x{part.byte:02x} {part.offset} {part.bytes}"
            yield f"qemu-io -f raw -c '{command}' {one.file} >/dev/null || exit 2"
    yield ""
    yield "mkfifo in && : > out || exit 2"
    yield "qemu-system-x86_64 -machine none -nodefaults -display none -qmp stdio \\"
    for one in plan.images:
        yield f"    -blockdev {shlex.quote(json.dumps(one.node(one.file)))} \\"
    yield "    < in > out 2> err &"
    yield "qemu=$!"
    yield "exec 3> in"
    yield ""


def _body(plan: Plan) -> Iterator[str]:
    yield "{"
    yield from _qmp("qmp_capabilities", {}, quiet=True)
    yield "echo open"
    yield from _qmp("blockdev-add", plan.options)
    yield from _events(_opening(plan))
    if not plan.error:
        for act in plan.acts:
            yield from _act(act)
    # What nobody expects can be held back too.
    yield "sleep 2"
    yield "events"
    yield from _qmp("quit", {}, quiet=True)
    yield "wait $qemu 2>/dev/null"
    yield "echo requests"
    yield "requests"
    yield "echo end"
    for one in plan.images:
        for part in one.ends:
            yield f"ends {one.file} {part.offset} {part.bytes} 0x{part.byte:02x}"
    yield "} > seen"
    yield "qemu="
    yield ""
    yield "cat > expected <<'END'"
    yield from _expected(plan)
    yield "END"


_END = """\
if diff -u expected seen; then
    echo "as it should be"
else
    cat err
    exit 1
fi
"""


def _opening(plan: Plan) -> tuple[Event, ...]:
    expect = plan.case.opening.expect
    return expect.events if expect else ()


def _qmp(command: str, arguments: dict[str, Any], quiet: bool = False) -> Iterator[str]:
    told: dict[str, Any] = {"execute": command}
    if arguments:
        told["arguments"] = arguments
    yield f"qmp {shlex.quote(json.dumps(told))}{' >/dev/null' if quiet else ''}"


def _events(expected: tuple[Event, ...]) -> Iterator[str]:
    if expected:
        # The last of several like events is held back for a second.
        yield "sleep 2"
    yield "events"


def _act(act: Act) -> Iterator[str]:
    yield f"echo {shlex.quote(act.label)}"
    if act.command:
        yield from _qmp(act.command, act.arguments or {})
    else:
        line = f'qemu-io q "{act.io}"'
        yield from _qmp("human-monitor-command", {"command-line": line})
    yield from _events(act.events)


def _expected(plan: Plan) -> Iterator[str]:
    yield "open"
    yield f"error: {plan.error[1]}" if plan.error else "ok"
    yield from map(_told, _opening(plan))
    for act in () if plan.error else plan.acts:
        yield act.label
        yield f"error: {act.error}" if act.command and act.error else "ok"
        yield from map(_told, act.events)
    yield "requests"
    for act in () if plan.error else plan.acts:
        yield from printed(act)[:1]
    yield "end"
    for one in plan.images:
        for part in one.ends:
            yield f"{one.file} holds 0x{part.byte:02x} at {part.offset} {part.bytes}"


def _told(event: Event) -> str:
    """An event as the script tells it."""
    data = dict(event.data)
    members = [str(data[key]) for key in SHORT_FORMS[event.name][0] if key in data]
    return " ".join([event.name, *members, *([str(data["error"])] if "error" in data else [])])
