/*
 * Reading from many connections: ReadingProtocol.readAll.
 */

#include "functions.h"
#include "kernel.h"

#include <errno.h>
#include <stdint.h>

enum { STATE, BYTES_RECEIVED, RECEIVER, USUAL_LENGTH, DESCRIPTOR, RECEIVE, READ_LENGTH };
static Slot slots[] = {
    {"state", 0},       {"bytesReceived", 0}, {"_receiver", 0}, {"_usualLength", 0},
    {"_descriptor", 0}, {"_receive", 0},      {"_readSize", 0}, {NULL, 0},
};
static Class protocolClass = {slots, NULL, NULL};

static PyObject *inPython;
static SocketMethod socketRecv;
static long openState;

enum { FAILED, TAKEN, READ_ALONE, LONGEST_FRAME, MESSAGE_RECEIVED, FACTORY, SERVER, WHEEL, SECONDS };
static Name names[] = {
    {"_failed", NULL}, {"_taken", NULL},    {"_readAlone", NULL}, {"_longestFrame", NULL}, {"messageReceived", NULL},
    {"factory", NULL}, {"agServer", NULL},  {"wheel", NULL},      {"seconds", NULL},       {NULL, NULL},
};

#define PROTOCOL(object, slot) HELD(object, slots[slot])

/* The lengths of heads that have the length of the payload in one byte, or in two more. */
#define SHORT_HEAD 6
#define LONG_HEAD 8
/* The longest frame that has a short head. */
#define SHORT_FRAME (SHORT_HEAD + 125)
#define FINAL_TEXT 0x81
#define MASKED 0x80
#define TWO_MORE 126

typedef struct {
    PyObject *protocol;
    int descriptor;
    int error;
    unsigned char *data;
    Py_ssize_t size;
    Py_ssize_t length;
} Reading;

/* What is read in one go, of all together. Somebody may let others be read while they deal with it. */
static unsigned char arena[1 << 18];
static int isReading;

/* A connection that is to be read by itself, as Python does it. */
#define APART -2

/* Find out how to read from a connection. */
static void
prepare(Reading *reading, PyObject *protocol)
{
    long descriptor = numberIn(PROTOCOL(protocol, DESCRIPTOR)), size = numberIn(PROTOCOL(protocol, READ_LENGTH));
    int isUsual = descriptor >= 0 && descriptor <= INT_MAX && size > 0 && size <= (long)sizeof(arena)
        && isBoundTo(PROTOCOL(protocol, RECEIVE), &socketRecv);
    reading->protocol = protocol;
    reading->descriptor = isUsual ? (int)descriptor : -1;
    reading->size = isUsual ? size : 0;
    reading->length = APART;
    reading->error = 0;
}

/* Collect as many connections as there is room for; their number is returned. */
static Py_ssize_t
collect(PyObject *protocols, Py_ssize_t first, Reading *readings)
{
    Py_ssize_t count = 0, left = (Py_ssize_t)sizeof(arena);
    while (count < PORTION && first + count < PyList_GET_SIZE(protocols)) {
        Reading *reading = readings + count;
        prepare(reading, PyList_GET_ITEM(protocols, first + count));
        if (reading->size > left) {
            break;
        }
        reading->data = arena + sizeof(arena) - left;
        left -= reading->size;
        Py_INCREF(reading->protocol);
        count++;
    }
    return count;
}

static void
receiveAll(Reading *readings, Py_ssize_t count)
{
    Py_BEGIN_ALLOW_THREADS
    for (Reading *reading = readings; reading < readings + count; reading++) {
        if (reading->size > 0) {
            reading->length = recv(reading->descriptor, reading->data, (size_t)reading->size, MSG_DONTWAIT);
            reading->error = errno;
        }
    }
    Py_END_ALLOW_THREADS
}

/* Whether a frame is not longer than may be read as a usual one; -1 with an exception. */
static int
isNotTooLong(Reading *reading)
{
    PyObject *longest = PyObject_GetAttr(reading->protocol, names[LONGEST_FRAME].object);
    int isIt = longest != NULL && reading->length <= numberIn(longest);
    return done(longest) < 0 ? -1 : isIt;
}

/*
 * How long the head is, if what has come is one usual message and nothing else; 0 if it is something else; -1 with an
 * exception.
 */
static inline int
headOf(Reading *reading)
{
    const unsigned char *data = reading->data;
    Py_ssize_t length = reading->length;
    long usual = numberIn(PROTOCOL(reading->protocol, USUAL_LENGTH));
    if (length < SHORT_HEAD || data[0] != FINAL_TEXT || usual <= 0
        || numberIn(PROTOCOL(reading->protocol, STATE)) != openState || PROTOCOL(reading->protocol, RECEIVER) == NULL) {
        return 0;
    }
    if (length <= usual && length <= SHORT_FRAME && data[1] == (MASKED | (length - SHORT_HEAD))) {
        return SHORT_HEAD;
    }
    if (length > SHORT_FRAME + 2 && data[1] == (MASKED | TWO_MORE) && length - LONG_HEAD == (data[2] << 8 | data[3])) {
        int isUsual = isNotTooLong(reading);
        return isUsual > 0 ? LONG_HEAD : isUsual;
    }
    return 0;
}

