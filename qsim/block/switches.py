# SPDX-License-Identifier: GPL-2.0-or-later
"""Behaviours that differ between releases, each named once, with where it was seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Switch:
    """A behaviour a revision can have.

    :param name: what it does, for reports.
    :param source: the function and release, or the commit, that brought it.
    :param probe: the case that shows whether a binary has it; "" when none can, or none need.
    """

    name: str
    source: str
    probe: str = ""


UNMAP_AT_EVERY_NODE = Switch(
    "write-zeroes loses MAY_UNMAP at every node opened without discard=unmap, not only where "
    "bdrv_co_pwrite_zeroes() is called",
    "block/io.c bdrv_co_do_pwrite_zeroes(), between 7.2 and 10.0",
    "write-zeroes/children-may-unmap",
)

NO_FLUSH_DROPS_FUA = Switch(
    "a write loses FUA at a node opened with cache.no-flush",
    "block/io.c bdrv_driver_pwritev(), between 7.2 and 10.0",
    "no-flush/a-write-with-FUA-needs-no-flush",
)

CHILDREN_CLOSE_TOGETHER = Switch(
    "the children that go with a node are closed side by side, not one after the other: each "
    "waits for its flush in a loop that starts the next",
    "block.c bdrv_unref_child() and bdrv_schedule_unref(), seen on 10.0",
    "options/inline-children,-and-the-node-is-deleted",
)

GRAPH_WRLOCK_FIRST = Switch(
    "x-blockdev-change takes the graph's write lock, and so drains all nodes, before it looks at "
    "its arguments",
    "blockdev.c qmp_x_blockdev_change(), 10.0",
    "meanwhile/no-such-child,-after-the-lock",
)
CYCLE_REFUSED = Switch(
    "a node cannot become its own child, nor a child of what is below it",
    "block.c bdrv_attach_child_noperm(), between 5.2 and 7.2",
    "cycle/a-child-of-its-own",
)

JOB_CANCEL_BY_FORCE = Switch(
    "a mirror that is cancelled before it is ready ends before its next part",
    "job.c job_is_cancelled(), block/mirror.c mirror_run(), between 5.2 and 7.2",
)

MIRROR_LEAVES_WRITES = Switch(
    "a mirror that ends before it is ready does not wait for the guest's writes it has to do with",
    "block/mirror.c mirror_run(), between 5.2 and 7.2",
)

READ_ONLY_UNTOLD = Switch(
    "a child that cannot be opened because its export is read-only is told as Permission denied",
    "block/nbd.c nbd_co_do_establish_connection() passes no error on, between 5.2 and 7.2",
    "in-place/read-only-export",
)

NBD_GONE_WAITS = Switch(
    "a request to a child that is gone fails when no other to it is in flight any more",
    "block/nbd.c nbd_co_send_request(), which connects again first, between 5.2 and 7.2; 11.1 is "
    "taken to do so",
)

NBD_REPLY_AT_ONCE = Switch(
    "a request to an NBD child ends as soon as its own reply is there, whoever else waits on the "
    "connection",
    "block/nbd.c nbd_connection_entry(), a reader of its own, gone between 5.2 and 7.2; and again "
    "between 10.0 and 11.1, seen on 11.1.3",
    "together/two-fifo-reads,-each-goes-its-own-way",
)

NBD_READER = Switch(
    "one coroutine reads the replies of an NBD child, and at the connection's end the requests in "
    "flight end by their places, whoever of them read last",
    "block/nbd.c nbd_connection_entry(), gone between 5.2 and 7.2",
    "dead-child/dies-of-a-flush,-who-came-last-reads",
)

CONFLICT_NAMES_BOTH = Switch(
    "who may not do what with a node is told with both users and what each needs, after all "
    "permissions have changed, not with the one user a new demand was held against",
    "block.c bdrv_parent_perms_conflict(), for bdrv_check_update_perm(), between 5.2 and 7.2",
    "permissions/a-child-used-twice-and-rewriting",
)

ENUM_NAMES_MEMBER = Switch(
    "a value that an enumeration does not have is refused with the name of the member",
    "qapi/qapi-visit-core.c input_type_enum(), between 5.2 and 7.2",
    "options/read-pattern-unknown",
)

LOOKUP_QUOTES = Switch(
    "a node that is not there is told with its name in quotes",
    "block.c bdrv_lookup_bs(), between 5.2 and 7.2",
    "options/first-child-not-found",
)

DUPLICATE_NAMES_NODE = Switch(
    "a node name that is taken is told",
    "block.c bdrv_assign_node_name(), between 5.2 and 7.2",
    "options/node-name-taken",
)

DEL_LOOKS_UP = Switch(
    "a node to be deleted that is not there is told as anywhere else in QMP",
    "blockdev.c qmp_blockdev_del() calls bdrv_find_node() with an error, between 5.2 and 7.2",
    "options/no-such-node-to-delete",
)

REPLACE_LOOKS_UP = Switch(
    "a node to be replaced that is not there is told as anywhere else in QMP",
    "block.c check_to_replace_node() calls bdrv_find_node() with an error, between 5.2 and 7.2",
    "replace/a-node-that-does-not-exist",
)

REOPEN = Switch(
    "a node can be asked to change its options",
    "blockdev.c qmp_blockdev_reopen(), x-blockdev-reopen until then, between 5.2 and 7.2",
    "reopen/no-such-node",
)

ZEROES_AT_ONCE = Switch(
    "zeroes of any size are one request to the exported node, also of none at all",
    "nbd/server.c nbd_handle_request(), with a blk_pwrite_zeroes() of 64 bits, between 5.2 and 7.2",
    "write-zeroes/fast-zero-of-nothing",
)

AIOCB_REFCOUNT = Switch(
    "a request in flight is counted: cancelling one holds it, asks for its end and waits until "
    "nobody else holds it, instead of each kind of request waiting in its own way",
    "block.c bdrv_aio_cancel(), f197fe2b2c, 02c50efe08 and 3acabd685e (September 2014)",
)

OPEN_ERROR_PLAIN = Switch(
    "an error at opening a device comes as it is, without could not open disk image before it",
    "blockdev.c blockdev_init(), e4342ce5a2 (February 2015)",
    "2014-drive/quorum-without-a-threshold",
)

NO_PERMISSIONS = Switch(
    "nodes have no permissions: anyone may do anything with any of them",
    "block.c, until 2017 (2.9)",
)

NBD_GONE_IS_EBADF = Switch(
    "a request to a child whose connection is gone fails with EBADF, not EPERM",
    "qemu-coroutine-io.c, 4adf4180f2 (February 2015)",
    "2014-write/child-that-has-died",
)

NBD_FEW_ERRNOS = Switch(
    "EPERM, EIO, ENOMEM and ENOSPC go over NBD as they are, all other errors as EINVAL, both ways",
    "nbd.c, ca44148041 (May 2015)",
    "2014-write/error-of-a-child-that-NBD-has-no-number-for",
)

READ_ONLY_IS_EPERM = Switch(
    "a write to a read-only node fails with EPERM, a discard too, not with EACCES and EROFS",
    "block.c, eaf5fe2dd4 (May 2015)",
    "2014-write/read-only-child",
)

NODE_IMAGE_INFO = Switch(
    "query-named-block-nodes tells what is known of a node's image, its size among it",
    "block/qapi.c bdrv_block_device_info(), d5a8ee60a0 (April 2015)",
    "2014-filename/every-option-is-there",
)

BDRV_CHILD = Switch(
    "an edge of the graph has a structure of its own, which only closing the parent frees",
    "block.c bdrv_attach_child(), 6e93e7c41f (April 2015)",
)
