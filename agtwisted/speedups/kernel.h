/*
 * The methods of Python's sockets by which the kernel is called.
 */

#ifndef AGTWISTED_KERNEL_H
#define AGTWISTED_KERNEL_H

#include "objects.h"

#include <sys/socket.h>
#include <sys/types.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* Connections that the kernel is asked for in one go, without the interpreter's lock. */
#define PORTION 256

/* A method of all sockets. */
typedef struct {
    PyTypeObject *type;
    PyCFunction function;
} SocketMethod;

/* Find a method of the class of all sockets. */
int bindSocketMethod(SocketMethod *method, PyObject *type, const char *name);

/* The descriptor of the socket that a bound method belongs to; -1 if it is closed. */
int descriptorOf(PyObject *bound);

/* Whether something is this method of a socket. */
static inline int
isBoundTo(PyObject *bound, const SocketMethod *method)
{
    return bound != NULL && PyCFunction_CheckExact(bound) && PyCFunction_GET_FUNCTION(bound) == method->function
        && PyObject_TypeCheck(PyCFunction_GET_SELF(bound), method->type);
}

#endif
