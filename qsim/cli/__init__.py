# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: a file for each kind of command, and what they share.

Exit status: 0 all is as it should be; 1 there are differences; 2 the command line, a scenario or
the schema is wrong; 3 the binary cannot be used; 5 an exploration has reached a bound; 130 it was
interrupted, and goes on from its checkpoint.
"""

from __future__ import annotations

import click

from qsim import __version__
from qsim.cli.ends import ends
from qsim.cli.lazy import Lazy, LazyGroup

#: The sentence is the first of the command's own help.
COMMANDS = {
    "list": Lazy("qsim.cli.run", "list_cases", "Name the cases there are, and where each stands."),
    "run": Lazy("qsim.cli.run", "run", "Run cases and tell what happened."),
    "trace": Lazy(
        "qsim.cli.trace",
        "trace",
        "Draw what happens in a case: requests, completions, votes, events, answers.",
    ),
    "compare": Lazy(
        "qsim.cli.run", "compare_cases", "Compare fixture, model and binary; show where they part."
    ),
    "export": Lazy(
        "qsim.cli.export", "export", "Write a case down so that it can be tried without qsim."
    ),
    "explore": Lazy(
        "qsim.cli.explore",
        "explore_cases",
        "Go every way a request can go: what can come of it, and what is wrong with any.",
    ),
    "fuzz": Lazy(
        "qsim.cli.fuzz",
        "fuzz_binary",
        "Generate scenarios, play each on the model and on a binary, and shrink what differs.",
    ),
    "series": Lazy(
        "qsim.cli.series",
        "series",
        "The patch series: its versions, the state after every patch, and what followed.",
    ),
    "claims": Lazy(
        "qsim.cli.claims",
        "claims",
        "Put the cover letter's claims to the test: one line for each, with tables and plots.",
    ),
    "schema": Lazy(
        "qsim.cli.schema", "schema", "The QAPI schema of what the driver and the scenarios touch."
    ),
    "completion": Lazy(
        "qsim.cli.completion",
        "completion",
        "Print what makes a shell complete the commands, options, cases and revisions of qsim.",
    ),
}


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=ends(
        "1  there are differences",
        "2  the command line, a scenario or the schema is wrong",
        "3  the binary cannot be used",
        "5  an exploration has reached a bound",
        "130  it was interrupted",
        fine="all is as it should be",
    ),
)
@click.version_option(__version__, prog_name="qsim")
def main() -> None:
    """Run scenarios of QEMU's quorum driver on a model and on real binaries.

    \b
    Examples:
      qsim list
      qsim run fifo/second-child-answers
      qsim run fixtures/fifo.yaml --qemu /usr/bin/qemu-system-x86_64
      qsim compare fifo/second-child-answers --qemu /usr/bin/qemu-system-x86_64
      qsim trace --why 'children=A,B,B threshold=2; read 0 512'
      qsim explore any-order/three-versions
      qsim fuzz --qemu /usr/bin/qemu-system-x86_64 --seed 7
      qsim series diff v4 7.2
      qsim schema compare --qemu /usr/bin/qemu-system-x86_64

    A CASE is FAMILY/NAME, as 'qsim list' prints it, or a whole FAMILY; a FILE is a scenario file
    or a folder of them, and FILE::NAME one case in it.  In a checkout the cases are those of
    fixtures/, elsewhere those that came with the package.  COMMAND --help has examples of each
    command.
    """
