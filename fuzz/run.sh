#!/usr/bin/env bash
# Fuzzes every target in turn, over and over: fuzz/run.sh FOLDER SECONDS [FUZZ_MODEL], where SECONDS is what one
# turn of a target takes and FUZZ_MODEL what fuzz/build_model.sh built. Ends after TURNS turns (1).
# Inputs and logs go to FOLDER; findings to FOLDER/findings. PYTHON names the interpreter.
set -uo pipefail
folder=$1 seconds=$2 model=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder/findings"
for turn in $(seq "${TURNS:-1}"); do
  for target in formula condition csv fit model; do
    new="$folder/$target"
    mkdir -p "$new"
    case $target in
      model)
        [ -n "$model" ] || continue
        command=("$model") ;;
      *) command=("${PYTHON:-python}" "$here/fuzz_python.py" "$target") ;;
    esac
    case $target in formula | condition) words=("-dict=$here/formula.dict") ;; *) words=() ;; esac
    "${command[@]}" "$new" "$here/corpus/$target" "${words[@]}" -max_total_time="$seconds" -timeout=120 \
      -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 -artifact_prefix="$folder/findings/$target-" \
      >> "$folder/$target.log" 2>&1 || echo "turn $turn: $target ended with a finding; see $folder/$target.log"
  done
done
echo "target executions largest_mb findings"
for target in formula condition csv fit model; do
  [ -e "$folder/$target.log" ] || continue
  awk -v name="$target" '/number_of_executed_units/ { runs += $2 } /peak_rss_mb/ { if ($2 > peak) peak = $2 }
    /Test unit written to/ { found += 1 } END { print name, runs + 0, peak + 0, found + 0 }' "$folder/$target.log"
done
