# Sourced by scripts/demo and scripts/test: makes .venv and installs this project into it.
# Nothing is installed where pyproject.toml has not changed since the last time.

fail() {
  echo "$*" >&2
  exit 1
}

find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3 python; do
    # It is run, not only looked up: pyenv puts names on the path that do not work.
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      echo "$name"
      return
    fi
  done
  return 1
}

make_venv() {
  .venv/bin/python -m pip --version >/dev/null 2>&1 && return
  local python
  python="$(find_python)" || fail "rag needs Python 3.11 or newer, and none was found on the PATH"
  echo "Making .venv with $("$python" --version)" >&2
  "$python" -m venv --clear .venv || fail "$python cannot make a virtual environment: install its venv package"
}

# install NAME WHAT: pip install -e WHAT, once for each state of pyproject.toml.
install() {
  local stamp=".venv/installed-$1" wanted
  make_venv
  wanted="$(.venv/bin/python -c 'import hashlib; print(hashlib.sha256(open("pyproject.toml", "rb").read()).hexdigest())')"
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
  echo "Installing rag and what it needs into .venv: a few minutes the first time, nothing to do the next" >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -e "$2"
  echo "$wanted" >"$stamp"
}
