/*
 * What the decorator calls: each binds one function to its class, and returns what takes its place there.
 */

#ifndef AGTWISTED_FUNCTIONS_H
#define AGTWISTED_FUNCTIONS_H

#include "objects.h"

/* As functions of a module, with a tuple of arguments: the class, the function in Python, and what else is said there. */
PyObject *bindReadAll(PyObject *module, PyObject *arguments);
PyObject *bindFlushAll(PyObject *module, PyObject *arguments);
PyObject *bindSendObject(PyObject *module, PyObject *arguments);
PyObject *bindMessageReceived(PyObject *module, PyObject *arguments);

#endif
