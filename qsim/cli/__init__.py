# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: a file for each kind of command, and what they share.

Exit status: 0 all is as it should be; 1 there are differences; 2 the command line, a scenario or
the schema is wrong; 3 the binary cannot be used; 5 an exploration has reached a bound; 130 it was
interrupted, and goes on from its checkpoint.
"""

from __future__ import annotations

import click

from qsim import __version__
from qsim.cli.explore import explore_cases
from qsim.cli.export import export
from qsim.cli.fuzz import fuzz_binary
from qsim.cli.run import compare_cases, list_cases, run
from qsim.cli.schema import schema
from qsim.cli.series import series
from qsim.cli.trace import trace


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qsim")
def main() -> None:
    """Run scenarios of QEMU's quorum driver on a model and on real binaries.

    \b
    Examples:
      qsim list
      qsim run fifo/second-child-answers
      qsim run fixtures/fifo.yaml --qemu /usr/bin/qemu-system-x86_64
      qsim compare 'fixtures/fifo.yaml::second child answers' --qemu ./qemu-system-x86_64
      qsim explore any-order/three-versions
      qsim fuzz --qemu /usr/bin/qemu-system-x86_64 --count 1000 --seed 7
      qsim schema compare --qemu /usr/bin/qemu-system-x86_64
    """


for command in (
    list_cases,
    run,
    trace,
    export,
    compare_cases,
    series,
    explore_cases,
    fuzz_binary,
    schema,
):
    main.add_command(command)