/* The payload of a frame behind its head, which ends with the mask. */
static PyObject *
unmasked(const unsigned char *masked, Py_ssize_t length)
{
    PyObject *payload = PyBytes_FromStringAndSize(NULL, length);
    const unsigned char *mask = masked - 4;
    unsigned char *plain;
    uint64_t word, twice;
    Py_ssize_t i = 0;
    if (payload == NULL) {
        return NULL;
    }
    plain = (unsigned char *)PyBytes_AS_STRING(payload);
    memcpy(&twice, mask, 4);
    memcpy((unsigned char *)&twice + 4, mask, 4);
    for (; i + 8 <= length; i += 8) {
        memcpy(&word, masked + i, 8);
        word ^= twice;
        memcpy(plain + i, &word, 8);
    }
    for (; i < length; i++) {
        plain[i] = masked[i] ^ mask[i & 3];
    }
    return payload;
}

static int
takeMessage(Reading *reading, int head, PyObject *now)
{
    int status;
    PyObject *arguments[] = {NULL, NULL, Py_False, now};
    if (addTo(reading->protocol, &slots[BYTES_RECEIVED], reading->length) < 0) {
        return -1;
    }
    arguments[1] = unmasked(reading->data + head, reading->length - head);
    if (arguments[1] == NULL) {
        return -1;
    }
    arguments[0] = PROTOCOL(reading->protocol, RECEIVER);
    Py_INCREF(arguments[0]);
    status = done(PyObject_VectorcallMethod(names[MESSAGE_RECEIVED].object, arguments, 4, NULL));
    Py_DECREF(arguments[0]);
    Py_DECREF(arguments[1]);
    return status;
}

/* What was read, or why nothing was. */
static PyObject *
outcome(Reading *reading)
{
    if (reading->length >= 0) {
        return PyBytes_FromStringAndSize((char *)reading->data, reading->length);
    }
    errno = reading->error;
    PyErr_SetFromErrno(PyExc_OSError);
    return caught();
}

static int
take(Reading *reading, PyObject *now)
{
    int status, head;
    PyObject *data;
    if (reading->length == APART) {
        return done(PyObject_CallMethodNoArgs(reading->protocol, names[READ_ALONE].object));
    }
    head = headOf(reading);
    if (head != 0) {
        return head < 0 ? -1 : takeMessage(reading, head, now);
    }
    if (reading->length < 0 && (reading->error == EAGAIN || reading->error == EWOULDBLOCK || reading->error == EINTR)) {
        return 0;
    }
    data = outcome(reading);
    if (data == NULL) {
        return -1;
    }
    status = done(PyObject_CallMethodOneArg(reading->protocol, names[TAKEN].object, data));
    Py_DECREF(data);
    return status;
}

/* By the clock of the server, of which there is one for all. */
static PyObject *
heardAt(PyObject *protocol)
{
    PyObject *found = Py_NewRef(protocol), *now;
    for (int each = FACTORY; each <= WHEEL && found != NULL; each++) {
        Py_SETREF(found, PyObject_GetAttr(found, names[each].object));
    }
    if (found == NULL) {
        return NULL;
    }
    now = PyObject_CallMethodNoArgs(found, names[SECONDS].object);
    Py_DECREF(found);
    return now;
}

static int
takeAll(Reading *readings, Py_ssize_t count, PyObject *now)
{
    int status = 0;
    for (Reading *reading = readings; reading < readings + count; reading++) {
        if (status == 0 && take(reading, now) < 0) {
            /* Its own affair: what the others have said is to be heard. */
            status = dealWithError(reading->protocol, names[FAILED].object);
        }
        Py_DECREF(reading->protocol);
    }
    return status;
}

static int
readPortions(PyObject *protocols)
{
    Reading readings[PORTION];
    Py_ssize_t first = 0;
    while (first < PyList_GET_SIZE(protocols)) {
        int status;
        Py_ssize_t count;
        PyObject *now = heardAt(PyList_GET_ITEM(protocols, first));
        if (now == NULL) {
            return -1;
        }
        count = collect(protocols, first, readings);
        receiveAll(readings, count);
        status = takeAll(readings, count, now);
        Py_DECREF(now);
        if (status < 0) {
            return -1;
        }
        first += count;
    }
    return 0;
}

static PyObject *
readAll(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    int status;
    if (isReading || !isListOf(&protocolClass, arguments, count)) {
        return PyObject_Vectorcall(inPython, arguments, (size_t)count, NULL);
    }
    isReading = 1;
    status = readPortions(arguments[0]);
    isReading = 0;
    if (status < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef method = {"readAll", FUNCTION(readAll), METH_FASTCALL, NULL};

/* Besides: the class of sockets; the state of an open connection. */
PyObject *
bindReadAll(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *owner, *function, *sockets;
    long state;
    if (!PyArg_ParseTuple(arguments, "OOOl:readAll", &owner, &function, &sockets, &state) || makeNames(names) < 0
        || bindClass(&protocolClass, owner) < 0 || bindSocketMethod(&socketRecv, sockets, "recv") < 0) {
        return NULL;
    }
    openState = state;
    keep(&inPython, function);
    return PyCFunction_New(&method, NULL);
}
