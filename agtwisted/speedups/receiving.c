/*
 * Taking a message: ReceivingSocket.messageReceived.
 */

#include "functions.h"

enum { DIRECT_LENGTH, INBOUND, LAST_HEARD, RECEIVED_COUNT, CLOCK };
static Slot slots[] = {
    {"_directLength", 0}, {"_inbound", 0}, {"lastHeard", 0}, {"inboundReceivedMessageCount", 0}, {"_seconds", 0}, {NULL, 0},
};
static Class socketClass = {slots, NULL, NULL};

static Slot inOrderSlots[] = {{"queue", 0}, {NULL, 0}};
static Class inOrderClass = {inOrderSlots, NULL, NULL};

static PyObject *inPython, *loads;

enum { DELIVER_AT_ONCE, TAKE_DECODED, TAKE_PACKET, INBOUND_NAME, WAIT_FOR, MESSAGE_FAILED };
static Name names[] = {
    {"_deliverAtOnce", NULL}, {"_takeDecoded", NULL},   {"_takePacket", NULL}, {"_inbound", NULL},
    {"waitFor", NULL},        {"_messageFailed", NULL}, {NULL, NULL},
};

/* Whether nothing can come between a message and its packet. */
static inline int
isDirect(PyObject *self, PyObject *payload)
{
    PyObject *inbound = HELD(self, slots[INBOUND]);
    return PyBytes_CheckExact(payload) && PyBytes_GET_SIZE(payload) > 0
        && PyBytes_GET_SIZE(payload) <= numberIn(HELD(self, slots[DIRECT_LENGTH]))
        && isExactly(&inOrderClass, inbound) && HELD(inbound, inOrderSlots[0]) == Py_None;
}

/* The messages behind this one have to wait for what it has begun, a reference to which is taken over. */
static int
waitFor(PyObject *self, PyObject *waiting)
{
    int status = -1;
    PyObject *inbound = PyObject_GetAttr(self, names[INBOUND_NAME].object);
    if (inbound != NULL) {
        status = done(PyObject_CallMethodOneArg(inbound, names[WAIT_FOR].object, waiting));
        Py_DECREF(inbound);
    }
    Py_DECREF(waiting);
    return status;
}

/* Let the packet take effect. */
static int
deliver(PyObject *self, PyObject *packet, PyObject *payload)
{
    int isDone;
    PyObject *arguments[] = {self, packet, payload, Py_False}, *result;
    result = PyObject_VectorcallMethod(names[DELIVER_AT_ONCE].object, arguments, 3, NULL);
    if (result == NULL) {
        return -1;
    }
    isDone = PyObject_IsTrue(result);
    Py_DECREF(result);
    if (isDone) {
        return isDone < 0 ? -1 : 0;
    }
    result = PyObject_VectorcallMethod(names[TAKE_PACKET].object, arguments, 4, NULL);
    return result == NULL || result == Py_None ? done(result) : waitFor(self, result);
}

static int
deliverBatch(PyObject *self, PyObject *packets, PyObject *payload)
{
    PyObject *arguments[] = {self, packets, payload};
    return done(PyObject_VectorcallMethod(names[TAKE_DECODED].object, arguments, 3, NULL));
}

/* Remember when the client was heard, and how often. */
static int
heard(PyObject *self, PyObject *heardAt)
{
    PyObject *seconds = HELD(self, slots[CLOCK]), *now;
    if (heardAt != Py_None) {
        now = Py_NewRef(heardAt);
    } else {
        now = seconds == NULL ? NULL : PyObject_CallNoArgs(seconds);
    }
    if (now == NULL) {
        return -1;
    }
    put(self, &slots[LAST_HEARD], now);
    return addTo(self, &slots[RECEIVED_COUNT], 1);
}

/* A message has turned out to be a packet, or a batch of them. */
static int
takePacket(PyObject *self, PyObject *packet, PyObject *payload, PyObject *heardAt)
{
    int status = heard(self, heardAt);
    if (status == 0) {
        status = PyDict_CheckExact(packet) ? deliver(self, packet, payload) : deliverBatch(self, packet, payload);
    }
    return status < 0 ? dealWithError(self, names[MESSAGE_FAILED].object) : 0;
}

static PyObject *
messageReceived(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    if ((count == 2 || count == 3) && keywords == NULL && arguments[1] == Py_False && isDirect(self, arguments[0])) {
        PyObject *packet = PyObject_CallOneArg(loads, arguments[0]);
        if (packet != NULL && (PyDict_CheckExact(packet) || PyList_CheckExact(packet))) {
            int status = takePacket(self, packet, arguments[0], count == 3 ? arguments[2] : Py_None);
            Py_DECREF(packet);
            if (status < 0) {
                return NULL;
            }
            Py_RETURN_NONE;
        }
        if (packet == NULL && !PyErr_ExceptionMatches(PyExc_Exception)) {
            return NULL;
        }
        PyErr_Clear();
        Py_XDECREF(packet);
    }
    return callInPython(inPython, self, arguments, count, keywords);
}

static PyMethodDef method = {"messageReceived", FUNCTION(messageReceived), METH_FASTCALL | METH_KEYWORDS, NULL};

/* Besides: the class of what is processed in order; what decodes. */
PyObject *
bindMessageReceived(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *owner, *function, *inOrder, *decode;
    if (!PyArg_ParseTuple(arguments, "OOOO:messageReceived", &owner, &function, &inOrder, &decode)
        || makeNames(names) < 0 || bindClass(&socketClass, owner) < 0 || bindClass(&inOrderClass, inOrder) < 0) {
        return NULL;
    }
    keep(&inPython, function);
    keep(&loads, decode);
    return PyDescr_NewMethod((PyTypeObject *)owner, &method);
}
