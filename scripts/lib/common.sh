# What the scripts share: messages, and installing what a fresh machine lacks. Sourced, never run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

if [ -t 1 ]; then BOLD=$(printf '\033[1m') DIM=$(printf '\033[2m') PLAIN=$(printf '\033[0m'); else BOLD='' DIM='' PLAIN=''; fi

step() { printf '%s==> %s%s\n' "$BOLD" "$*" "$PLAIN"; }
info() { printf '    %s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    warn "$*"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root, through sudo if needed and if sudo does not prompt.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo && sudo -n true 2>/dev/null; then sudo "$@"; else return 126; fi
}

# Installs Debian packages, or prints the command that does. If a package source can't be reached, the others are still
# used.
install_packages() {
    local reason=$1
    shift
    if have apt-get; then
        info "installing $* (needed for $reason)"
        local log
        log=$(mktemp)
        if as_root env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -qq || true; apt-get install -y -qq --no-install-recommends "$@"' apt "$@" >"$log" 2>&1 </dev/null; then
            rm -f "$log"
            return 0
        fi
        tail -n 15 "$log" >&2
        rm -f "$log"
    fi
    die "could not install $* (needed for $reason); install it, then run this again: sudo apt-get install $*"
}

# Each line of the input: a command to check for, the package that contains it, what it is needed for.
require_tools() {
    local missing=() reasons='' command package reason
    while read -r command package reason; do
        [ -n "$command" ] || continue
        case " ${missing[*]} " in *" $package "*) continue ;; esac
        have "$command" || { missing+=("$package") && reasons="$reasons${reasons:+, }$reason"; }
    done
    [ ${#missing[@]} = 0 ] || install_packages "$reasons" "${missing[@]}"
}

require_rust() {
    have cargo || [ ! -f "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
    have cargo || die "Rust is needed; install it as https://rustup.rs describes, then run this again"
    require_tools <<'TOOLS'
cc build-essential the C parts of some crates
make build-essential the C parts of some crates
perl perl building OpenSSL
git git working with repositories
TOOLS
    # The build of OpenSSL needs modules that a minimal perl lacks.
    perl -MIPC::Cmd -MFindBin -e 1 2>/dev/null || install_packages "building OpenSSL" perl
}

# Postgres's own programs need not run as a service: the API runs its private one from them.
require_postgres() {
    have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || install_postgres
}

install_postgres() {
    # Debian's package would create and start a cluster of its own, which is not needed.
    if have apt-get && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        install_packages "the API's private database" postgresql-common
        as_root sed -i 's/^#* *create_main_cluster *=.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf || true
    fi
    install_packages "the API's private database" postgresql
}

docker_responds() { timeout 20 docker info >/dev/null 2>&1; }

# Makes sure that a Docker engine responds. Sets STARTED_DOCKERD to the process that had to be started, if any.
STARTED_DOCKERD=''
require_docker() {
    have docker && have dockerd || docker_responds || install_packages "running agents in containers" docker.io
    docker_responds && return 0
    if [ -d /run/systemd/system ]; then
        info "starting the Docker engine"
        as_root systemctl start docker || true
    elif [ "$(id -u)" = 0 ] && have dockerd; then
        info "starting the Docker engine (there is no systemd here, so dockerd itself)"
        # A killed dockerd leaves its pid file behind, and the pid may belong to another program by now.
        local pid_file=/var/run/docker.pid
        if [ -f $pid_file ] && [ "$(cat "/proc/$(cat $pid_file)/comm" 2>/dev/null)" != dockerd ]; then rm -f $pid_file; fi
        setsid dockerd >"${DOCKERD_LOG:-/var/log/dockerd.log}" 2>&1 </dev/null &
        STARTED_DOCKERD=$!
    fi
    local waited=0
    until docker_responds; do
        if [ -n "$STARTED_DOCKERD" ] && ! kill -0 "$STARTED_DOCKERD" 2>/dev/null; then
            tail -n 5 "${DOCKERD_LOG:-/var/log/dockerd.log}" >&2
            die "the Docker engine did not start; the lines above are the end of its log"
        fi
        [ $waited -lt 60 ] || break
        waited=$((waited + 1))
        sleep 1
    done
    docker_responds && return 0
    id -nG | grep -qw docker || [ "$(id -u)" = 0 ] ||
        die "this user may not use Docker; run: sudo usermod -aG docker $(id -un), log in again, then run this again"
    die "the Docker engine does not respond; start it (sudo systemctl start docker), then run this again"
}

# Ends the engine that require_docker had to start.
stop_started_docker() {
    [ -n "$STARTED_DOCKERD" ] || return 0
    kill "$STARTED_DOCKERD" 2>/dev/null && wait "$STARTED_DOCKERD" 2>/dev/null
    STARTED_DOCKERD=''
}

# The OpenCode version that the agent image pins.
opencode_version() { image_version OPENCODE_VERSION; }

# Puts OpenCode under target/ for tests that run it on the host, and sets OPENCODE_BIN.
require_opencode() {
    [ -z "${OPENCODE_BIN:-}" ] || return 0
    local version prefix
    version=$(opencode_version)
    prefix=$ROOT/target/tools/opencode-$version
    OPENCODE_BIN=$prefix/node_modules/.bin/opencode
    export OPENCODE_BIN
    [ -x "$OPENCODE_BIN" ] && return 0
    require_tools <<'TOOLS'
npm npm installing OpenCode
TOOLS
    info "installing OpenCode $version for the tests"
    mkdir -p "$prefix"
    npm install --prefix "$prefix" --no-audit --no-fund --silent "opencode-ai@$version" >/dev/null </dev/null ||
        die "could not install OpenCode $version with npm; for the reason, run: npm install --prefix $prefix opencode-ai@$version"
    [ -x "$OPENCODE_BIN" ] || die "npm installed OpenCode $version, but $OPENCODE_BIN does not exist; remove $prefix, then run this again"
}

# A version that the agent image pins. Argument: its name there.
image_version() { sed -n "s/^ARG $1=//p" "$ROOT/Dockerfile.agent" | head -n 1; }

# Puts Claude Code and Codex under target/ (with TERARCHITECT_ALL_AGENTS also Gemini CLI, Qwen Code, Kimi Code and Copilot CLI), with
# the Node that runs them, for tests that run them on the host, and sets ACP_AGENTS_DIR to the folder with their programs.
require_acp_agents() {
    [ -z "${ACP_AGENTS_DIR:-}" ] || return 0
    local node claude codex all prefix name package packages
    node=$(image_version NODE_VERSION) claude=$(image_version CLAUDE_AGENT_ACP_VERSION) codex=$(image_version CODEX_ACP_VERSION)
    all=${TERARCHITECT_ALL_AGENTS:+-all}
    prefix=$ROOT/target/tools/acp-$node-$claude-$codex$all
    ACP_AGENTS_DIR=$prefix/bin
    export ACP_AGENTS_DIR
    [ ! -d "$ACP_AGENTS_DIR" ] || return 0
    require_tools <<'TOOLS'
npm npm installing Claude Code and Codex
TOOLS
    info "installing Claude Code ($claude) and Codex ($codex)${all:+, and the other agents,} for the tests"
    mkdir -p "$prefix"
    # Node's own script of installation is what brings its program.
    packages=("node@$node" "@agentclientprotocol/claude-agent-acp@$claude" "@agentclientprotocol/codex-acp@$codex")
    [ -z "$all" ] || packages+=("@google/gemini-cli@$(image_version GEMINI_CLI_VERSION)" "@qwen-code/qwen-code@$(image_version QWEN_CODE_VERSION)"
        "@moonshot-ai/kimi-code@$(image_version KIMI_CODE_VERSION)" "@github/copilot@$(image_version COPILOT_VERSION)")
    npm install --prefix "$prefix" --no-audit --no-fund --silent "${packages[@]}" >/dev/null </dev/null ||
        die "could not install the agents with npm; for the reason, run: npm install --prefix $prefix ${packages[*]}"
    mkdir -p "$prefix/bin.new"
    for name in claude-agent-acp codex-acp ${all:+gemini qwen kimi copilot}; do
        case $name in
        gemini) package=@google/gemini-cli/bundle/gemini.js ;;
        qwen) package=@qwen-code/qwen-code/cli-entry.js ;;
        kimi) package=@moonshot-ai/kimi-code/dist/main.mjs ;;
        copilot) package=@github/copilot/npm-loader.js ;;
        *) package=@agentclientprotocol/$name/dist/index.js ;;
        esac
        package=$prefix/node_modules/$package
        [ -f "$package" ] || die "npm installed $name, but $package does not exist; remove $prefix, then run this again"
        printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$prefix/node_modules/node/bin/node" "$package" >"$prefix/bin.new/$name"
        chmod 755 "$prefix/bin.new/$name"
    done
    mv "$prefix/bin.new" "$ACP_AGENTS_DIR"
}

