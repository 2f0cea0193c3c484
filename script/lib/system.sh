# System packages: the broker, the browser, and a compiler for the two packages that have no wheel.
# shellcheck shell=bash

COULD_NOT_BRING=()

bring_system_packages() {
  local wanted=()
  has_mosquitto || wanted+=(mosquitto)
  has_compiler || wanted+=(g++)
  # Elsewhere than on Debian itself the package is called otherwise, or is a snap.
  if ! has_browser && [[ $(_os_id) == debian ]]; then
    wanted+=(chromium)
  fi
  local as_root
  if ((${#wanted[@]})) && _find_root; then
    say "Installing ${wanted[*]} with apt"
    # Without the lock of script/setup: what a package starts would keep it.
    _apt_install "${wanted[@]}" 9>&- || warn "apt could not install ${wanted[*]} (see above)."
  fi

  local how="install the package 'mosquitto'"
  if command -v apt-get >/dev/null; then
    how="run 'apt-get install mosquitto' as root"
  fi
  has_mosquitto || COULD_NOT_BRING+=("mosquitto: tests with a real broker are skipped and script/demo cannot run; $how")
  how="install Chromium or Chrome, or run '.venv/bin/playwright install --with-deps chromium'"
  if [[ $(_os_id) == debian ]]; then
    how="run 'apt-get install chromium' as root"
  fi
  has_browser || COULD_NOT_BRING+=("Chromium: tests in a real browser are skipped; $how")
}

# Debian keeps mosquitto where only root's PATH looks.
has_mosquitto() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v mosquitto >/dev/null; }

has_compiler() { command -v c++ >/dev/null; }

# Looks where tests/support/browser.py looks.
has_browser() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then
      return
    fi
  done
  compgen -G "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}/chromium-*/*/chrome" >/dev/null
}

_os_id() {
  local ID=""
  if [[ -r /etc/os-release ]]; then
    # shellcheck disable=SC1091
    . /etc/os-release
  fi
  printf '%s' "$ID"
}

# _find_root: sets the array `as_root` to what makes a command run as root here.
_find_root() {
  command -v apt-get >/dev/null || return 1
  if ((EUID == 0)); then
    as_root=(env)
  elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n env)
  else
    return 1
  fi
  as_root+=(DEBIAN_FRONTEND=noninteractive)
}

_apt_install() {
  local log package status=0
  log=$(mktemp)
  _apt_update >"$log"
  # One by one: what cannot be had must not keep the others away.
  for package in "$@"; do
    if ! "${as_root[@]}" apt-get -qq install -y --no-install-recommends -o DPkg::Lock::Timeout=600 "$package" >>"$log" 2>&1; then
      cat "$log" >&2
      status=1
    fi
  done
  rm -f "$log"
  # The tests start brokers of their own; the service that the package brings is not wanted.
  if [[ " $* " == *" mosquitto "* && -d /run/systemd/system ]]; then
    "${as_root[@]}" systemctl disable --quiet --now mosquitto || true
  fi
  return $status
}

# apt waits for dpkg's lock, but not for the lock on its lists, which another apt may hold.
_apt_update() {
  local attempt output
  for attempt in 1 2 3 4 5 6; do
    output=$("${as_root[@]}" apt-get -qq update 2>&1) && return
    [[ $output == *"Could not get lock"* ]] || break
    sleep "$attempt"
  done
  printf '%s\n' "$output"
}

# The compiler that PyPI offers as a package serves where there is none and no right to install one.
# shellcheck disable=SC2153 # PYTHON comes from find_python
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
