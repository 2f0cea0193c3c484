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
  say "Fetching uv $UV_VERSION with pip"
  local python
  python=$(_any_python) || die "No Python found. Install any Python 3.8 or newer, or uv, then run this again."
  local target="$CACHE/uv-$UV_VERSION.$$"
  local pip
  _find_pip "$python" "$target" ||
    die "Neither pip nor venv works with $python. Install pip (Debian: apt-get install python3-pip) or uv, then run this again."
  PIP_ROOT_USER_ACTION=ignore "${pip[@]}" install --quiet --disable-pip-version-check --no-deps --target "$target" "uv==$UV_VERSION" ||
    die "pip could not fetch uv $UV_VERSION (see above). Install uv by hand or repair pip's access to its index, then run this again."
  rm -rf "$CACHE/uv-$UV_VERSION"
  mv "$target" "$CACHE/uv-$UV_VERSION"
}

_is_recent_uv() {
  "$1" --version | awk '{split($2, v, "."); exit !(v[1] > 0 || v[2] >= 11)}'
}

_any_python() {
  local name
  for name in python3 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}

# _find_pip PYTHON SCRATCH: sets the array `pip`. Debian splits pip and ensurepip off Python, hence three ways.
_find_pip() {
  local python=$1 scratch=$2
  if "$python" -m pip --version >/dev/null 2>&1; then
    pip=("$python" -m pip)
    return
  fi
  mkdir -p "$scratch"
  if "$python" -m venv "$scratch/pip" >/dev/null 2>&1; then
    pip=("$scratch/pip/bin/python" -m pip)
    return
  fi
  # pip runs from inside its own wheel; the package that holds it can be fetched without root.
  if (cd "$scratch" && apt-get download python3-pip-whl && dpkg-deb -x python3-pip-whl_*.deb .) >/dev/null 2>&1; then
    local wheel
    for wheel in "$scratch"/usr/share/python-wheels/pip-*.whl; do
      pip=("$python" "$wheel/pip")
    done
    return
  fi
  return 1
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

# shellcheck disable=SC2153 # PYTHON comes from find_python
# The compiler that PyPI offers as a package serves where there is none and no right to install one.
use_fetched_compiler_if_none() {
  if has_compiler; then
    return
  fi
  local zig="$CACHE/zig"
  if [[ ! -x $zig/bin/python ]]; then
    say "Fetching a C++ compiler (zig)"
    "$UV" venv --quiet --no-project --python "$PYTHON" "$zig"
  fi
  "$UV" pip install --quiet --no-config --python "$zig/bin/python" ziglang ||
    die "There is no C++ compiler and none could be fetched. Install g++, then run this again."
  export CC="$zig/bin/python -m ziglang cc" CXX="$zig/bin/python -m ziglang c++"
  # Without the linker options that Python was built with: zig does not know them all.
  export LDSHARED="$CC -shared" LDCXXSHARED="$CXX -shared"
}
