/*
 * Objects of classes with slots, as functions in C see them.
 *
 * A slot is read and written where it is in the object, without asking Python: where that is, is asked of the class when a
 * function is bound, and that an object is of the class is checked each time.
 */

#ifndef AGTWISTED_OBJECTS_H
#define AGTWISTED_OBJECTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if defined(PYPY_VERSION) || defined(Py_GIL_DISABLED)
#error "agtwisted goes without this here: it leans on CPython's objects, and on its lock"
#endif

typedef struct {
    const char *name;
    Py_ssize_t offset;
} Slot;

typedef struct {
    /* Up to one without a name. */
    Slot *slots;
    PyTypeObject *base;
    /* A subclass that was met last: most processes have one. */
    PyTypeObject *known;
} Class;

/* What is no slot has a name, as Python wants it. */
typedef struct {
    const char *text;
    PyObject *object;
} Name;

/* What a slot holds; NULL if nothing. */
#define HELD(object, slot) (*(PyObject **)((char *)(object) + (slot).offset))

/* A function for the table of a module, and for that of methods. */
#define FUNCTION(name) ((PyCFunction)(void (*)(void))(name))

/* Find the slots of a class, which is the same each time. */
int bindClass(Class *class, PyObject *base);

/* Whether a class that was not met last is one of these. */
int isNewOf(Class *class, PyTypeObject *type);

/* Add to the number in a slot. */
int addTo(PyObject *object, Slot *slot, Py_ssize_t count);

/* Take the exception that was raised, as an `except Exception` does; NULL if it is another. */
PyObject *caught(void);

/* Let a method deal with the exception that was raised; -1 if it raises one, or if that was none for it. */
int dealWithError(PyObject *object, PyObject *method);

/* Let a method in Python do it. */
PyObject *callInPython(
    PyObject *function, PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords);

/* Whether there is one argument, a list of objects of a class. */
int isListOf(Class *class, PyObject *const *arguments, Py_ssize_t count);

/* Make names, up to one without a text. */
int makeNames(Name *names);

static inline int
isOf(Class *class, PyObject *object)
{
    return object != NULL && (Py_TYPE(object) == class->known || isNewOf(class, Py_TYPE(object)));
}

/* The same for classes that have no subclasses which matter. */
static inline int
isExactly(Class *class, PyObject *object)
{
    return object != NULL && Py_TYPE(object) == class->base;
}

/* Put something into a slot, which takes over the reference. */
static inline void
put(PyObject *object, Slot *slot, PyObject *value)
{
    PyObject *before = HELD(object, *slot);
    HELD(object, *slot) = value;
    Py_XDECREF(before);
}

/* What a number is that is not large; -1 for anything else. */
static inline long
numberIn(PyObject *value)
{
    long number;
    int overflow;
    if (value == NULL || !PyLong_CheckExact(value)) {
        return -1;
    }
    number = PyLong_AsLongAndOverflow(value, &overflow);
    return overflow ? -1 : number;
}

/* Keep an object for good, in the place of the one before. */
static inline void
keep(PyObject **place, PyObject *object)
{
    Py_INCREF(object);
    Py_XSETREF(*place, object);
}

/* Something was called for the sake of the effect. */
static inline int
done(PyObject *result)
{
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

#endif
