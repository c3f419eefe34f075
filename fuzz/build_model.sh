#!/usr/bin/env bash
# Builds the fuzz target of the C interface with clang: fuzz/build_model.sh FOLDER [CMake options].
set -euo pipefail
folder=$1
shift
cmake -S "$(dirname "$0")/.." -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLAWFIT_FUZZ=ON -DLAWFIT_MODEL=ON \
  -DCMAKE_CXX_COMPILER="${CXX:-clang++}" "$@"
cmake --build "$folder" --target fuzz_model
