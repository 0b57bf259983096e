# SPDX-License-Identifier: GPL-2.0-or-later
"""A plan as a test for tests/qemu-iotests/tests/, with its reference output.

The test uses ``iotests.py`` as others there do: script style, everything logged, and that compared
with the file beside it.  Requests are HMP's qemu-io, which prints to QEMU's own stdout: that is
logged when QEMU has ended.  (Through an NBD export, a failed read would be a lost connection.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Any

from qsim.block.events import Event
from qsim.export.plan import Fill, Plan, printed


def iotest_text(plan: Plan, origin: str) -> str:
    """The test.

    :param origin: where it comes from, for its head.
    """
    return "\n".join([*_head(plan, origin), *_setting(plan), *_test(plan), *_foot()])


def _head(plan: Plan, origin: str) -> Iterator[str]:
    yield "#!/usr/bin/env python3"
    yield "# group: rw quick"
    yield "#"
    for text in (f"quorum: {plan.case.name}", plan.case.source, origin):
        yield fill(text, 75, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    yield "#"
    yield "# SPDX-License-Identifier: GPL-2.0-or-later"
    yield "#"
    yield ""
    yield "import iotests"
    yield "from iotests import log, qemu_img_create, qemu_io"
    yield ""


def _setting(plan: Plan) -> Iterator[str]:
    yield ""
    yield "# Name, size and content of each child: offset, bytes, byte"
    yield "CHILDREN = ["
    for one in plan.images:
        yield f"    ({one.name!r}, {one.size}, {_tuples(one.fills)}),"
    yield "]"
    yield "# How they fail"
    yield "FAULTS = {"
    for one in plan.images:
        if one.rules:
            yield f"    {one.name!r}: ["
            yield from (f"        {rule!r}," for rule in one.rules)
            yield "    ],"
    yield "}"
    yield "QUORUM = {"
    yield from (f"    {key!r}: {value!r}," for key, value in plan.options.items())
    yield "}"
    yield "# What they hold at the end"
    yield "ENDS = {"
    for one in plan.images:
        yield f"    {one.name!r}: {_tuples(one.ends)},"
    yield "}"
    yield ""


def _tuples(fills: Sequence[Fill]) -> str:
    return f"[{', '.join(f'({one.offset}, {one.bytes}, 0x{one.byte:02x})' for one in fills)}]"


def _test(plan: Plan) -> Iterator[str]:
    yield _HELPERS
    yield "def run(vm: iotests.VM, paths) -> None:"
    yield "    add_children(vm, paths)"
    yield "    log('--- open')"
    yield "    vm.qmp_log('blockdev-add', **QUORUM)"
    yield "    log_events(vm)"
    if plan.error:
        yield ""
        return
    for act in plan.acts:
        yield ""
        yield f"    log({f'--- {act.label}'!r})"
        if act.command:
            arguments = "".join(
                f", {_argument_name(key)}={value!r}" for key, value in (act.arguments or {}).items()
            )
            yield f"    vm.qmp_log({act.command!r}{arguments})"
        else:
            yield f"    guest(vm, {act.io!r})"
        yield "    log_events(vm)"
    yield ""


def _opening_events(plan: Plan) -> Sequence[Event]:
    expect = plan.case.opening.expect
    return tuple(expect.events) if expect else ()


def _argument_name(key: str) -> str:
    return key.replace("-", "_")


_HELPERS = '''
def add_children(vm: iotests.VM, paths) -> None:
    """Make the images, and a node over each; blkdebug where it fails."""
    for (name, size, fills), path in zip(CHILDREN, paths):
        qemu_img_create('-f', 'raw', path, str(size))
        for offset, nr_bytes, byte in fills:
            qemu_io('-f', 'raw', '-c',
                    f'write -P {byte} {offset} {nr_bytes}', path)
        node = {'driver': 'file', 'filename': path}
        if name in FAULTS:
            node = {'driver': 'blkdebug', 'image': node,
                    'inject-error': FAULTS[name]}
        result = vm.qmp('blockdev-add', **{'node-name': name, **node})
        assert result['return'] == {}, result


def guest(vm: iotests.VM, command: str) -> None:
    """A request; what qemu-io prints of it is in QEMU's own log."""
    vm.hmp_qemu_io('q', command)


def log_events(vm: iotests.VM) -> None:
    """Log what the driver has reported; the last of several like events
    is held back for a second, by the clock that we turn."""
    vm.qtest('clock_step 2000000000')
    vm.qmp('query-version')
    for event in vm.get_qmp_events():
        if event['event'].startswith('QUORUM_'):
            log(iotests.filter_qmp_event(event))


def check_ends(paths) -> None:
    """Log whether all children hold what they must."""
    for (name, _, _), path in zip(CHILDREN, paths):
        for offset, nr_bytes, byte in ENDS[name]:
            result = qemu_io('-f', 'raw', '-r', '-c',
                             f'read -P {byte} {offset} {nr_bytes}', path,
                             check=False)
            good = 'yes' if result.returncode == 0 else 'NO'
            log(f'{name} holds 0x{byte:02x} at {offset} {nr_bytes}: {good}')

'''


def _foot() -> Iterator[str]:
    yield """
def main() -> None:
    names = [f'{name}.img' for name, _, _ in CHILDREN]
    with iotests.FilePath(*names) as found, iotests.VM() as vm:
        paths = found if isinstance(found, list) else [found]
        vm.launch()
        run(vm, paths)
        vm.shutdown()
        log('--- requests')
        for line in vm.get_log().splitlines():
            # Those lines are of qtest.
            if not line.startswith(('[I ', '[R ', '[S ')):
                log(line, filters=[iotests.filter_qemu_io])
        log('--- end')
        check_ends(paths)


if __name__ == '__main__':
    iotests.verify_quorum()
    iotests.script_main(main, supported_fmts=['raw'],
                        supported_protocols=['file'])
"""


def reference_text(plan: Plan) -> str:
    """What the test must print."""
    return "\n".join([*_reference(plan), ""])


def _reference(plan: Plan) -> Iterator[str]:
    yield "--- open"
    yield _logged_command("blockdev-add", plan.options)
    yield _logged_result(plan.error)
    for event in _opening_events(plan):
        yield _logged_event(event)
    for act in () if plan.error else plan.acts:
        yield f"--- {act.label}"
        if act.command:
            yield _logged_command(act.command, act.arguments or {})
            yield _logged_result((act.error_class, act.error) if act.error else None)
        yield from map(_logged_event, act.events)
    yield "--- requests"
    for act in () if plan.error else plan.acts:
        yield from printed(act)
    yield "--- end"
    for one in plan.images:
        for part in one.ends:
            yield f"{one.name} holds 0x{part.byte:02x} at {part.offset} {part.bytes}: yes"


def _logged_command(command: str, arguments: dict[str, Any]) -> str:
    # ordered_qmp() sorts by the names as they are given, with underscores.
    ordered = {key: arguments[key] for key in sorted(arguments, key=_argument_name)}
    return json.dumps({"execute": command, "arguments": ordered})


def _logged_result(error: tuple[str, str] | None) -> str:
    if error is not None:
        return json.dumps({"error": {"class": error[0], "desc": error[1]}})
    return '{"return": {}}'


def _logged_event(event: Event) -> str:
    stamp = {"microseconds": "USECS", "seconds": "SECS"}
    return json.dumps(
        {"data": dict(event.data), "event": event.name, "timestamp": stamp}, sort_keys=True
    )
