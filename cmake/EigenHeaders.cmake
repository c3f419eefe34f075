# Finds Eigen: a system package, or the headers that the PyPI package cmeel-eigen installs.
find_package(Eigen3 3.4 CONFIG REQUIRED PATH_SUFFIXES cmeel.prefix/share/eigen3/cmake)
