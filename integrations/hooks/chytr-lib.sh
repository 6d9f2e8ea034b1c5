# shellcheck shell=sh
# What the hooks share: where events wait, and how they are sent. POSIX shell and curl alone.
#
# An agent waits for its hooks, so a hook only writes the event to a file and ends. One sender for each work order runs in the
# background, sends what has come together, and retries while the API is away. With each response the API says ahead what the hooks
# are to print should the agent stop next, so that a stop need not wait for it.

# Sets what the hooks need from the environment; fails where there is nowhere to send to.
chytr_ready() {
    if [ -z "${CHYTR_URL:-}${CHYTR_PUBLIC_URL:-}" ] && [ -r .env.local ]; then
        chytr_read_env .env.local
    fi
    CHYTR_URL=${CHYTR_URL:-${CHYTR_PUBLIC_URL:-}}
    CHYTR_URL=${CHYTR_URL%/}
    [ -n "$CHYTR_URL" ] || return 1
    CHYTR_API_KEY=${CHYTR_API_KEY:-${TERARCHITECT_API_KEY:-}}
    chytr_order=${WORK_ORDER_ID:-${CHYT_ID:-}}
    chytr_agent=${CHYTR_AGENT_ID:-}
    # They become part of JSON and of file names.
    case $chytr_order in *[!A-Za-z0-9._-]*) chytr_order='' ;; esac
    case $chytr_agent in *[!A-Za-z0-9._-]*) chytr_agent='' ;; esac
    chytr_base=${CHYTR_SPOOL:-${XDG_STATE_HOME:-${HOME:-/tmp}/.local/state}/chytr-hooks}
    chytr_dir=$chytr_base/${chytr_order:-none}
    umask 077
    [ -d "$chytr_dir" ] || mkdir -p "$chytr_dir" 2>/dev/null || return 1
}

# Ends a hook that has nothing to do. The event is read, since an agent may not expect a hook that does not read it.
chytr_end() {
    [ -t 0 ] || while read -r _; do :; done
    exit 0
}

# Reads the names that the hooks know from a file of NAME=VALUE lines, without running it.
chytr_read_env() {
    while IFS='=' read -r chytr_name chytr_value || [ -n "$chytr_name" ]; do
        case $chytr_name in
        CHYTR_URL | CHYTR_PUBLIC_URL | CHYTR_API_KEY | WORK_ORDER_ID | CHYTR_AGENT_ID) ;;
        *) continue ;;
        esac
        chytr_value=${chytr_value#[\"\']}
        chytr_value=${chytr_value%[\"\']}
        eval "[ -n \"\${$chytr_name:-}\" ] || $chytr_name=\$chytr_value"
    done <"$1"
}

# A name for the event that starts with the time, so that names sort as events came, and with the process within one hundredth of a
# second; and an id that makes a repeat harmless.
chytr_name_event() {
    chytr_id='' chytr_up=''
    { read -r chytr_id </proc/sys/kernel/random/uuid && read -r chytr_up _ </proc/uptime; } 2>/dev/null ||
        { chytr_id=$(date +%s)-$$ && chytr_up=$(date +%s); }
    chytr_up=000000000000${chytr_up%.*}${chytr_up#*.}
    chytr_nth=0000000000$$
    chytr_event=$chytr_dir/${chytr_up#"${chytr_up%????????????}"}-${chytr_nth#"${chytr_nth%??????????}"}-$chytr_id
}

# Writes the event on standard input to the spool: on one line, as it came in. $1: its type; empty: the event says it.
chytr_spool() {
    chytr_name_event
    {
        printf '{"event_id":"%s","event_type":"%s","work_order_id":"%s","agent_id":"%s","raw_payload":' \
            "$chytr_id" "$1" "$chytr_order" "$chytr_agent"
        tr '\r\n' '  '
        printf '}\n'
    } >"$chytr_event.part" 2>/dev/null || return 1
    # Only what has this mark is whole.
    : >"$chytr_event.ok"
}

# Sends the file $1, for $2 seconds at most, and prints what the API says, then its status and the seconds that it took on a line of
# their own. $3: for whom the first line of what it says is, which the hook prints; empty: there is no such line. Two lines follow:
# what a hook is to print should the agent stop next, for Cursor and for Claude Code.
chytr_post() {
    # The key is no argument, since every user of a machine sees those.
    printf 'header = "Authorization: Bearer %s"\n' "$CHYTR_API_KEY" |
        curl --silent --max-time "$2" --connect-timeout "$2" --config - --header 'Content-Type: application/x-ndjson' \
            --data-binary "@$1" --write-out '\n%{http_code} %{time_total}' \
            "$CHYTR_URL/api/v1/ingest?ahead=true${3:+&reply=$3}" 2>/dev/null
}

# Sends the event that was just spooled, with those that wait before it, and prints what the hook is to say: exactly what the API
# returned. Fails if that did not come in time; then the sender sends them. $1: for how many seconds at most; $2: whose words.
chytr_ask() {
    chytr_collect 200
    chytr_reply=$(chytr_post "$chytr_event.batch" "$1" "$2")
    chytr_said=${chytr_reply%
*}
    case ${chytr_reply##*
} in
    2??\ *)
        chytr_forget "$chytr_event.batch"
        printf '%s\n' "${chytr_said%%
*}"
        chytr_keep "${chytr_said#*
}"
        # More waited than one request takes.
        [ ! -e "$chytr_event.ok" ] || chytr_send_later
        ;;
    *)
        rm -f "$chytr_event.batch"
        chytr_send_later
        return 1
        ;;
    esac
}

