#include "turns.h"

enum { OUTBOXES, IS_DUE };
static Slot slots[] = {{"outboxes", 0}, {"isDue", 0}, {NULL, 0}};
static Class turnsClass = {slots, NULL, NULL};

enum { SCHEDULE };
static Name names[] = {{"schedule", NULL}, {NULL, NULL}};

int
bindTurns(PyObject *class)
{
    return makeNames(names) < 0 ? -1 : bindClass(&turnsClass, class);
}

int
areUsualTurns(PyObject *turns)
{
    PyObject *outboxes = isExactly(&turnsClass, turns) ? HELD(turns, slots[OUTBOXES]) : NULL;
    return outboxes != NULL && PyList_CheckExact(outboxes);
}

int
addOutbox(PyObject *turns, PyObject *outbox)
{
    if (PyList_Append(HELD(turns, slots[OUTBOXES]), outbox) < 0) {
        return -1;
    }
    return HELD(turns, slots[IS_DUE]) == Py_True ? 0 : done(PyObject_CallMethodNoArgs(turns, names[SCHEDULE].object));
}
