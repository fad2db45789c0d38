#include "kernel.h"

static Name names[] = {{"fileno", NULL}, {NULL, NULL}};

int
bindSocketMethod(SocketMethod *method, PyObject *type, const char *name)
{
    PyObject *found = makeNames(names) < 0 ? NULL : PyObject_GetAttrString(type, name);
    if (found == NULL) {
        return -1;
    }
    if (!PyType_Check(type) || !Py_IS_TYPE(found, &PyMethodDescr_Type)) {
        PyErr_Format(PyExc_TypeError, "%R is no method in C of a class", found);
        Py_DECREF(found);
        return -1;
    }
    method->function = ((PyMethodDescrObject *)found)->d_method->ml_meth;
    Py_DECREF(found);
    keep((PyObject **)&method->type, type);
    return 0;
}

int
descriptorOf(PyObject *bound)
{
    long descriptor;
    PyObject *found = PyObject_CallMethodNoArgs(PyCFunction_GET_SELF(bound), names[0].object);
    if (found == NULL) {
        PyErr_Clear();
        return -1;
    }
    descriptor = numberIn(found);
    Py_DECREF(found);
    return descriptor > INT_MAX ? -1 : (int)descriptor;
}
