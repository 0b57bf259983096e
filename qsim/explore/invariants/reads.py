# SPDX-License-Identifier: GPL-2.0-or-later
"""What a read may answer, in FIFO order and by vote, and what a rewrite may write."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from qsim.block.child import Request
from qsim.explore.invariants.seen import WRITES, Seen, most


def fifo(seen: Seen) -> Iterator[str]:
    """Child after child, in their order, and none once one has answered."""
    if seen.step.verb != "read" or not seen.quorum.fifo:
        return
    asked = [(at, request.child) for at, request in seen.asked if request.op == "read"]
    names = [child for _, child in asked]
    alive = [child for child in seen.quorum.children if child not in seen.turn.gone]
    if [child for child in names if child in alive] != alive[: len(set(names) & set(alive))]:
        yield "children are not asked once each and in their order"
    said = seen.said("read")
    for (_, before), (at, _) in pairwise(asked):
        answered, beat = said.get(before, (0, None))
        if beat is None and before in seen.turn.gone:
            continue
        if beat is None or answered > at:
            yield "a child is asked before the one in front of it has answered"
        elif not beat.errno and not beat.dead:
            yield "a child is asked though the one in front of it has answered"


def held(seen: Seen) -> Iterator[str]:
    """What the guest gets is what some child has."""
    if seen.step.verb == "read" and seen.ret == "0" and not seen.winners():
        yield "the guest gets bytes that no child has answered"


def agreed(seen: Seen) -> Iterator[str]:
    """As many children as the threshold says have what the guest gets."""
    if seen.votes and seen.ret == "0":
        have = [one for one in seen.versions().values() if seen.own(one) == seen.data]
        if len(have) < seen.quorum.threshold:
            yield "a read succeeds and fewer children than the threshold agree on what it gives"


def winner(seen: Seen) -> Iterator[str]:
    """Most children have what the guest gets; of a tie it is what was last seen first."""
    if not (seen.votes and seen.ret == "0" and seen.winners()):
        return
    versions = list(seen.versions().values())
    version, count = most(versions)
    if version in seen.winners():
        return
    if max(map(versions.count, seen.winners())) < count:
        yield "a version wins though another has more votes"
    else:
        yield "of versions that tie another wins than the last in the order of the children"


def rewritten(seen: Seen) -> Iterator[str]:
    """Who was outvoted is written the winner's bytes, nobody else anything."""
    if seen.step.verb != "read":
        return
    writes = {request.child: request for _, request in seen.asked if request.op in WRITES}
    if not (seen.votes and seen.quorum.rewrites and seen.ret == "0" and seen.winners()):
        if writes:
            yield "a read writes where nothing is to be rewritten"
        return
    versions, winners = seen.versions(), seen.winners()
    bad = {child for child, version in versions.items() if version not in winners}
    if bad - writes.keys() - seen.turn.gone:
        yield "a child that was outvoted is not rewritten"
    if writes.keys() - bad and len(winners) == 1:
        yield "a child is rewritten that was not outvoted"
    for child in bad & writes.keys():
        if _written(seen, writes[child]) not in winners:
            yield "a rewrite does not write the winner's bytes"
        answers = [beat for _, beat in seen.answered if beat.request == writes[child]]
        done = answers and not (answers[0].errno or answers[0].dead)
        contents = (seen.turn.outcome.contents or {}).get(child)
        if not (done and seen.turn.last and contents is not None):
            continue
        if contents.read(seen.start, seen.end) not in winners:
            yield "a child that was rewritten does not hold the winner's bytes"


def _written(seen: Seen, request: Request) -> bytes:
    """What a write puts where the driver has read."""
    data = request.data if request.data is not None else bytes(request.bytes)
    at = seen.start - request.offset
    return data[at : at + seen.end - seen.start] if at >= 0 else b""
