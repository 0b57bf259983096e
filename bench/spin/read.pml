/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * One read of a quorum node, for SPIN: block/quorum.c quorum_co_preadv() (7.2), without
 * rewrite-corrupted, as qsim/quorum/coroutine.py and vote.py re-tell it.
 *
 * Each child answers in its own time with A, with B, or fails; all answers and all orders are
 * tried.  Every way to the end writes its outcome to the file OUTCOMES in the current folder.
 *
 * Parameters, with -D: CHILDREN; THRESHOLD, 1 to CHILDREN (FIFO does not look at it); FIFO, 0 or 1.
 */

#ifndef CHILDREN
#define CHILDREN 5
#endif
#ifndef THRESHOLD
#define THRESHOLD 3
#endif
#ifndef FIFO
#define FIFO 0
#endif

/* Values: what bytes were read, or which error it was; outcome_names below in this order. */
#define NONE   0
#define A      1
#define B      2
#define EIO    3
#define ENOSPC 4
#define VALUES 5

/* The world: how each child answers, and the sockets. */
byte input[CHILDREN];
chan request[CHILDREN] = [1] of { bit };
chan reply[CHILDREN] = [1] of { byte, byte };  /* error or NONE, bytes or NONE */
chan answer = [0] of { byte, byte };           /* to the guest: the same two */

/* QuorumAIOCB and its QuorumChildRequests. */
byte qcr_ret[CHILDREN], qcr_data[CHILDREN];
byte count, success_count;
bool entered;  /* somebody has entered the coroutine of the request */

/* Events are counted by child and error, not listed: their order is no part of an outcome. */
byte report_bad[CHILDREN * VALUES];
byte report_failure;

/* What the guest has got, and what the properties need. */
byte guest_ret, guest_data;
bool success_seen;

c_code {
	\#include <stdio.h>
	\#include <stdlib.h>

	static const char *const outcome_names[VALUES] = { "none", "A", "B", "EIO", "ENOSPC" };

	/* One line: inputs, ret, data, then the events, separated by tabs.  Only reads `now'. */
	static void
	write_outcome(void)
	{	static FILE *to;
		int i, value, times;

		if (!to && !(to = fopen("OUTCOMES", "w")))
		{	perror("OUTCOMES");
			exit(1);
		}
		for (i = 0; i < CHILDREN; i++)
			fprintf(to, "%s%s", i ? "," : "", outcome_names[now.input[i]]);
		fprintf(to, "\t%s", now.guest_ret ? outcome_names[now.guest_ret] : "0");
		fprintf(to, "\t%s", outcome_names[now.guest_data]);
		for (i = 0; i < CHILDREN; i++)
			for (value = 0; value < VALUES; value++)
				for (times = now.report_bad[i * VALUES + value]; times; times--)
				{	fprintf(to, "\tQUORUM_REPORT_BAD read c%d 0 1", i);
					if (value)
						fprintf(to, " %s", outcome_names[value]);
				}
		for (times = now.report_failure; times; times--)
			fprintf(to, "\tQUORUM_FAILURE q 0 1");
		fprintf(to, "\n");
		if (fflush(to) || ferror(to))
		{	perror("OUTCOMES");
			exit(1);
		}
	}
};

/* bdrv_co_preadv() up to where it yields, and from there on.  Waiting ends an atomic step. */
inline ask(child)
{
	/* Property: FIFO asks no child after one has succeeded. */
	assert(!FIFO || !success_seen);
	request[child]!0
}

inline get(child, error, data)
{
	reply[child]?error, data;
	if :: error == NONE -> success_seen = true :: else fi
}

inline quorum_report_bad(child, error)
{
	report_bad[child * VALUES + error]++
}

/*
 * The vote.  Versions stand in the order in which they were first seen, C's list has them the
 * other way round: where C goes through it from its head, this goes down from the last.
 */
inline quorum_count_vote(value)
{
	v = versions;
	do
	:: v > 0 && version_value[v - 1] != value -> v--
	:: else -> break
	od;
	if
	:: v > 0 -> v--
	:: else -> v = versions; versions++; version_value[v] = value; version_votes[v] = 0
	fi;
	version_votes[v]++
}

inline quorum_get_vote_winner()
{
	winner_votes = 0;
	v = versions;
	do
	:: v > 0 ->
		v--;
		if
		:: version_votes[v] > winner_votes ->
			winner_votes = version_votes[v]; winner_value = version_value[v]
		:: else
		fi
	:: else -> break
	od;
	assert(winner_votes)  /* C would dereference NULL */
}

