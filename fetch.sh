#!/usr/bin/env bash
# Gets the files that are too big for git and lets none in unchecked. `fetch.sh --help` says how.
# Written for bash 3.2 too, which is what macOS has.
set -euo pipefail

YUNET=face_detection_yunet_2023mar.onnx
YUNET_SHA256=8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4
DENSENET=densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5
MOBILENET=mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5
# Keras pins no hash for MobileNetV2. 2,257,984 float32 weights cannot take fewer bytes than this.
MOBILENET_MIN_BYTES=9031936
MIRROR_MOBILENET=mobilenet_v2_1.0_224_imagenet_dequantized_notop.weights.h5
MIRROR_MOBILENET_SHA256=07d48987963e10b2516bd234675b20f4e7be317fa15291d79d46c165762ee321
CLIP1_SHA256=9a3e12b76e132852e48941f3868ba06f8232d4f5236d83c1fb3f24332b291e94
CLIP2_SHA256=2803da9dd89a7b92c3e79f01dbd610eecd2a4fded1f5aa2b6e415288c8f56fba
KAGGLE=xhlulu/140k-real-and-fake-faces

KERAS_URL=${AIFACE_KERAS_URL:-https://storage.googleapis.com/tensorflow/keras-applications}
YUNET_URL=${AIFACE_YUNET_URL:-https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet}
CLIPS_URL=${AIFACE_CLIPS_URL:-https://raw.githubusercontent.com/farbodbj/Fake-Face-Detection/main/test_videos}
WEIGHTS=${AIFACE_WEIGHTS_DIR:-weights}
DATA=${AIFACE_DATA_DIR:-data}
EXPECT=${AIFACE_EXPECT:-train=50000 valid=10000 test=10000}

from='' good=0 bad=0  # the mirror, if any; files that are in place; files that failed
child='' lock='' junk=''  # what an interrupt has to stop, let go of and remove

usage() {
  cat <<'EOF'
Usage: ./fetch.sh [--from DIR] [weights|faces|lite|clips|data ...]

  weights  (default) DenseNet121's ImageNet weights, and `faces`
  faces    YuNet, the face finder
  lite     MobileNetV2's ImageNet weights (Keras pins no hash for them:
           only the HDF5 signature and the size are checked)
  clips    the two test clips, into data/clips
  data     Kaggle's 140k real and fake faces (4 GB), into data/real_vs_fake

  --from DIR  takes the files from a folder instead of the network. `weights`
              then takes MobileNetV2 too when DIR has it. A file that DIR lacks
              is named and skipped. For `data`, DIR holds real_vs_fake/ or
              140k-real-and-fake-faces.zip.

A broken download goes on where it stopped when you run this again. A file that
is already there and right is left alone.

Environment (relative folders are seen from the folder of fetch.sh):
  AIFACE_KERAS_URL    folder URL with densenet/NAME and mobilenet_v2/NAME
  AIFACE_YUNET_URL    folder URL of the YuNet file
  AIFACE_CLIPS_URL    folder URL of the clips
  AIFACE_WEIGHTS_DIR  where weights go (default: weights)
  AIFACE_DATA_DIR     where data goes (default: data)
  AIFACE_EXPECT       images per class (default: train=50000 valid=10000 test=10000)
  PYTHON              the Python that has Keras (default: .venv/bin/python, else python3)
EOF
}

say() { printf '%s\n' "$*"; }
warn() { printf 'fetch.sh: %s\n' "$*" >&2; }
die() { warn "$@"; exit 1; }
wrong_use() { warn "$*; see ./fetch.sh --help"; exit 2; }

# --- being interrupted ---

# In the background, so that a signal to this script alone is acted on at once.
run() {
  local rc=0
  "$@" &
  child=$!
  wait "$child" || rc=$?
  child=''
  return "$rc"
}

stop() { # EXIT_STATUS
  trap '' INT TERM HUP
  if [ -n "$child" ]; then
    kill "$child" 2>/dev/null || :
    wait "$child" 2>/dev/null || :
  fi
  warn "interrupted; run it again to go on (a started download is kept as NAME.part)"
  exit "$1"
}

clean() {
  [ -z "$junk" ] || rm -rf "$junk"
  [ -z "$lock" ] || rm -rf "$lock"
}

# --- one fetch.sh at a time per file ---

# A folder, as making one is atomic everywhere. Whoever finds its holder dead takes it over, and only
# the one who makes `taking` in it may: two that wake up together would else write one .part.
take_lock() { # FILE
  local holder nobody=0 told=''
  until mkdir "$1.lock" 2>/dev/null; do
    holder=$(lock_holder "$1")
    if alive "$holder"; then
      [ -n "$told" ] || warn "waiting for another fetch.sh (process $holder) that is at $1; if there is none, remove $1.lock"
      told=yes
    elif { [ -n "$holder" ] || [ "$nobody" -ge 10 ]; } && mkdir "$1.lock/taking" 2>/dev/null; then
      [ "$(lock_holder "$1")" != "$holder" ] || break
      rmdir "$1.lock/taking"
    else  # its holder has not signed yet, or there is no lock and yet mkdir failed
      nobody=$((nobody + 1))
      [ "$nobody" -le 20 ] || die "cannot make $1.lock: check the permissions of its folder and the free space"
    fi
    run sleep 0.2
  done
  lock=$1.lock
  echo "$$" >"$lock/pid" || die "cannot write in $(dirname "$1"): is the disk full?"
  [ ! -d "$lock/taking" ] || rmdir "$lock/taking"
}

lock_holder() { cat "$1.lock/pid" 2>/dev/null || :; } # FILE

alive() { # PROCESS_ID; one that has our own number died, and the number was given again
  [ -n "$1" ] && [ "$1" != "$$" ] && { [ -d "/proc/$1" ] || kill -0 "$1" 2>/dev/null; }
}

drop_lock() { rm -rf "$lock"; lock=''; }

# --- is this the file? ---

# CHECK is an md5 (32 digits), a sha256 (64 digits) or hdf5:MIN_BYTES where nobody pins a hash.
fault() { # FILE CHECK: prints what is wrong with FILE; prints nothing when it is right
  local found
  if [ ! -f "$1" ] || [ ! -s "$1" ]; then
    echo "an empty file or no file at all"
    return
  fi
  case $2 in
    hdf5:*) found=$(hdf5_fault "$1" "${2#hdf5:}") ;;
    *) found=$(digest "$1" "${#2}")
       if [ "$found" = "$2" ]; then found=''; else found="its hash is $found, expected $2"; fi ;;
  esac
  [ -z "$found" ] || case $(head -c 24 "$1" | LC_ALL=C tr -d '\0') in
    'version https://git-lfs'*) echo "a git-lfs pointer instead of the file itself ($found)" ;;
    '<'[\!?hH]*) echo "an HTML page instead of the file ($found)" ;;
    *) echo "$found" ;;
  esac
}

