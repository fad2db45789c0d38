/*
 * agtwisted.v14._inC: calls and their answers in C, for version 14: SCServerSocket._deliverAtOnce and Response.__call__.
 *
 * As in agtwisted.speedups._inC, each function does the usual case of its Python namesake, and hands everything else to that
 * one, from the start.
 */

#include "../speedups/objects.h"

enum { CALLBACKS, AUTHENTICATION, UNANSWERED_COUNT, CALLS_WATCHED };
static Slot slots[] = {
    {"_callbacks", 0}, {"authentication", 0}, {"unansweredCount", 0}, {"_callsWatched", 0}, {NULL, 0},
};
static Class socketClass = {slots, NULL, NULL};

static Slot authenticationSlots[] = {{"expiry", 0}, {NULL, 0}};
static Class authenticationClass = {authenticationSlots, NULL, NULL};

enum { CALLED_BACK, IS_USUAL };
static Slot listenerSlots[] = {{"function", 0}, {"isUsual", 0}, {NULL, 0}};
static Class listenerClass = {listenerSlots, NULL, NULL};

enum { SOCKET, ID, SENT };
static Slot responseSlots[] = {{"_socket", 0}, {"id", 0}, {"sent", 0}, {NULL, 0}};
static Class responseClass = {responseSlots, NULL, NULL};

enum { EVENT, CALL_ID, DATA, RESPONSE_ID, HOLD, SEND };
static Name names[] = {
    {"event", NULL}, {"cid", NULL},  {"data", NULL},
    {"rid", NULL},   {"hold", NULL}, {"sendObjectSingle", NULL}, {NULL, NULL},
};

static PyObject *deliverInPython, *respondInPython, *reserved, *watch, *complaint, *complain, *noData;

#define RESPONSE(object, slot) HELD(object, responseSlots[slot])

/* What a packet has under a name; NULL if nothing. */
static inline PyObject *
memberOf(PyObject *packet, int name)
{
    return PyDict_GetItemWithError(packet, names[name].object);
}

/* Whether the client's token, if it has one, has no end. */
static inline int
isTimeless(PyObject *self)
{
    PyObject *authentication = HELD(self, slots[AUTHENTICATION]);
    return isExactly(&authenticationClass, authentication) && HELD(authentication, authenticationSlots[0]) == Py_None;
}

/* Whether there is room for one more unanswered call. */
static inline int
hasRoom(PyObject *self)
{
    long unanswered = numberIn(HELD(self, slots[UNANSWERED_COUNT]));
    return unanswered >= 0 && unanswered < numberIn(HELD(self, slots[CALLS_WATCHED]));
}

/* The function that waits for an application's event, if it is one that takes two arguments; else NULL. */
static PyObject *
functionFor(PyObject *self, PyObject *event)
{
    PyObject *callbacks = HELD(self, slots[CALLBACKS]), *listeners, *listener;
    if (callbacks == NULL || !PyDict_CheckExact(callbacks) || event == NULL || !PyUnicode_CheckExact(event)) {
        return NULL;
    }
    listeners = PyDict_GetItemWithError(callbacks, event);
    if (listeners == NULL || !PyTuple_CheckExact(listeners) || PyTuple_GET_SIZE(listeners) != 1
        || PySet_Contains(reserved, event) != 0) {
        return NULL;
    }
    listener = PyTuple_GET_ITEM(listeners, 0);
    if (!isExactly(&listenerClass, listener) || HELD(listener, listenerSlots[IS_USUAL]) != Py_True) {
        return NULL;
    }
    return HELD(listener, listenerSlots[CALLED_BACK]);
}

static PyObject *
makeResponse(PyObject *self, PyObject *id)
{
    PyObject *response = responseClass.base->tp_alloc(responseClass.base, 0);
    if (response != NULL) {
        RESPONSE(response, SOCKET) = Py_NewRef(self);
        RESPONSE(response, ID) = Py_NewRef(id);
        RESPONSE(response, SENT) = Py_NewRef(Py_False);
    }
    return response;
}

/* Somebody has failed who was called back. */
static int
failed(void)
{
    int status;
    PyObject *error = caught();
    if (error == NULL) {
        return -1;
    }
    status = done(PyObject_CallOneArg(complain, error));
    Py_DECREF(error);
    return status;
}

static int
callBack(PyObject *function, PyObject *data, PyObject *response)
{
    PyObject *arguments[] = {data, response}, *result = PyObject_Vectorcall(function, arguments, 2, NULL);
    int status = 0;
    if (result == NULL) {
        return failed();
    }
    if (result != Py_None) {
        status = done(PyObject_CallFunctionObjArgs(watch, result, complaint, NULL));
    }
    Py_DECREF(result);
    return status;
}

