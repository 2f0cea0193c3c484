# System packages: the broker, the browser, and a compiler for the two packages that have no wheel.
# shellcheck shell=bash

COULD_NOT_BRING=()

bring_system_packages() {
  local wanted=()
  has_mosquitto || wanted+=(mosquitto)
  has_compiler || wanted+=(g++)
  # Elsewhere than on Debian itself this name is a snap or absent.
  if ! has_browser && [[ $(_os_id) == debian ]]; then
    wanted+=(chromium)
  fi
  local as_root
  if ((${#wanted[@]})) && _find_root; then
    say "Installing ${wanted[*]} with apt"
    _apt_install "${wanted[@]}" || warn "apt could not install ${wanted[*]} (see above)."
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

has_browser() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then
      return
    fi
  done
  compgen -G "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}/chromium-*" >/dev/null
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
  local log attempt status=1
  log=$(mktemp)
  # Another apt may hold the lists, for which apt knows no waiting; for dpkg's own lock it does.
  for attempt in 1 2 3 4 5 6; do
    "${as_root[@]}" apt-get -qq update >"$log" 2>&1
    if "${as_root[@]}" apt-get -qq install -y --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" >>"$log" 2>&1; then
      status=0
      break
    fi
    grep -q 'Could not get lock' "$log" || break
    sleep $((attempt * 5))
  done
  ((status == 0)) || cat "$log" >&2
  rm -f "$log"
  # The tests start brokers of their own; the one that the package brings is not wanted.
  if ((status == 0)) && [[ " $* " == *" mosquitto "* && -d /run/systemd/system ]]; then
    "${as_root[@]}" systemctl disable --quiet --now mosquitto || true
  fi
  return $status
}