hdf5_fault() { # FILE MIN_BYTES
  local bytes
  bytes=$(($(wc -c <"$1")))
  if [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" != 894844460d0a1a0a ]; then
    echo "it is no HDF5 file"
  elif [ "$bytes" -lt "$2" ]; then
    echo "it has $bytes bytes, expected at least $2"
  fi
}

digest() { # FILE DIGITS
  case $2 in
    32) if command -v md5sum >/dev/null; then md5sum <"$1"; else md5 -q <"$1"; fi ;;
    64) if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi ;;
    *) echo unknown ;;
  esac | cut -d ' ' -f 1
}

# --- getting one file ---

get() { # FOLDER NAME URL CHECK [WHY_A_MIRROR_MAY_LACK_IT]
  local rc=0
  mkdir -p "$1" || die "cannot make the folder $1"
  take_lock "$1/$2"
  get_locked "$@" || rc=$?
  drop_lock
  if [ "$rc" = 0 ]; then good=$((good + 1)); else [ "$rc" = 3 ] || bad=$((bad + 1)); fi
}

get_locked() { # as get; 3 when the mirror lacks the file
  local dest=$1/$2 part=$1/$2.part url=$3 check=$4 why
  if [ -e "$dest" ]; then
    why=$(fault "$dest" "$check")
    [ -n "$why" ] || { say "ok  $2"; return; }
    [ ! -d "$dest" ] || { warn "$dest: expected a file, found a folder; move it away"; return 1; }
    warn "$dest: $why; fetching it again (it stays until a right one is here)"
  fi
  if [ -z "$from" ]; then
    download "$url" "$part" "$check" || return 1
  elif lacks "$2"; then
    not_in_mirror "$2" "${5:-}"
    [ ! -e "$dest" ] || return 1
    return 3
  else
    run cat "$from/$2" >"$part" || { rm -f "$part"; warn "$2: cannot copy it from $from (reason above)"; return 1; }
  fi
  why=$(fault "$part" "$check")
  if [ -n "$why" ]; then
    rm -f "$part"
    warn "$2 from ${from:-$url}: $why; it was thrown away. Try again, or get it from another source with --from"
    return 1
  fi
  sync "$part" 2>/dev/null || :  # so that a power cut leaves the whole file or none
  mv -f "$part" "$dest"
  say "got $2 -> $1"
}