# Says what is left to do, though the agent waits: what the API says if it says so at once, else what it said ahead. That counts
# once, so that a stop can't follow a stop for ever while the API is away. While the API is known to be slow it is not asked first.
chytr_stop() {
    if [ -e "$chytr_dir/slow" ] && chytr_say_ahead "$1"; then
        chytr_send_later
        return 0
    fi
    chytr_ask "${CHYTR_STOP_WAIT:-0.01}" "$1" && return 0
    : >"$chytr_dir/slow"
    chytr_say_ahead "$1"
}

# Keeps what the API said ahead. A reader sees both lines or none.
chytr_keep() {
    # Events without a work order may be of several; what is said is of one.
    [ -z "$chytr_order" ] || printf '%s\n' "$1" >"$chytr_dir/ahead"
}

# Prints what the API said ahead, once. Fails if there is nothing.
chytr_say_ahead() {
    { IFS= read -r chytr_cursor && IFS= read -r chytr_claude; } 2>/dev/null <"$chytr_dir/ahead" || return 1
    # An agent that a person stopped, that failed, or whose session ends is told nothing. A quotation mark inside of a text has a
    # backslash before it, so these patterns are fields.
    if ! grep -Eq '"hook_event_name" *: *"[sS]top"' "$chytr_event.part" 2>/dev/null ||
        grep -Eq '"status" *: *"(aborted|cancelled|error|failed|failure)"' "$chytr_event.part" 2>/dev/null; then
        return 0
    fi
    rm -f "$chytr_dir/ahead"
    case $1 in claude) printf '%s\n' "$chytr_claude" ;; *) printf '%s\n' "$chytr_cursor" ;; esac
}

# Puts the oldest whole events, $1 at most, into one file, and keeps their names in $chytr_files.
chytr_collect() {
    chytr_files='' chytr_count=0
    for chytr_ok in "$chytr_dir"/*.ok; do
        [ -e "$chytr_ok" ] && [ "$chytr_count" -lt "$1" ] || break
        chytr_files="$chytr_files ${chytr_ok##*/}"
        chytr_count=$((chytr_count + 1))
    done
    [ "$chytr_count" -gt 0 ] || return 1
    # The names are made here and have no spaces.
    (
        cd "$chytr_dir" || exit 1
        for chytr_ok in $chytr_files; do set -- "$@" "${chytr_ok%.ok}.part"; done
        shift
        # One that another sender has just sent is gone, and that is all right.
        cat -- "$@" || :
    ) >"${chytr_event:=$chytr_dir/sender}.batch" 2>/dev/null
}

# Deletes the events that were sent, and the file $1.
chytr_forget() {
    (
        cd "$chytr_dir" || exit 1
        set -- "$1"
        for chytr_ok in $chytr_files; do set -- "$@" "$chytr_ok" "${chytr_ok%.ok}.part"; done
        rm -f -- "$@"
    )
}

# Starts the sender, unless it runs. Returns at once.
chytr_send_later() {
    chytr_lock=$chytr_dir/sender.pid
    if [ -e "$chytr_lock" ]; then
        chytr_pid=''
        read -r chytr_pid <"$chytr_lock" 2>/dev/null || :
        # An empty file is that of one which starts at this moment.
        { [ -z "$chytr_pid" ] || kill -0 "$chytr_pid" 2>/dev/null; } && return 0
        rm -f "$chytr_lock"
    fi
    set -C
    if { true >"$chytr_lock"; } 2>/dev/null; then
        set +C
        (trap '' HUP INT && chytr_sender) </dev/null >/dev/null 2>&1 &
        printf '%s\n' "$!" >"$chytr_lock"
    fi
    set +C
}

# Sends until nothing waits. While the API is away it retries after 1, 2, 4 … 60 seconds, for about ten minutes; what is left
# then waits for the next event. Of more than 20000 events the oldest are dropped, so that a disk never fills.
chytr_sender() {
    chytr_event=$chytr_dir/sender chytr_most=200 chytr_pause=1 chytr_waited=0
    while :; do
        sleep "${CHYTR_SEND_PAUSE:-2}"
        chytr_bound
        if ! chytr_collect "$chytr_most"; then
            rm -f "$chytr_dir/sender.pid" "$chytr_event.batch"
            return 0
        fi
        chytr_reply=$(chytr_post "$chytr_event.batch" 30 '')
        chytr_status=${chytr_reply##*
}
        case $chytr_status in
        2??\ *)
            # In less than 20 ms: a stop may ask again.
            case $chytr_status in *\ 0?0[01]*) rm -f "$chytr_dir/slow" ;; esac
            chytr_keep "${chytr_reply%
*}"
            chytr_forget "$chytr_event.batch" && chytr_most=200 chytr_pause=1 chytr_waited=0
            ;;
        400\ * | 413\ * | 415\ * | 422\ *)
            # One of them is not what the API takes: they go one by one, and that one is dropped.
            if [ "$chytr_count" -eq 1 ]; then chytr_forget "$chytr_event.batch"; else chytr_most=1; fi
            ;;
        *)
            [ "$chytr_waited" -lt 600 ] || break
            sleep "$chytr_pause"
            chytr_waited=$((chytr_waited + chytr_pause))
            chytr_pause=$((chytr_pause * 2))
            [ "$chytr_pause" -le 60 ] || chytr_pause=60
            ;;
        esac
    done
    rm -f "$chytr_dir/sender.pid" "$chytr_event.batch"
}

chytr_bound() {
    set -- "$chytr_dir"/*.ok
    while [ "$#" -gt 20000 ]; do
        rm -f "$1" "${1%.ok}.part"
        shift
    done
}
