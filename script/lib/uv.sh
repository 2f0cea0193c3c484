# find_uv: sets UV to a uv executable, fetching one with whatever pip this machine can offer.
# shellcheck shell=bash

UV_VERSION=0.13.9

find_uv() {
  UV="$CACHE/uv-$UV_VERSION/bin/uv"
  if [[ -x $UV ]]; then
    return
  fi
  if UV=$(command -v uv) && _is_recent_uv "$UV"; then
    return
  fi
  UV="$CACHE/uv-$UV_VERSION/bin/uv"
  local python scratch
  python=$(_any_python) || die "No Python 3 found. Install one of any version, or uv, then run this again."
  say "Fetching uv $UV_VERSION with pip"
  scratch=$(mktemp -d "$CACHE/uv.XXXXXX")
  if ! { _with_pip "$python" || _with_new_pip "$python" || _with_debian_pip "$python"; } >"$scratch/log" 2>&1; then
    cat "$scratch/log" >&2
    rm -rf "$scratch"
    die "uv could not be fetched (see above). Check the network, or install pip for $python, or install uv; then run this again."
  fi
  rm -rf "$CACHE/uv-$UV_VERSION"
  mv "$scratch/uv" "$CACHE/uv-$UV_VERSION"
  rm -rf "$scratch"
}

_is_recent_uv() {
  "$1" --version | awk '{split($2, v, "."); exit !(v[1] > 0 || v[2] >= 11)}'
}

_any_python() {
  local name
  for name in python3 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3,))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}

# uv is a program of its own; the Python that fetches it may be older than those it supports.
_install_uv() {
  PIP_ROOT_USER_ACTION=ignore "$@" install --no-deps --ignore-requires-python --target "$scratch/uv" "uv==$UV_VERSION"
}

_with_pip() {
  _install_uv "$1" -m pip
}

# For a pip that is missing, or too old to know today's packages.
_with_new_pip() {
  "$1" -m venv "$scratch/venv" && "$scratch/venv/bin/python" -m pip install --upgrade pip &&
    _install_uv "$scratch/venv/bin/python" -m pip
}

# Debian splits pip and venv off Python. The package that they come from is fetched without root, and pip runs
# from inside its own wheel.
_with_debian_pip() {
  local wheel
  (cd "$scratch" && apt-get download python3-pip-whl && dpkg-deb -x python3-pip-whl_*.deb .) &&
    wheel=$(compgen -G "$scratch/usr/share/python-wheels/pip-*.whl") && _install_uv "$1" "$wheel/pip"
}

# uv reads none of pip's settings; on a machine that reaches its packages through a mirror only pip knows which.
adopt_pip_settings() {
  local python config
  python=$(_any_python) || return 0
  config=$("$python" -m pip config list 2>/dev/null) || return 0
  local index cert
  index=$(sed -n "s/^[^ =]*\.index-url='\(.*\)'\$/\1/p" <<<"$config" | tail -n 1)
  cert=$(sed -n "s/^[^ =]*\.cert='\(.*\)'\$/\1/p" <<<"$config" | tail -n 1)
  if [[ -n $index && -z ${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-} ]]; then
    export UV_DEFAULT_INDEX=$index
  fi
  if [[ -n $cert && -z ${SSL_CERT_FILE:-} ]]; then
    export SSL_CERT_FILE=$cert
  fi
}
