# The whole system on this machine, for the quickstart and the end-to-end tests. Sourced, never run.
#
# The caller sets `once` (stop everything at the end), `profile`, and calls in this order: prepare_system, build_system,
# choose_directory, start_testbed, start_api, configure_model, start_coordinator. `finish` is its EXIT trap.
# shellcheck shell=bash

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

once=${once:-} dir='' pids=() names=()

finish() {
    local status=$?
    trap - EXIT INT TERM
    if [ -n "$once" ] || [ $status -ne 0 ]; then
        stop_all
        [ -z "$once" ] || remove_what_runs
        [ $status -eq 0 ] || [ -z "$dir" ] || keep_logs
        [ -z "$once" ] || [ -z "$dir" ] || rm -rf -- "$dir"
        stop_started_docker
    fi
    exit $status
}
# Stops the programs with SIGTERM, in the reverse order of their start.
stop_all() {
    local i
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill -TERM "${pids[i]}" 2>/dev/null || continue
        wait "${pids[i]}" 2>/dev/null || true
    done
    pids=()
}
# Removes this run's containers that outlive coordinators that were killed, of whichever job, and the ticket's where no coordinator
# started it. Their jobs end with the data of this run.
remove_what_runs() {
    local of
    for of in "${dir:-/nowhere}"/*/coordinator-id; do
        [ ! -f "$of" ] || remove_containers "$(docker ps -aq --filter "label=io.terarchitect.coordinator-id=$(cat "$of")" 2>/dev/null)"
    done
    [ -z "${ticket:-}" ] || remove_containers "$(containers_of_ticket 2>/dev/null)"
}
remove_containers() {
    local id
    for id in $1; do
        docker rm -f "$id" >/dev/null || warn "could not remove the container $id; remove it with: docker rm -f $id"
    done
}
keep_logs() {
    local kept
    kept=$(mktemp -d "${TMPDIR:-/tmp}/terarchitect-quickstart-logs.XXXXXX")
    cp "$dir"/*.log "$kept"/ 2>/dev/null || true
    warn "failed; the logs are in $kept"
}

prepare_system() {
    step "Checking the requirements"
    require_rust
    require_tools <<'TOOLS'
curl curl calling the API
jq jq reading JSON
setsid util-linux starting programs that outlive the terminal
TOOLS
    require_postgres
    require_docker
    info "$(cargo --version), Docker $(docker version --format '{{.Server.Version}}')"
}

# Builds the programs and the image, in the cargo profile `profile`; sets `bin` and `image`.
build_system() {
    case $profile in
    release | dev) ;;
    *) die "TERARCHITECT_PROFILE is '$profile'; set it to release or dev" ;;
    esac
    image=${AGENT_IMAGE:-terarchitect-agent}
    step "Building ($profile)"
    build_programs "$profile" terarchitect-api terarchitect-coordinator terarchitect-testbed terarchitect-agent-runner terarchitect
    bin=$PROGRAMS
    TERARCHITECT_PROFILE=$profile "$ROOT/scripts/build-agent-image" --tag "$image"
}

# Sets `dir`: a temporary one with `once`, else a permanent one. Creates the keys on first use.
choose_directory() {
    if [ -n "$once" ]; then
        dir=$(mktemp -d "${TMPDIR:-/tmp}/terarchitect-quickstart.XXXXXX")
        # The private Postgres's user must be able to enter it.
        chmod 755 "$dir"
    else
        dir=${TERARCHITECT_QUICKSTART_DIR:-$([ "$(id -u)" = 0 ] && echo /var/lib/terarchitect-quickstart || echo "${XDG_DATA_HOME:-$HOME/.local/share}/terarchitect-quickstart")}
        mkdir -p "$dir"
    fi
    if [ ! -f "$dir/keys.env" ]; then
        (
            umask 077
            for name in TERARCHITECT_API_KEY TERARCHITECT_WORKER_API_KEY; do
                printf '%s=%s\n' "$name" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
            done >"$dir/keys.env"
        )
    fi
    # shellcheck source=/dev/null
    . "$dir/keys.env"
    export TERARCHITECT_API_KEY TERARCHITECT_WORKER_API_KEY
}

# Starts a program in the background, and waits for its ready file. Arguments: name, command.
start() {
    local name=$1 waited=0
    shift
    rm -f "$dir/$name.ready"
    setsid "$@" >>"$dir/$name.log" 2>&1 </dev/null &
    pids+=($!)
    names+=("$name")
    until [ -s "$dir/$name.ready" ]; do
        if ! kill -0 "${pids[-1]}" 2>/dev/null; then
            tail -n 8 "$dir/$name.log" >&2
            die "the $name did not start; the lines above are the end of its log"
        fi
        waited=$((waited + 1))
        [ $waited -lt 1200 ] || die "the $name is not ready after two minutes; see $dir/$name.log"
        sleep 0.1
    done
}

# Ends the script if a program that was started has ended.
require_running() {
    local i
    for i in "${!pids[@]}"; do
        kill -0 "${pids[i]}" 2>/dev/null || die "the ${names[i]} ended unexpectedly; the end of its log: $(tail -n 5 "$dir/${names[i]}.log")"
    done
}

# Sets addresses: where programs listen, so that containers reach them.
find_addresses() {
    # The address at which containers reach this machine: the engine writes it into a container's hosts file.
    local gateway
    gateway=$(docker run --rm --add-host host.docker.internal:host-gateway --entrypoint cat "$image" /etc/hosts |
        awk '$2 == "host.docker.internal" { print $1; exit }')
    addresses=127.0.0.1:0
    # Where it is not an address of this machine (Docker Desktop), the engine forwards to loopback.
    if [ -n "$gateway" ] && hostname -I 2>/dev/null | grep -qwF "$gateway"; then
        addresses=$addresses,$gateway:0
    fi
}

# Starts the scripted model and the forge. Argument: a script for the model. Sets addresses, repo_url and forge_token.
start_testbed() {
    find_addresses
    start testbed "$bin/terarchitect-testbed" demo --listen "$addresses" --data-dir "$dir/testbed" \
        --ready-file "$dir/testbed.ready" ${1:+--script "$1"}
    repo_url=$(testbed .repo_url) forge_token=$(testbed .token)
}
testbed() { jq -r "$1" "$dir/testbed.ready"; }

use_scripted_model() {
    WORKER_LLM_URL=$(testbed .chat_url) WORKER_MODEL=scripted-coder WORKER_API_KEY=sk-scripted-coder
    AGENT_LLM_URL=$WORKER_LLM_URL AGENT_MODEL=scripted-director AGENT_API_KEY=sk-scripted-director
}

# Sets api_url.
start_api() {
    export TERARCHITECT_DATA_DIR=$dir/api
    local listen=$addresses
    [ -n "$once" ] || [ ! -s "$dir/port" ] || listen=${addresses//:0/:$(cat "$dir/port")}
    start api env TERARCHITECT_LISTEN="$listen" TERARCHITECT_READY_FILE="$dir/api.ready" \
        GITHUB_API_URL="$(testbed .api_url)" "$bin/terarchitect-api"
    api_url=$(jq -r '.urls[0]' "$dir/api.ready")
    printf '%s' "${api_url##*:}" >"$dir/port"
}

# Calls the API. Arguments: method, path, body. Prints the response; an error ends the script with the API's message.
call() {
    local response status
    response=$(curl -sS -X "$1" "$api_url$2" -H "Authorization: Bearer $TERARCHITECT_API_KEY" \
        -H 'Content-Type: application/json' ${3:+-d "$3"} -w '\n%{http_code}') || die "the API does not respond at $api_url"
    status=${response##*$'\n'} response=${response%$'\n'*}
    case $status in 2*) printf '%s' "$response" ;; *) die "the API returned $status for $1 $2: $(jq -r '.error // .' <<<"$response")" ;; esac
}

configure_model() {
    call PUT /api/settings "$(jq -n --arg wu "$WORKER_LLM_URL" --arg wm "$WORKER_MODEL" --arg wk "${WORKER_API_KEY:-}" \
        --arg au "${AGENT_LLM_URL:-}" --arg am "${AGENT_MODEL:-}" --arg ak "${AGENT_API_KEY:-}" --arg token "$forge_token" \
        '{WORKER_LLM_URL: $wu, WORKER_MODEL: $wm, WORKER_API_KEY: $wk, AGENT_LLM_URL: $au, AGENT_MODEL: $am,
          AGENT_API_KEY: $ak, github_agent_token: $token}')" >/dev/null
}

# Argument: where its state is, if that is not the usual place.
start_coordinator() {
    # No secret of the caller's environment may reach the demonstration's containers.
    start coordinator env -u GITHUB_TOKEN -u WORKER_LLM_URL -u WORKER_MODEL -u WORKER_API_KEY -u AGENT_LLM_URL \
        -u AGENT_MODEL -u AGENT_API_KEY -u TERARCHITECT_API_KEY -u PROJECT_ID -u PROJECT_IDS \
        TERARCHITECT_API_URL="$api_url" GITHUB_API_URL="$(testbed .api_url)" AGENT_IMAGE="$image" \
        DRAIN_MODE="$([ -n "$once" ] && echo cancel || echo wait)" \
        COORDINATOR_STATE_DIR="${1:-$dir/coordinator}" COORDINATOR_READY_FILE="$dir/coordinator.ready" \
        "$bin/terarchitect-coordinator"
}

# Creates a project, and a ticket in its backlog. Arguments: title, description. Sets project and ticket.
make_ticket() {
    project=$(call POST /api/projects "$(jq -n --arg url "$repo_url" '{name: "Hello", description: "A sample", github_url: $url, is_existing_repo: true}')" | jq -r .id)
    ticket=$(call POST "/api/projects/$project/tickets" "$(jq -n --arg title "$1" --arg description "$2" '{title: $title, description: $description, column_id: "backlog"}')" | jq -r .id)
    shown=0
}

# The status of the ticket's latest job.
job_status() { call GET "/api/jobs?ticket_id=$ticket&limit=1" | jq -r '.jobs[0].status // "none"'; }

ticket_logs() { call GET "/api/projects/$project/tickets/$ticket/logs"; }

# Prints the log entries since the last call.
show_new() {
    local logs count
    logs=$(ticket_logs)
    count=$(jq length <<<"$logs")
    if [ "$count" -gt "$shown" ]; then
        jq -r --argjson from "$shown" --arg started "$started" --arg dim "$DIM" --arg plain "$PLAIN" '
            def seconds: (.created_at | sub("\\.[0-9]+"; "") | sub("\\+00:00$"; "Z") | fromdateiso8601)
                - ($started | tonumber | floor);
            .[$from:][] | "    \($dim)\(seconds | tostring | ("    " + .)[-4:])s\($plain)  \(.step): \(.summary | gsub("\n"; " ") | .[0:140])"' <<<"$logs"
        shown=$count
    fi
}

containers_of_ticket() { docker ps -aq --filter "label=io.terarchitect.ticket-id=$ticket"; }
