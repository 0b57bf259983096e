# SPDX-License-Identifier: GPL-2.0-or-later
"""What QMP looks like: read QEMU's schema language, check values, check binaries.

:func:`load` reads ``.json`` files in the language of QEMU's docs/devel/qapi-code-gen into a
:class:`Schema`, which checks arguments, events and values by way of JSON Schema
(:mod:`jsonschema`). :func:`compare` holds a schema against a binary's ``query-qmp-schema``;
``explained.yaml`` says which differences are known (:func:`read_explained`, :func:`split`).
The order of the files: lexer, parser, doc, names, builder, resolve, loader make a schema;
wire, messages, schema check values; introspection, compare, explained, render check binaries.
"""

from .compare import Difference, Side, compare
from .errors import Problem, QapiError, QapiValueError
from .explained import Explanation, Split, read_explained, split, unused
from .introspection import introspection
from .loader import load
from .paths import default_explained_path, default_schema_path
from .render import render_differences
from .schema import Schema
from .shipped import schema_2014, shipped_schema

__all__ = [
    "Difference",
    "Explanation",
    "Problem",
    "QapiError",
    "QapiValueError",
    "Schema",
    "Side",
    "Split",
    "compare",
    "default_explained_path",
    "default_schema_path",
    "introspection",
    "load",
    "read_explained",
    "render_differences",
    "schema_2014",
    "shipped_schema",
    "split",
    "unused",
]