# The least Node that the page's tools run on, and the one that is installed where there is an older one.
NODE_MAJOR=20 NODE_VERSION=22
require_node() {
    require_tools <<'TOOLS'
node nodejs building and testing the page
npm npm building and testing the page
TOOLS
    node_is_new() { [ "$(node -p 'process.versions.node.split(".")[0]')" -ge $NODE_MAJOR ]; }
    node_is_new && return 0
    local prefix=$ROOT/target/tools/node-$NODE_VERSION
    if [ ! -x "$prefix/node_modules/.bin/node" ]; then
        info "installing Node $NODE_VERSION for the page's tools, since this is $(node --version)"
        mkdir -p "$prefix"
        npm install --prefix "$prefix" --no-audit --no-fund --silent "node@$NODE_VERSION" >/dev/null </dev/null ||
            die "the page's tools need Node $NODE_MAJOR or newer, and this is $(node --version); install a newer one (https://nodejs.org), then run this again"
    fi
    export PATH=$prefix/node_modules/.bin:$PATH
    node_is_new || die "the page's tools need Node $NODE_MAJOR or newer, and this is $(node --version)"
}

# Installs what the page is built and tested with, as web/package-lock.json pins it.
require_page_tools() {
    require_node
    local lock=$ROOT/web/package-lock.json stamp=$ROOT/web/node_modules/.terarchitect-lock
    cmp -s "$lock" "$stamp" && return 0
    info "installing the page's tools"
    (cd "$ROOT/web" && npm ci --no-audit --no-fund --silent </dev/null >/dev/null) ||
        die "could not install the page's tools with npm; for the reason, run: cd $ROOT/web && npm ci"
    cp "$lock" "$stamp"
}

