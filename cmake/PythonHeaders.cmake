# Finds Python with its headers, which Debian and Fedora package apart from the interpreter.
find_package(Python 3.10 QUIET COMPONENTS Interpreter Development.Module)
if(NOT Python_Development.Module_FOUND)
  message(FATAL_ERROR "lawfit: Python.h of ${Python_EXECUTABLE} (${Python_VERSION}) not found; install python3-dev "
    "(Debian, Ubuntu) or python3-devel (Fedora)")
endif()
