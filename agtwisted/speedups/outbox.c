/*
 * Sending through many connections: Outbox.flushAll; and Outbox.append.
 */

#include "outbox.h"
#include "functions.h"
#include "kernel.h"
#include "turns.h"

enum { FIRST, MORE, IS_BEHIND, IS_PAUSED, SENT_COUNT, SENT_BYTES, SEND, TURNS };
static Slot slots[] = {
    {"_first", 0},    {"_more", 0}, {"_isBehind", 0}, {"isPaused", 0}, {"sentCount", 0},
    {"sentBytes", 0}, {"send", 0},  {"_turns", 0},    {NULL, 0},
};
static Class outboxClass = {slots, NULL, NULL};
static PyObject *inPython;
static SocketMethod socketSend;
/* Bytes that are sent in one go. */
static long longestSending;

enum { NOT_SENT, TRANSPORT, WRITE, APPEND };
static Name names[] = {{"_notSent", NULL}, {"_transport", NULL}, {"write", NULL}, {"append", NULL}, {NULL, NULL}};

#define OUTBOX(object, slot) HELD(object, slots[slot])

typedef struct {
    PyObject *outbox;
    PyObject *data;
    Py_ssize_t sent;
    int descriptor;
} Sending;

/* How long a list of frames is behind another frame; -1 if that is too long to be sent at once, or if they are none. */
static Py_ssize_t
lengthOf(PyObject *first, PyObject *more)
{
    Py_ssize_t length = PyBytes_GET_SIZE(first);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(more); i++) {
        PyObject *frame = PyList_GET_ITEM(more, i);
        if (!PyBytes_CheckExact(frame) || (length += PyBytes_GET_SIZE(frame)) > longestSending) {
            return -1;
        }
    }
    return length;
}

static PyObject *
joined(PyObject *first, PyObject *more, Py_ssize_t length)
{
    char *end;
    PyObject *data = PyBytes_FromStringAndSize(NULL, length);
    if (data == NULL) {
        return NULL;
    }
    end = PyBytes_AS_STRING(data);
    memcpy(end, PyBytes_AS_STRING(first), (size_t)PyBytes_GET_SIZE(first));
    end += PyBytes_GET_SIZE(first);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(more); i++) {
        PyObject *frame = PyList_GET_ITEM(more, i);
        memcpy(end, PyBytes_AS_STRING(frame), (size_t)PyBytes_GET_SIZE(frame));
        end += PyBytes_GET_SIZE(frame);
    }
    return data;
}

/*
 * Take out of an outbox what is to be sent: 1 if that is done; 0 if it is to be flushed as Python does it, and nothing has
 * changed; -1 with an exception. (The socket is asked for its descriptor because it knows when it is closed: the number may
 * be another connection's by now.)
 */
static int
takeOut(PyObject *outbox, Sending *sending)
{
    PyObject *first, *more, *data;
    Py_ssize_t length, count;
    sending->descriptor = isBoundTo(OUTBOX(outbox, SEND), &socketSend) ? descriptorOf(OUTBOX(outbox, SEND)) : -1;
    first = OUTBOX(outbox, FIRST);
    more = OUTBOX(outbox, MORE);
    if (sending->descriptor < 0 || first == NULL || !PyBytes_CheckExact(first) || more == NULL
        || !PyList_CheckExact(more)) {
        return 0;
    }
    count = PyList_GET_SIZE(more);
    length = lengthOf(first, more);
    if (length < 0) {
        return 0;
    }
    data = count ? joined(first, more, length) : Py_NewRef(first);
    if (data == NULL || addTo(outbox, &slots[SENT_COUNT], count + 1) < 0
        || addTo(outbox, &slots[SENT_BYTES], length) < 0 || (count && PyList_SetSlice(more, 0, count, NULL) < 0)) {
        Py_XDECREF(data);
        return -1;
    }
    put(outbox, &slots[FIRST], Py_NewRef(Py_None));
    sending->data = data;
    sending->sent = 0;
    return 1;
}

