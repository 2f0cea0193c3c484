# Shared by the scripts beside this directory; to be sourced, not run.
# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is used where it is sourced

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/openbk-dev"

# Home Assistant starts in 3 s with compiled modules and in 8 s without.
unset PYTHONDONTWRITEBYTECODE
# A virtual environment or module path of the caller must not leak into ours.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# The environments depend on these files and on nothing else in the clone.
environment_hash() {
  (cd "$ROOT" && cat requirements_test.txt requirements_override.txt \
    script/setup script/lib/*.sh script/lib/ha_requirements.py | git hash-object --stdin)
}

# environment_ready VENV: made by the present requirement files, and its interpreter still exists.
environment_ready() {
  [[ -f "$ROOT/$1/.openbk-stamp" ]] &&
    [[ $(<"$ROOT/$1/.openbk-stamp") == "$(environment_hash)" ]] &&
    "$ROOT/$1/bin/python" -c '' 2>/dev/null
}

ensure_setup() {
  if ! environment_ready .venv || ! environment_ready .venv-2026.10; then
    "$ROOT/script/setup"
  fi
}

# stage NAME COMMAND…: runs the command, then tells how it ended and how long it took.
stage() {
  local name=$1 started=$SECONDS verdict=ok status=0
  shift
  "$@" || status=$?
  ((status == 0)) || verdict=FAILED
  printf '%-45s %6s %4d s\n' "$name" "$verdict" $((SECONDS - started))
  return $status
}

# check NAME COMMAND…: a stage whose failure is remembered for `verdict` instead of ending the script.
FAILED=()
check() {
  stage "$@" || FAILED+=("$1")
}
verdict() {
  if ((${#FAILED[@]})); then
    printf 'failed: %s\n' "${FAILED[@]}" >&2
    exit 1
  fi
}
