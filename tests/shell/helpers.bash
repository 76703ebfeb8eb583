# Loaded by the bats files, which use ROOT and set output.
# shellcheck shell=bash disable=SC2034,SC2154

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

sha256() { if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d ' ' -f 1; }

# Commands that bats starts in the background ignore SIGINT, and bash cannot undo that; Python can.
interruptible() { # to be run with &, as it replaces the shell
  exec python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}

until_true() { # COMMAND...: waits for it, at most 5 s
  local i
  for ((i = 0; i < 100; i++)); do
    ! "$@" || return 0
    sleep 0.05
  done
  echo "never came true: $*"
  return 1
}

ends_by_interrupt() { # PROCESS_ID: soon, and with the status that says so
  local status=0
  kill -INT "$1"
  until_true has_ended "$1"
  wait "$1" || status=$?
  [ "$status" = 130 ] || { echo "expected status 130, got $status"; return 1; }
}

has_ended() { ! kill -0 "$1" 2>/dev/null; }

has() { # TEXT: $output has it
  [[ $output == *"$1"* ]] || { printf 'expected to find: %s\nin: %s\n' "$1" "$output"; return 1; }
}

has_not() {
  [[ $output != *"$1"* ]] || { printf 'expected not to find: %s\nin: %s\n' "$1" "$output"; return 1; }
}
