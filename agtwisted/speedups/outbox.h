/*
 * What a socket sends: agtwisted.sockets.outbox.
 */

#ifndef AGTWISTED_OUTBOX_H
#define AGTWISTED_OUTBOX_H

#include "objects.h"

/* Whether something is an outbox. */
int isOutbox(PyObject *object);

/* Outbox.append. */
int appendFrame(PyObject *outbox, PyObject *frame);

#endif
