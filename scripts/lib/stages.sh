# The stages of scripts/test: each is timed, some run in parallel with others, and the table at the end shows how long each
# took and which one failed. Sourced, never run; the caller sets ON_END to a command that always runs at the end.
# shellcheck shell=bash

STAGES_DIR=$(mktemp -d "${TMPDIR:-/tmp}/terarchitect-test.XXXXXX")
STAGES_STARTED=$SECONDS
# The current stage: its name, its start, and the process that leads its group.
stage_name='' stage_started=0 stage_pid=''
# The stages that run in parallel with it, by process id.
declare -A beside_names=() beside_logs=()

record() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$STAGES_DIR/table"; }

# Each stage leads a process group of its own, so that it can be ended with all that it started. `wait` lets a signal to
# this script be handled at once.
run_in_group() {
    set -m
    (
        set -e
        trap - EXIT INT TERM
        "$@"
    ) </dev/null &
    stage_pid=$!
    set +m
}

# Runs a stage: name, command. A failure ends the script.
stage() {
    local status=0
    stage_name=$1 stage_started=$SECONDS
    shift
    step "$stage_name"
    run_in_group "$@"
    wait "$stage_pid" || status=$?
    stage_pid=''
    [ $status -eq 0 ] || exit $status
    record "$stage_name" $((SECONDS - stage_started)) passed
    info "$stage_name: $((SECONDS - stage_started)) s"
    stage_name=''
}

# Starts a stage in parallel with those that follow, until `join`. Its output is shown if it fails.
beside() {
    local name=$1 log
    shift
    log=$STAGES_DIR/beside-${#beside_names[@]}.log
    step "$name (in parallel with the next stages)"
    run_in_group timed "$name" "$@" >"$log" 2>&1
    beside_names[$stage_pid]=$name beside_logs[$stage_pid]=$log
    stage_pid=''
}
timed() {
    local name=$1 from=$SECONDS
    shift
    "$@"
    record "$name (in parallel)" $((SECONDS - from)) passed
}

# Waits for the parallel stages, and fails if one of them failed.
join() {
    local pid status
    for pid in "${!beside_names[@]}"; do
        status=0 stage_name=${beside_names[$pid]} stage_started=$SECONDS
        wait "$pid" || status=$?
        if [ $status -ne 0 ]; then
            step "$stage_name"
            cat "${beside_logs[$pid]}"
            exit $status
        fi
        unset "beside_names[$pid]"
        stage_name=''
    done
}

# Ends a stage, and waits until all of its group has ended: programs clean up after themselves.
end_group() {
    local waited
    kill -TERM -- "-$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || true
    for ((waited = 0; waited < 200; waited++)); do
        kill -0 -- "-$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL -- "-$1" 2>/dev/null || true
}

finish_stages() {
    local status=$? pid
    trap - EXIT INT TERM
    [ -z "$stage_pid" ] || end_group "$stage_pid"
    for pid in "${!beside_names[@]}"; do end_group "$pid"; done
    [ -z "$stage_name" ] || record "$stage_name" $((SECONDS - stage_started)) FAILED
    ${ON_END:-true}
    if [ -s "$STAGES_DIR/table" ]; then
        step "Stages"
        awk -F '\t' '{ printf "    %6d s  %-6s  %s\n", $2, $3, $1 }' "$STAGES_DIR/table"
    fi
    info "$((SECONDS - STAGES_STARTED)) s in total"
    rm -rf -- "$STAGES_DIR"
    if [ $status -ne 0 ] && [ -n "$stage_name" ]; then warn "failed in the stage '$stage_name'"; fi
    exit $status
}
trap finish_stages EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
