/*
 * agtwisted.speedups._inC: the hot paths in C.
 *
 * Each function does the usual case of its Python namesake, and hands everything else to that one, from the start: so it
 * decides first, and changes something then.
 */

#include "functions.h"

static PyMethodDef functions[] = {
    {"readAll", bindReadAll, METH_VARARGS, NULL},
    {"flushAll", bindFlushAll, METH_VARARGS, NULL},
    {"sendObject", bindSendObject, METH_VARARGS, NULL},
    {"messageReceived", bindMessageReceived, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "agtwisted.speedups._inC", NULL, -1, functions, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__inC(void)
{
    return PyModule_Create(&definition);
}