inline quorum_vote_error()
{
	for (i : 0 .. CHILDREN - 1) {
		if :: qcr_ret[i] != NONE -> quorum_count_vote(qcr_ret[i]) :: else fi
	}
	quorum_get_vote_winner();
	ret = winner_value
}

inline quorum_vote_data()
{
	for (i : 0 .. CHILDREN - 1) {
		if :: qcr_ret[i] == NONE -> quorum_count_vote(qcr_data[i]) :: else fi
	}
	quorum_get_vote_winner();
	if
	:: winner_votes < THRESHOLD ->
		report_failure++;
		ret = EIO
	:: else ->
		data = winner_value;
		for (i : 0 .. CHILDREN - 1) {
			if
			:: qcr_ret[i] != NONE || qcr_data[i] == winner_value
			:: else -> quorum_report_bad(i, NONE)
			fi
		}
	fi
}

/* quorum_vote(): too few successes, agreement, or else a vote on data. */
inline quorum_vote()
{
	if
	:: success_count < THRESHOLD ->
		quorum_vote_error();
		report_failure++
	:: else ->
		first = NONE;
		agree = true;
		for (i : 0 .. CHILDREN - 1) {
			if
			:: qcr_ret[i] != NONE
			:: qcr_ret[i] == NONE && first == NONE -> first = qcr_data[i]
			:: else -> agree = agree && first == qcr_data[i]
			fi
		}
		if :: agree -> data = first :: else -> quorum_vote_data() fi
	fi
}

/* read_quorum_children_entry() from the child's answer on; to the next yield is one step. */
proctype read_quorum_children_entry(byte i)
{
	atomic {
		get(i, qcr_ret[i], qcr_data[i]);
		if
		:: qcr_ret[i] == NONE -> success_count++
		:: else -> quorum_report_bad(i, qcr_ret[i])
		fi;
		count++;
		assert(count <= CHILDREN);
		if :: count == CHILDREN -> entered = true :: else fi
	}
	/* Done.  Processes can only go youngest first; left standing they add no states. */
end:	false
}

inline read_quorum_children()
{
	atomic {
		/* Entering a coroutine runs it to its first yield: all are asked in this step. */
		for (i : 0 .. CHILDREN - 1) {
			ask(i);
			run read_quorum_children_entry(i)
		}
		do
		:: count < CHILDREN -> entered; entered = false  /* yields */
		:: d_step { count == CHILDREN -> quorum_vote() }; break
		od
	}
}

inline read_fifo_child()
{
	atomic {
		do
		:: n = children_read;
			children_read++;
			ask(n);
			get(n, ret, data);  /* yields */
			if :: ret != NONE -> quorum_report_bad(n, ret) :: else fi;
			if :: ret != NONE && children_read < CHILDREN :: else -> break fi
		od
	}
}

proctype quorum_co_preadv()
{
	byte ret, data;
#if FIFO
	byte n, children_read;

	read_fifo_child();
#else
	byte i, v, versions, winner_value, winner_votes, first;
	byte version_value[CHILDREN], version_votes[CHILDREN];
	bool agree;

	read_quorum_children();
#endif
	answer!ret, data
}

/*
 * A child's server.  What it answers is a parameter, and it alone uses its ends of the sockets:
 * so SPIN sees that when it answers does not matter before somebody looks, and can reduce.
 */
proctype child(chan asked, answers; byte ret, data)
{
	xr asked;
	xs answers;

end:	do
	:: asked?_ -> answers!ret, data
	od
}

/* Builds the world, then is the guest. */
init
{
	byte i, agreeing;

	atomic {
		for (i : 0 .. CHILDREN - 1) {
			if
			:: input[i] = A;      run child(request[i], reply[i], NONE, A)
			:: input[i] = B;      run child(request[i], reply[i], NONE, B)
			:: input[i] = EIO;    run child(request[i], reply[i], EIO, NONE)
			:: input[i] = ENOSPC; run child(request[i], reply[i], ENOSPC, NONE)
			fi
		}
		run quorum_co_preadv()
	}
	/* Property: the guest is answered once; not at all would be an invalid end state here. */
	atomic {
		answer?guest_ret, guest_data;
		d_step {
			for (i : 0 .. CHILDREN - 1) {
				agreeing = agreeing + (input[i] == guest_data)
			}
			/* Property: success needs as many children that agree as the threshold. */
			assert(FIFO || guest_ret != NONE || agreeing >= THRESHOLD);
			c_code { write_outcome(); }
		}
	}
end:	answer?_, _ -> assert(false)  /* nor twice */
}
