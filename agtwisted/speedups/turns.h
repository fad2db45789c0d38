/*
 * The end of a reactor turn: agtwisted.streams.turns.
 */

#ifndef AGTWISTED_TURNS_H
#define AGTWISTED_TURNS_H

#include "objects.h"

/* Find what is needed of them. */
int bindTurns(PyObject *class);

/* Whether something is turns that addOutbox can add to. */
int areUsualTurns(PyObject *turns);

/* Add to the outboxes that have something to send, and see to it that the end of the turn comes. */
int addOutbox(PyObject *turns, PyObject *outbox);

#endif