lacks() { [ -n "$from" ] && [ ! -f "$from/$1" ]; }

not_in_mirror() { # NAME [WHY]
  warn "$1: not in $from${2:+ ($2)}"
}

download() { # URL PART CHECK
  local rc=0 http='' resumed=''
  say "get $(basename "$2" .part) from ${1%/*}"
  if [ -s "$2" ]; then
    [ -n "$(fault "$2" "$3")" ] || return 0  # all there: only the renaming was missed
    resumed=yes
  fi
  curl_to "$1" "$2" || rc=$?
  # What was resumed may belong to another version of the file, or the server may not resume.
  if [ -n "$resumed" ] && starting_again_helps "$rc" "$http" "$2" "$3"; then
    warn "${2##*/}: cannot go on from it; starting again from zero"
    rm -f "$2"
    rc=0
    curl_to "$1" "$2" || rc=$?
  fi
  [ "$rc" = 0 ] || { warn "$1: $(curl_reason "$rc" "$http" "$2")"; return 1; }
}

curl_to() { # URL PART; sets http
  local rc=0 meter=-sS pause
  [ ! -t 2 ] || meter=-#
  junk=$2.status
  for pause in 1 2 4 ''; do  # curl's own --retry asks for a name that is not found again, and says so each time
    rc=0
    run curl -fL "$meter" --globoff --connect-timeout 15 --speed-limit 1 --speed-time 60 \
      -C - -o "$2" -w '%{http_code}' "$1" >"$junk" || rc=$?
    http=$(tail -c 3 "$junk")
    if [ -z "$pause" ] || ! may_pass "$rc" "$http"; then break; fi
    run sleep "$pause"
  done
  rm -f "$junk"
  junk=''
  return "$rc"
}

may_pass() { # CURL_STATUS HTTP_STATUS: was the server too slow or busy?
  case $1:$2 in
    28:* | 22:408 | 22:429 | 22:50[0234]) return 0 ;;
    *) return 1 ;;
  esac
}

starting_again_helps() { # CURL_STATUS HTTP_STATUS PART CHECK
  case $1:$2 in
    33:* | 36:* | *:416) return 0 ;;  # no ranges, a bad range, or past the end
    0:*) [ -n "$(fault "$3" "$4")" ] ;;
    *) return 1 ;;
  esac
}

curl_reason() { # CURL_STATUS HTTP_STATUS PART
  case $1 in
    6) echo "the server's name was not found; are you online? With a copy at hand: --from DIR" ;;
    7) echo "no connection to the server; are you online? With a copy at hand: --from DIR" ;;
    18) echo "the server closed the connection early; run it again, it goes on from $3" ;;
    22) echo "the server answered HTTP $2; if the file has moved, use --from DIR or an AIFACE_..._URL" ;;
    23) echo "cannot write $3: $(df -Pk "$(dirname "$3")" | awk 'NR == 2 { print $4 }') KB are free; make room (or check its permissions) and run it again" ;;
    28) echo "the server was too slow; run it again, it goes on from $3" ;;
    35 | 60) echo "no safe connection (TLS); check the clock, the proxy and the CA certificates" ;;
    126 | 127) echo "curl is missing; install it, or use --from DIR" ;;
    *) echo "curl failed with status $1 (reason above); run it again" ;;
  esac
}