/* Call back, and hold the answer if it does not come at once. */
static int
deliverTo(PyObject *self, PyObject *function, PyObject *data, PyObject *id)
{
    int status;
    PyObject *response = makeResponse(self, id);
    if (response == NULL) {
        return -1;
    }
    Py_INCREF(function);
    Py_INCREF(data);
    status = callBack(function, data, response);
    Py_DECREF(data);
    Py_DECREF(function);
    if (status == 0 && RESPONSE(response, SENT) != Py_True) {
        status = done(PyObject_CallMethodNoArgs(response, names[HOLD].object));
    }
    Py_DECREF(response);
    return status;
}

static PyObject *
deliverAtOnce(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    if (count == 2 && keywords == NULL && PyDict_CheckExact(arguments[0])) {
        PyObject *function = functionFor(self, memberOf(arguments[0], EVENT));
        PyObject *id = memberOf(arguments[0], CALL_ID), *data = memberOf(arguments[0], DATA);
        if (PyErr_Occurred()) {
            return NULL;
        }
        if (function != NULL && numberIn(id) > 0 && isTimeless(self) && hasRoom(self)) {
            int status = deliverTo(self, function, data == NULL ? Py_None : data, id);
            return status < 0 ? NULL : Py_NewRef(Py_True);
        }
    }
    return callInPython(deliverInPython, self, arguments, count, keywords);
}

static PyObject *
answer(PyObject *id, PyObject *data)
{
    PyObject *packet = PyDict_New();
    if (packet == NULL || PyDict_SetItem(packet, names[RESPONSE_ID].object, id) < 0
        || (data != noData && PyDict_SetItem(packet, names[DATA].object, data) < 0)) {
        Py_XDECREF(packet);
        return NULL;
    }
    return packet;
}

static int
sendAnswer(PyObject *self, PyObject *data)
{
    int status;
    PyObject *socket = Py_NewRef(RESPONSE(self, SOCKET)), *packet = answer(RESPONSE(self, ID), data);
    put(self, &responseSlots[SENT], Py_NewRef(Py_True));
    status = packet == NULL ? -1 : done(PyObject_CallMethodOneArg(socket, names[SEND].object, packet));
    Py_XDECREF(packet);
    Py_DECREF(socket);
    return status;
}

static PyObject *
respond(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    PyObject *id = RESPONSE(self, ID);
    if (count < 1 || count > 2 || keywords != NULL || arguments[0] != Py_None || RESPONSE(self, SENT) != Py_False
        || id == NULL || id == Py_None || RESPONSE(self, SOCKET) == NULL) {
        return callInPython(respondInPython, self, arguments, count, keywords);
    }
    return sendAnswer(self, count == 2 ? arguments[1] : noData) < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- what the decorator calls */

static PyMethodDef deliverMethod = {"_deliverAtOnce", FUNCTION(deliverAtOnce), METH_FASTCALL | METH_KEYWORDS, NULL};
static PyMethodDef respondMethod = {"__call__", FUNCTION(respond), METH_FASTCALL | METH_KEYWORDS, NULL};

/* Besides: the classes of who clients are, of listeners and of responses; the events that are not applications'; what takes
 * a result and a complaint, and what takes an exception. */
static PyObject *
bindDeliverAtOnce(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *owner, *function, *authentication, *listener, *response, *events, *forResult, *text, *forError;
    if (!PyArg_ParseTuple(
            arguments, "OOOOOO!OOO:_deliverAtOnce", &owner, &function, &authentication, &listener, &response,
            &PyFrozenSet_Type, &events, &forResult, &text, &forError)
        || makeNames(names) < 0 || bindClass(&socketClass, owner) < 0 || bindClass(&listenerClass, listener) < 0
        || bindClass(&authenticationClass, authentication) < 0 || bindClass(&responseClass, response) < 0) {
        return NULL;
    }
    keep(&deliverInPython, function);
    keep(&reserved, events);
    keep(&watch, forResult);
    keep(&complaint, text);
    keep(&complain, forError);
    return PyDescr_NewMethod((PyTypeObject *)owner, &deliverMethod);
}

/* Besides: what stands for no data. */
static PyObject *
bindRespond(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *owner, *function, *none;
    if (!PyArg_ParseTuple(arguments, "OOO:__call__", &owner, &function, &none) || makeNames(names) < 0
        || bindClass(&responseClass, owner) < 0) {
        return NULL;
    }
    keep(&respondInPython, function);
    keep(&noData, none);
    return PyDescr_NewMethod((PyTypeObject *)owner, &respondMethod);
}

static PyMethodDef functions[] = {
    {"_deliverAtOnce", bindDeliverAtOnce, METH_VARARGS, NULL},
    {"__call__", bindRespond, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "agtwisted.v14._inC", NULL, -1, functions, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__inC(void)
{
    return PyModule_Create(&definition);
}
