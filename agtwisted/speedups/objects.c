#include "objects.h"

#include <structmember.h>

static int
findSlot(PyTypeObject *type, Slot *slot)
{
    PyObject *found = PyObject_GetAttrString((PyObject *)type, slot->name);
    if (found == NULL) {
        return -1;
    }
    if (!Py_IS_TYPE(found, &PyMemberDescr_Type) || ((PyMemberDescrObject *)found)->d_member->type != T_OBJECT_EX) {
        PyErr_Format(PyExc_TypeError, "%s.%s is no slot", type->tp_name, slot->name);
        Py_DECREF(found);
        return -1;
    }
    slot->offset = ((PyMemberDescrObject *)found)->d_member->offset;
    Py_DECREF(found);
    return 0;
}

int
bindClass(Class *class, PyObject *base)
{
    if (class->base == (PyTypeObject *)base) {
        return 0;
    }
    if (class->base != NULL || !PyType_Check(base)) {
        PyErr_Format(PyExc_TypeError, "%R is not the class that it was to be", base);
        return -1;
    }
    for (Slot *slot = class->slots; slot->name != NULL; slot++) {
        if (findSlot((PyTypeObject *)base, slot) < 0) {
            return -1;
        }
    }
    keep((PyObject **)&class->base, base);
    return 0;
}

int
isNewOf(Class *class, PyTypeObject *type)
{
    if (class->base == NULL || !PyType_IsSubtype(type, class->base)) {
        return 0;
    }
    keep((PyObject **)&class->known, (PyObject *)type);
    return 1;
}

int
addTo(PyObject *object, Slot *slot, Py_ssize_t count)
{
    PyObject *before = HELD(object, *slot), *summand, *sum;
    if (before == NULL) {
        PyErr_SetString(PyExc_AttributeError, slot->name);
        return -1;
    }
    summand = PyLong_FromSsize_t(count);
    if (summand == NULL) {
        return -1;
    }
    sum = PyNumber_Add(before, summand);
    Py_DECREF(summand);
    if (sum == NULL) {
        return -1;
    }
    put(object, slot, sum);
    return 0;
}

#if PY_VERSION_HEX < 0x030c0000
static PyObject *
PyErr_GetRaisedException(void)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(error, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return error;
}
#endif

PyObject *
caught(void)
{
    return PyErr_ExceptionMatches(PyExc_Exception) ? PyErr_GetRaisedException() : NULL;
}

int
dealWithError(PyObject *object, PyObject *method)
{
    int status;
    PyObject *error = caught();
    if (error == NULL) {
        return -1;
    }
    status = done(PyObject_CallMethodOneArg(object, method, error));
    Py_DECREF(error);
    return status;
}

PyObject *
callInPython(PyObject *function, PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    PyObject *all[8] = {self};
    Py_ssize_t total = count + (keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords));
    if (total >= (Py_ssize_t)Py_ARRAY_LENGTH(all)) {
        return PyErr_Format(PyExc_TypeError, "%S does not take %zd arguments", function, total);
    }
    memcpy(all + 1, arguments, (size_t)total * sizeof(PyObject *));
    return PyObject_Vectorcall(function, all, (size_t)count + 1, keywords);
}

int
makeNames(Name *names)
{
    for (Name *name = names; name->text != NULL; name++) {
        if (name->object == NULL && (name->object = PyUnicode_InternFromString(name->text)) == NULL) {
            return -1;
        }
    }
    return 0;
}

int
isListOf(Class *class, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 1 || !PyList_CheckExact(arguments[0])) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(arguments[0]); i++) {
        if (!isOf(class, PyList_GET_ITEM(arguments[0], i))) {
            return 0;
        }
    }
    return 1;
}
