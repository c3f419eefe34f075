# Finds nlohmann/json: a system package, or the headers that the PyPI package nlohmann-json installs.
find_path(NLOHMANN_JSON_INCLUDE_DIR nlohmann/json.hpp PATH_SUFFIXES nlohmann_json/include)
if(NOT NLOHMANN_JSON_INCLUDE_DIR)
  message(FATAL_ERROR "lawfit: nlohmann/json.hpp not found; install nlohmann-json3-dev (Debian) or "
    "nlohmann-json (PyPI, and add its site-packages to CMAKE_PREFIX_PATH), or set "
    "NLOHMANN_JSON_INCLUDE_DIR")
endif()