# Installs the OpenID Connect provider that the API's tests sign in with; without it they fail from then on.
require_oidc_provider() {
    require_node
    "$ROOT/scripts/lib/oidc-provider" || die "could not install the OpenID Connect provider of the tests with npm; its words are above"
    export TERARCHITECT_REQUIRE_OIDC=1
}

# Puts schemathesis under target/, and sets SCHEMATHESIS.
SCHEMATHESIS_VERSION=4.32.5
require_schemathesis() {
    local prefix=$ROOT/target/tools/schemathesis-$SCHEMATHESIS_VERSION
    SCHEMATHESIS=$prefix/bin/schemathesis
    [ -x "$SCHEMATHESIS" ] && return 0
    require_tools <<'TOOLS'
python3 python3 checking openapi.json
TOOLS
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_packages "checking openapi.json" python3-venv
    info "installing schemathesis $SCHEMATHESIS_VERSION"
    rm -rf -- "$prefix"
    mkdir -p "${prefix%/*}"
    python3 -m venv "$prefix" && "$prefix/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$SCHEMATHESIS_VERSION" </dev/null ||
        die "could not install schemathesis $SCHEMATHESIS_VERSION with pip; the lines above say why"
    [ -x "$SCHEMATHESIS" ] || die "pip installed schemathesis $SCHEMATHESIS_VERSION, but $SCHEMATHESIS does not exist; remove $prefix, then run this again"
}

# Builds packages, and sets PROGRAMS to the folder with their programs. Arguments: cargo profile, packages. If
# TERARCHITECT_PROGRAMS names a folder with programs that are already built, nothing is built: cargo would choose other
# features for some packages than for all, and build their dependencies again.
build_programs() {
    local profile=$1 package
    shift
    if [ -n "${TERARCHITECT_PROGRAMS:-}" ]; then
        PROGRAMS=$TERARCHITECT_PROGRAMS
        return
    fi
    local packages=()
    for package in "$@"; do packages+=(-p "$package"); done
    SQLX_OFFLINE=true cargo build --quiet --locked --profile "$profile" "${packages[@]}"
    PROGRAMS=${CARGO_TARGET_DIR:-$ROOT/target}/$([ "$profile" = dev ] && echo debug || echo "$profile")
}
