/*
 * Sending a packet: OutboundSocket.sendObject.
 */

#include "functions.h"
#include "outbox.h"

#define FINAL_TEXT 0x81

enum { SENDS_JSON, OUTBOX };
static Slot slots[] = {{"_sendsJSON", 0}, {"_outbox", 0}, {NULL, 0}};
static Class socketClass = {slots, NULL, NULL};

enum { SEND_THROUGH };
static Name names[] = {{"_sendThrough", NULL}, {NULL, NULL}};

static PyObject *inPython, *dumps, *dumpsDefault, *dumpsOption;

/* Make one final, unmasked text frame. */
static PyObject *
textFrame(PyObject *payload)
{
    Py_ssize_t length = PyBytes_GET_SIZE(payload), start = length < 126 ? 2 : length < 65536 ? 4 : 10;
    PyObject *frame = PyBytes_FromStringAndSize(NULL, start + length);
    unsigned char *data;
    if (frame == NULL) {
        return NULL;
    }
    data = (unsigned char *)PyBytes_AS_STRING(frame);
    data[0] = FINAL_TEXT;
    data[1] = (unsigned char)(start == 2 ? length : start == 4 ? 126 : 127);
    for (Py_ssize_t i = start - 1, rest = length; i > 1; i--, rest >>= 8) {
        data[i] = (unsigned char)(rest & 0xff);
    }
    memcpy(data + start, PyBytes_AS_STRING(payload), (size_t)length);
    return frame;
}

static PyObject *
encoded(PyObject *packet)
{
    PyObject *arguments[] = {packet, dumpsDefault, dumpsOption}, *payload, *frame;
    payload = PyObject_Vectorcall(dumps, arguments, 3, NULL);
    if (payload == NULL) {
        return NULL;
    }
    if (!PyBytes_CheckExact(payload)) {
        Py_DECREF(payload);
        PyErr_SetString(PyExc_TypeError, "JSON was to be bytes");
        return NULL;
    }
    frame = textFrame(payload);
    Py_DECREF(payload);
    return frame;
}

static PyObject *
sendObject(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    if (count >= 1 && count <= 2 && keywords == NULL && PyDict_CheckExact(arguments[0])
        && HELD(self, slots[SENDS_JSON]) == Py_True && isOutbox(HELD(self, slots[OUTBOX]))) {
        PyObject *outbox = Py_NewRef(HELD(self, slots[OUTBOX])), *frame = encoded(arguments[0]);
        int status = frame == NULL ? -1 : appendFrame(outbox, frame);
        Py_DECREF(outbox);
        if (frame != NULL) {
            Py_DECREF(frame);
            return status < 0 ? NULL : Py_NewRef(Py_True);
        }
        if (!PyErr_ExceptionMatches(PyExc_Exception)) {
            return NULL;
        }
        /* The codec writes more than orjson does; what it cannot write either, is an error there. */
        PyErr_Clear();
        return PyObject_CallMethodOneArg(self, names[SEND_THROUGH].object, arguments[0]);
    }
    return callInPython(inPython, self, arguments, count, keywords);
}

static PyMethodDef method = {"sendObject", FUNCTION(sendObject), METH_FASTCALL | METH_KEYWORDS, NULL};

/* Besides: what encodes; what it is to do with objects that it does not know; its options. */
PyObject *
bindSendObject(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *owner, *function, *encode, *form, *option;
    if (!PyArg_ParseTuple(arguments, "OOOOO:sendObject", &owner, &function, &encode, &form, &option)
        || makeNames(names) < 0 || bindClass(&socketClass, owner) < 0) {
        return NULL;
    }
    keep(&inPython, function);
    keep(&dumps, encode);
    keep(&dumpsDefault, form);
    keep(&dumpsOption, option);
    return PyDescr_NewMethod((PyTypeObject *)owner, &method);
}