# --- the targets ---

weights() {
  densenet
  faces
  [ -z "$from" ] || lacks "$MIRROR_MOBILENET" || mirror_lite
}

densenet() {
  local pin why='needed only to train a densenet121 from ImageNet'
  if lacks "$DENSENET" && [ ! -e "$WEIGHTS/$DENSENET" ]; then
    not_in_mirror "$DENSENET" "$why"  # before asking Keras, which may not be installed yet
  elif pin=$(keras_pin "$DENSENET"); then
    get "$WEIGHTS" "$DENSENET" "$KERAS_URL/densenet/$DENSENET" "$pin" "$why"
  else
    bad=$((bad + 1))
  fi
}

# Looked up instead of written down here, so that the file is the one which the installed Keras wants.
keras_pin() { # NAME: prints the hash that keras.applications pins for it
  local keras pin
  keras=$("$PYTHON" -c 'import importlib.util as u
s = u.find_spec("keras")
print(s.submodule_search_locations[0] if s else "")' 2>/dev/null) || keras=''
  if [ ! -f "$keras/src/applications/densenet.py" ]; then
    warn "$1: Keras, which pins its hash, is not installed for $PYTHON: run \`make .venv\` (or pip install -r requirements.txt) first"
    return 1
  fi
  pin=$(awk -v name="$1" '
    match($0, /"[^"]*\.h5"/) { last = substr($0, RSTART + 1, RLENGTH - 2) }
    last == name && match($0, /file_hash="[0-9a-f]+"/) { print substr($0, RSTART + 11, RLENGTH - 12); exit }
  ' "$keras/src/applications/densenet.py")
  case ${#pin} in
    32 | 64) echo "$pin" ;;
    *) warn "$1: no hash for it in $keras/src/applications/densenet.py; is this the Keras of requirements.txt?"; return 1 ;;
  esac
}

faces() { get "$WEIGHTS" "$YUNET" "$YUNET_URL/$YUNET" "$YUNET_SHA256"; }

lite() {
  if [ -n "$from" ] && lacks "$MOBILENET"; then
    mirror_lite
  else
    warn "$MOBILENET: Keras pins no hash for it; only its HDF5 signature and size are checked"
    get "$WEIGHTS" "$MOBILENET" "$KERAS_URL/mobilenet_v2/$MOBILENET" "hdf5:$MOBILENET_MIN_BYTES"
  fi
}

mirror_lite() { get "$WEIGHTS" "$MIRROR_MOBILENET" '' "$MIRROR_MOBILENET_SHA256"; }

clips() {
  get "$DATA/clips" test1.mp4 "$CLIPS_URL/test1.mp4" "$CLIP1_SHA256"
  get "$DATA/clips" test2.mp4 "$CLIPS_URL/test2.mp4" "$CLIP2_SHA256"
}

data() {
  local rc=0
  mkdir -p "$DATA" || die "cannot make the folder $DATA"
  take_lock "$DATA/real_vs_fake"
  data_locked || rc=$?
  [ -z "$junk" ] || rm -rf "$junk"
  junk=''
  drop_lock
  if [ "$rc" = 0 ]; then good=$((good + 1)); else [ "$rc" = 3 ] || bad=$((bad + 1)); fi
}

data_locked() { # 3 when the mirror lacks it
  local tree=$DATA/real_vs_fake
  if [ -e "$tree" ]; then
    counts_right "$tree" || { warn "$tree is there but not whole (see above): move it away and run it again"; return 1; }
    say "ok  real_vs_fake"
    return
  fi
  junk=$DATA/.real_vs_fake.part  # all is made in here, so that the goal appears whole or not at all
  rm -rf "$junk"
  mkdir "$junk"
  if [ -n "$from" ]; then mirror_tree "$junk"; else kaggle_tree "$junk"; fi || return
  counts_right "$junk/real_vs_fake" || return 1
  mv "$junk/real_vs_fake" "$tree"
  say "got real_vs_fake -> $DATA"
}

mirror_tree() { # FOLDER: puts real_vs_fake/ into it
  local zip=$from/${KAGGLE#*/}.zip
  if [ -d "$from/real_vs_fake" ]; then
    run cp -RL "$from/real_vs_fake" "$1/" || { warn "cannot copy $from/real_vs_fake to $DATA (reason above)"; return 1; }
  elif [ -f "$zip" ]; then
    run "$PYTHON" -m aiface.io.unzip "$zip" "$1" || { warn "$zip: cannot unpack it (reason above)"; return 1; }
  else
    not_in_mirror "real_vs_fake/ or ${zip##*/}"
    return 3
  fi
}

# Kaggle's cache is put beside the goal: a broken download goes on there, and moving it costs nothing.
kaggle_tree() { # FOLDER: puts real_vs_fake/ into it
  local cache
  cache=$(cd "$DATA" && pwd)/.kagglehub
  "$PYTHON" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("kagglehub") is None)' 2>/dev/null ||
    { warn "data: kagglehub is not installed for $PYTHON: run \`make .venv\` (or pip install -r requirements.txt) first"; return 1; }
  mkdir -p "$cache"
  if ! KAGGLEHUB_CACHE=$cache DISABLE_KAGGLE_CACHE=1 DISABLE_COLAB_CACHE=1 run "$PYTHON" -c 'import kagglehub, sys
print(kagglehub.dataset_download(sys.argv[1]), file=open(sys.argv[2], "w"))' "$KAGGLE" "$cache/path" >&2; then
    warn "data: Kaggle's $KAGGLE could not be had (reason above). If Kaggle asks who you are: make an API token at https://www.kaggle.com/settings and put it into KAGGLE_API_TOKEN (or its kaggle.json into ~/.kaggle). Or download it in a browser and use --from DIR"
    return 1
  fi
  mv "$(cat "$cache/path")/real_vs_fake" "$1/" || { warn "data: no real_vs_fake/ in what Kaggle sent; see $cache"; return 1; }
  rm -rf "$cache"
}

counts_right() { # TREE: names every split and class whose number of images is wrong
  local pair class folder found rc=0
  for pair in $EXPECT; do
    for class in real fake; do
      folder=real-vs-fake/${pair%%=*}/$class
      found=$(find -L "$1/$folder" -type f ! -name '.*' \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' \) 2>/dev/null | wc -l) || :
      [ "$((found))" = "${pair#*=}" ] || { warn "real_vs_fake/$folder: expected ${pair#*=} images, found $((found))"; rc=1; }
    done
  done
  return "$rc"
}

main() {
  local targets=() pair
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit ;;
      --from) [ -n "${2:-}" ] || wrong_use "--from needs a folder"; from=$2; shift ;;
      --from=?*) from=${1#*=} ;;
      weights | faces | lite | clips | data) targets+=("$1") ;;
      -*) wrong_use "unknown option $1" ;;
      *) wrong_use "expected weights, faces, lite, clips or data, found $1" ;;
    esac
    shift
  done
  for pair in $EXPECT; do
    [[ $pair =~ ^(train|valid|test)=[0-9]+$ ]] || wrong_use "AIFACE_EXPECT: expected like train=50000 valid=10000 test=10000, found $pair"
  done
  if [ -n "$from" ]; then
    [ -d "$from" ] || die "--from: expected a folder, found none at $from"
    from=$(CDPATH='' cd -- "$from" 2>/dev/null && pwd) || die "--from: this folder cannot be opened; check its permissions"
  fi
  CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
  if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    [ ! -x .venv/bin/python ] || PYTHON=.venv/bin/python
  fi
  trap 'stop 130' INT
  trap 'stop 143' TERM
  trap 'stop 129' HUP
  trap clean EXIT

  for pair in "${targets[@]:-weights}"; do "$pair"; done
  if [ "$good" = 0 ] && [ "$bad" = 0 ]; then warn "nothing could be taken from $from"; fi
  [ "$bad" = 0 ] && [ "$good" -gt 0 ]
}

main "$@"