static void
sendAll(Sending *sendings, Py_ssize_t count)
{
    Py_BEGIN_ALLOW_THREADS
    for (Sending *sending = sendings; sending < sendings + count; sending++) {
        /* If it is full, or broken, the transport finds out which, and deals with it. */
        ssize_t sent = send(sending->descriptor, PyBytes_AS_STRING(sending->data), (size_t)PyBytes_GET_SIZE(sending->data),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        sending->sent = sent < 0 ? 0 : sent;
    }
    Py_END_ALLOW_THREADS
}

/* Give the transport what the kernel has not taken. */
static int
sendRest(Sending *sending)
{
    int status;
    Py_ssize_t length = PyBytes_GET_SIZE(sending->data);
    PyObject *rest, *transport;
    if (sending->sent == length) {
        return 0;
    }
    transport = PyObject_GetAttr(sending->outbox, names[TRANSPORT].object);
    if (transport == NULL) {
        return -1;
    }
    rest = PyBytes_FromStringAndSize(PyBytes_AS_STRING(sending->data) + sending->sent, length - sending->sent);
    status = rest == NULL ? -1 : done(PyObject_CallMethodOneArg(transport, names[WRITE].object, rest));
    Py_XDECREF(rest);
    Py_DECREF(transport);
    return status;
}

/*
 * Take out of a portion of the outboxes what is to be sent. Those that are to be flushed as Python does it get into a list.
 * Whatever goes wrong with one, the others are to send theirs.
 */
static int
takeOutAll(PyObject *outboxes, Py_ssize_t first, Sending *sendings, PyObject *others)
{
    int count = 0;
    for (Py_ssize_t i = first; i < first + PORTION && i < PyList_GET_SIZE(outboxes); i++) {
        PyObject *outbox = Py_NewRef(PyList_GET_ITEM(outboxes, i));
        int taken = takeOut(outbox, sendings + count);
        if (taken > 0) {
            sendings[count++].outbox = outbox;
            continue;
        }
        if (taken == 0) {
            taken = PyList_Append(others, outbox);
        }
        if (taken < 0 && dealWithError(outbox, names[NOT_SENT].object) < 0) {
            PyErr_WriteUnraisable(outbox);
        }
        Py_DECREF(outbox);
    }
    return count;
}

/* No application hears of these, so that nothing can come between two parts of a frame. */
static void
sendRests(Sending *sendings, Py_ssize_t count)
{
    for (Sending *sending = sendings; sending < sendings + count; sending++) {
        if (sendRest(sending) < 0 && dealWithError(sending->outbox, names[NOT_SENT].object) < 0) {
            PyErr_WriteUnraisable(sending->outbox);
        }
        Py_DECREF(sending->data);
        Py_DECREF(sending->outbox);
    }
}

static int
flushPortion(PyObject *outboxes, Py_ssize_t first)
{
    Sending sendings[PORTION];
    PyObject *others = PyList_New(0);
    int count, status = 0;
    if (others == NULL) {
        return -1;
    }
    count = takeOutAll(outboxes, first, sendings, others);
    sendAll(sendings, count);
    sendRests(sendings, count);
    if (PyList_GET_SIZE(others) > 0) {
        status = done(PyObject_CallOneArg(inPython, others));
    }
    Py_DECREF(others);
    return status;
}

static PyObject *
flushAll(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (!isListOf(&outboxClass, arguments, count)) {
        return PyObject_Vectorcall(inPython, arguments, (size_t)count, NULL);
    }
    for (Py_ssize_t first = 0; first < PyList_GET_SIZE(arguments[0]); first += PORTION) {
        if (flushPortion(arguments[0], first) < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

int
isOutbox(PyObject *object)
{
    return isExactly(&outboxClass, object);
}

int
appendFrame(PyObject *outbox, PyObject *frame)
{
    PyObject *first = OUTBOX(outbox, FIRST), *more = OUTBOX(outbox, MORE), *turns = OUTBOX(outbox, TURNS);
    if (first != NULL && first != Py_None && OUTBOX(outbox, IS_BEHIND) == Py_False && more != NULL
        && PyList_CheckExact(more)) {
        return PyList_Append(more, frame);
    }
    if (first == Py_None && OUTBOX(outbox, IS_PAUSED) == Py_False && areUsualTurns(turns)) {
        put(outbox, &slots[FIRST], Py_NewRef(frame));
        return addOutbox(turns, outbox);
    }
    return done(PyObject_CallMethodOneArg(outbox, names[APPEND].object, frame));
}

static PyMethodDef method = {"flushAll", FUNCTION(flushAll), METH_FASTCALL, NULL};

/* Besides: the class of turns; that of sockets; how many bytes are sent in one go. */
PyObject *
bindFlushAll(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *owner, *function, *turns, *sockets;
    long longest;
    if (!PyArg_ParseTuple(arguments, "OOOOl:flushAll", &owner, &function, &turns, &sockets, &longest)
        || makeNames(names) < 0 || bindClass(&outboxClass, owner) < 0 || bindTurns(turns) < 0
        || bindSocketMethod(&socketSend, sockets, "send") < 0) {
        return NULL;
    }
    longestSending = longest;
    keep(&inPython, function);
    return PyCFunction_New(&method, NULL);
}
