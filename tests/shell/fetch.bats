#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets stderr
# Each test runs a copy of fetch.sh in a folder of its own. The copy pins the hashes of made-up files:
# there is no switch that would let a user unpin one.

bats_require_minimum_version 1.5.0
load helpers

setup() {
  DIR="$BATS_TEST_TMPDIR/with a space"
  FILES=$BATS_TEST_TMPDIR/files
  LOG=$BATS_TEST_TMPDIR/log
  MIRROR=$BATS_TEST_TMPDIR/mirror
  YUNET=face_detection_yunet_2023mar.onnx
  DENSENET=densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5
  KERAS_LITE=mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5
  LITE=mobilenet_v2_1.0_224_imagenet_dequantized_notop.weights.h5
  GOOD=$DIR/weights/$YUNET
  PART=$GOOD.part
  mkdir -p "$DIR/weights" "$FILES" "$MIRROR"
  : >"$LOG"
  made_up "$YUNET" 200000
  made_up test1.mp4 3000
  made_up test2.mp4 4000
  made_up "$LITE" 5000
  made_up "$DENSENET" 6000
  sed -e "s/^YUNET_SHA256=.*/YUNET_SHA256=$(sha256 "$FILES/$YUNET")/" \
    -e "s/^CLIP1_SHA256=.*/CLIP1_SHA256=$(sha256 "$FILES/test1.mp4")/" \
    -e "s/^CLIP2_SHA256=.*/CLIP2_SHA256=$(sha256 "$FILES/test2.mp4")/" \
    -e "s/^MIRROR_MOBILENET_SHA256=.*/MIRROR_MOBILENET_SHA256=$(sha256 "$FILES/$LITE")/" \
    -e "s/^MOBILENET_MIN_BYTES=.*/MOBILENET_MIN_BYTES=1000/" \
    "$ROOT/fetch.sh" >"$DIR/fetch.sh"
  chmod +x "$DIR/fetch.sh"
  ln -s "$ROOT/aiface" "$DIR/aiface"

  python3 "$BATS_TEST_DIRNAME/server.py" "$FILES" "$LOG" >"$BATS_TEST_TMPDIR/port" 3>&- &
  SERVER=$!
  until_true test -s "$BATS_TEST_TMPDIR/port"
  URL=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")
  unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
  unset AIFACE_WEIGHTS_DIR AIFACE_DATA_DIR AIFACE_EXPECT
  export PYTHON=python3 PYTHONPATH=$BATS_TEST_TMPDIR/python
  server_is fine
}

teardown() {
  kill "$SERVER" 2>/dev/null || :
  [ ! -d "$BATS_TEST_TMPDIR/full" ] || umount "$BATS_TEST_TMPDIR/full" 2>/dev/null || :
}

made_up() { { printf made; head -c "$(($2 - 4))" /dev/urandom; } >"$FILES/$1"; } # NAME BYTES

server_is() { # FAULT, see server.py
  export AIFACE_KERAS_URL=$URL/$1 AIFACE_YUNET_URL=$URL/$1 AIFACE_CLIPS_URL=$URL/$1
}

fetch() { "$DIR/fetch.sh" "$@"; }

asked() { [ "$(cat "$LOG")" = "$1" ] || { echo "the server saw:"; cat "$LOG"; return 1; }; } # LINES

came() { cmp "$FILES/$YUNET" "$GOOD" && [ ! -e "$PART" ] && [ ! -e "$GOOD.lock" ]; }

fake_keras() { # a densenet.py like Keras's, which names the file first without its hash
  local md5
  md5=$(python3 -c 'import hashlib, sys; print(hashlib.md5(open(sys.argv[1], "rb").read()).hexdigest())' "$FILES/$DENSENET")
  mkdir -p "$PYTHONPATH/keras/src/applications"
  echo 'raise SystemExit("keras must not be imported: that takes seconds")' >"$PYTHONPATH/keras/__init__.py"
  cat >"$PYTHONPATH/keras/src/applications/densenet.py" <<PY
NO_TOP = (
    BASE
    + "$DENSENET"
)
get_file(
    "densenet121_weights_tf_dim_ordering_tf_kernels.h5",
    file_hash="00000000000000000000000000000000",
)
get_file(
    "$DENSENET",
    NO_TOP,
    file_hash="$md5",
)
PY
}

no_keras() { # a Python that finds no Keras, whatever is installed
  printf '#!/bin/sh\nexec python3 -S -E "$@"\n' >"$BATS_TEST_TMPDIR/bare-python"
  chmod +x "$BATS_TEST_TMPDIR/bare-python"
  export PYTHON=$BATS_TEST_TMPDIR/bare-python
}

images() { # TREE TRAIN VALID TEST: so many in each class
  local class i tree=$1 split
  shift
  for split in train valid test; do
    for class in real fake; do
      mkdir -p "$tree/real-vs-fake/$split/$class"
      for ((i = 0; i < $1; i++)); do : >"$tree/real-vs-fake/$split/$class/$i.jpg"; done
    done
    shift
  done
  export AIFACE_EXPECT='train=3 valid=2 test=1'
}

fake_kagglehub() { # PYTHON_LINE: what its dataset_download does
  mkdir -p "$PYTHONPATH/kagglehub"
  printf 'import os, shutil\ndef dataset_download(handle):\n    cache = os.environ["KAGGLEHUB_CACHE"]\n    %s\n' \
    "$1" >"$PYTHONPATH/kagglehub/__init__.py"
}

# --- downloads ---

@test "a file comes from the server" {
  run -0 fetch faces
  came
  has "got $YUNET -> weights"
  asked "/fine/$YUNET -"
}

@test "it works from any folder, and a redirect is followed" {
  server_is moved
  cd /
  run -0 fetch faces
  came
}

@test "a broken download is resumed" {
  head -c 50000 "$FILES/$YUNET" >"$PART"
  run -0 fetch faces
  came
  asked "/fine/$YUNET bytes=50000-"
}

@test "a server that cannot resume is asked again from zero" {
  server_is norange
  head -c 50000 "$FILES/$YUNET" >"$PART"
  run -0 fetch faces
  came
  has "starting again from zero"
  asked "/norange/$YUNET bytes=50000-
/norange/$YUNET -"
}

@test "a whole part that was never renamed needs no server" {
  cp "$FILES/$YUNET" "$PART"
  run -0 fetch faces
  came
  asked ""
}

@test "416: a stale part of the full size is thrown away" {
  head -c 200000 /dev/zero >"$PART"
  run -0 fetch faces
  came
  asked "/fine/$YUNET bytes=200000-
/fine/$YUNET -"
}

@test "416: a stale part that is too big is thrown away" {
  head -c 300000 /dev/zero >"$PART"
  run -0 fetch faces
  came
}

@test "a part of another version is resumed, found wrong and thrown away" {
  head -c 50000 /dev/zero >"$PART"
  run -0 fetch faces
  came
  asked "/fine/$YUNET bytes=50000-
/fine/$YUNET -"
}

@test "404: the reason and the way out are given" {
  rm "$FILES/$YUNET"
  run -1 --separate-stderr fetch faces
  [[ $stderr == *"fetch.sh: $URL/fine/$YUNET: the server answered HTTP 404"*"--from DIR"* ]]
  [ ! -e "$GOOD" ]
}

@test "a body that is cut short is kept, and resumed by the next run" {
  server_is cut
  run -1 fetch faces
  has "closed the connection early"
  [ "$(($(wc -c <"$PART")))" = 100000 ]
  [ ! -e "$GOOD" ]
  server_is fine
  run -0 fetch faces
  came
  [[ $(tail -n 1 "$LOG") == *"bytes=100000-" ]]
}

@test "a busy server (503) is asked again" {
  server_is busy
  run -0 fetch faces
  came
}

@test "a wrong hash leaves nothing behind" {
  server_is wrong
  run -1 fetch faces
  has "its hash is"
  has "expected $(sha256 "$FILES/$YUNET")"
  [ -z "$(ls "$DIR/weights")" ]
}

@test "an HTML page with status 200 is named as such" {
  server_is html
  run -1 fetch faces
  has "an HTML page instead of the file"
  [ -z "$(ls "$DIR/weights")" ]
}

@test "a git-lfs pointer is named as such" {
  server_is lfs
  run -1 fetch faces
  has "a git-lfs pointer instead of the file itself"
  [ -z "$(ls "$DIR/weights")" ]
}

@test "an empty answer is named as such" {
  server_is empty
  run -1 fetch faces
  has "an empty file"
  [ -z "$(ls "$DIR/weights")" ]
}

@test "no server: the reason is given" {
  export AIFACE_YUNET_URL=http://127.0.0.1:1
  run -1 fetch faces
  has "no connection to the server"
}

@test "no such name: the reason is given, and nothing is said again and again" {
  AIFACE_YUNET_URL=http://no-such-name.invalid run -1 fetch faces
  has "the server's name was not found"
  [ "$(grep -c "no-such-name.invalid$" <<<"$output")" -le 2 ] # what is fetched, and curl's own word
}

@test "a second run asks for nothing" {
  fetch faces
  : >"$LOG"
  run -0 fetch faces
  [ "$output" = "ok  $YUNET" ]
  asked ""
}

@test "a bad file in place is named and replaced" {
  echo bad >"$GOOD"
  run -0 fetch faces
  has "weights/$YUNET: its hash is"
  came
}

@test "a bad file in place stays when no good one comes" {
  echo bad >"$GOOD"
  server_is wrong
  run -1 fetch faces
  [ "$(cat "$GOOD")" = bad ]
  [ ! -e "$PART" ]
}

@test "an interrupt keeps the part and lets go of the lock; the next run ends it" {
  server_is slow
  interruptible "$DIR/fetch.sh" faces >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  fetch_pid=$!
  until_true test -s "$PART"
  ends_by_interrupt "$fetch_pid"
  grep -q interrupted "$BATS_TEST_TMPDIR/out"
  [ "$(ls "$DIR/weights")" = "$YUNET.part" ]
  run -0 fetch faces
  came
  [[ $(tail -n 1 "$LOG") =~ bytes=[1-9][0-9]*- ]]
}

@test "two at once: one downloads, the other waits and finds it done" {
  server_is late
  fetch faces >"$BATS_TEST_TMPDIR/1" 2>&1 3>&- &
  first=$!
  fetch faces >"$BATS_TEST_TMPDIR/2" 2>&1 3>&- &
  wait $! && wait "$first"
  came
  asked "/late/$YUNET -"
}

@test "a lock that its dead holder left is taken over" {
  sh -c 'echo $$' >"$BATS_TEST_TMPDIR/dead"
  mkdir "$GOOD.lock"
  cp "$BATS_TEST_TMPDIR/dead" "$GOOD.lock/pid"
  run -0 fetch faces
  came
}

@test "a lock whose holder lives is waited for" {
  sleep 30 3>&- &
  holder=$!
  mkdir "$GOOD.lock"
  echo "$holder" >"$GOOD.lock/pid"
  fetch faces >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  waiting=$!
  until_true grep -q "waiting for another fetch.sh (process $holder)" "$BATS_TEST_TMPDIR/out"
  [ ! -e "$GOOD" ]
  kill "$holder"
  wait "$holder" || :
  wait "$waiting"
  came
}

@test "a full disk: the reason is given" {
  mkdir "$BATS_TEST_TMPDIR/full"
  mount -t tmpfs -o size=64k tmpfs "$BATS_TEST_TMPDIR/full" 2>/dev/null || skip "a small file system cannot be mounted here"
  AIFACE_WEIGHTS_DIR=$BATS_TEST_TMPDIR/full run -1 fetch faces
  has "cannot write $BATS_TEST_TMPDIR/full/$YUNET.part: 0 KB are free"
  [ ! -e "$BATS_TEST_TMPDIR/full/$YUNET" ]
}

@test "AIFACE_WEIGHTS_DIR says where weights go" {
  AIFACE_WEIGHTS_DIR="$BATS_TEST_TMPDIR/else where" run -0 fetch faces
  cmp "$FILES/$YUNET" "$BATS_TEST_TMPDIR/else where/$YUNET"
}

@test "clips: both come; one bad does not keep back the other" {
  echo x >>"$FILES/test1.mp4"
  run -1 fetch clips
  [ ! -e "$DIR/data/clips/test1.mp4" ]
  cmp "$FILES/test2.mp4" "$DIR/data/clips/test2.mp4"
}

# --- Keras's weights ---

@test "weights is the default: DenseNet121 by the hash that Keras pins, and YuNet" {
  fake_keras
  run -0 fetch
  cmp "$FILES/$DENSENET" "$DIR/weights/$DENSENET"
  came
}

@test "a DenseNet121 that is not the one Keras pins is refused" {
  fake_keras
  echo x >>"$FILES/$DENSENET"
  run -1 fetch
  has "$DENSENET from $URL/fine/densenet/$DENSENET: its hash is"
  [ ! -e "$DIR/weights/$DENSENET" ]
  came
}

@test "without Keras: what to do is said, and YuNet still comes" {
  no_keras
  run -1 fetch
  has "make .venv"
  came
}

@test "a Keras that pins nothing is named" {
  fake_keras
  echo >"$PYTHONPATH/keras/src/applications/densenet.py"
  run -1 fetch
  has "no hash for it in"
}

@test "the Keras of requirements.txt pins DenseNet121" {
  pinned=$(echo "$ROOT"/.venv/lib/python3*/site-packages/keras/src/applications/densenet.py)
  [ -f "$pinned" ] || skip "no .venv with Keras"
  export PYTHON=$ROOT/.venv/bin/python
  unset PYTHONPATH
  run -1 fetch
  has "expected 30ee3e1110167f948a6b9946edeeb738"
}

@test "lite: HDF5 signature and size are checked, and that this is all is said" {
  { printf '\211HDF\r\n\032\n'; head -c 2000 /dev/zero; } >"$FILES/$KERAS_LITE"
  run -0 fetch lite
  has "Keras pins no hash for it"
  cmp "$FILES/$KERAS_LITE" "$DIR/weights/$KERAS_LITE"
}

@test "lite: no HDF5, or too small, is refused" {
  head -c 2000 /dev/zero >"$FILES/$KERAS_LITE"
  run -1 fetch lite
  has "it is no HDF5 file"
  { printf '\211HDF\r\n\032\n'; head -c 500 /dev/zero; } >"$FILES/$KERAS_LITE"
  run -1 fetch lite
  has "it has 508 bytes, expected at least 1000"
  [ -z "$(ls "$DIR/weights")" ]
}

# --- mirrors ---

@test "--from: all is taken from the mirror, which may be given relative to where you are" {
  fake_keras
  cp "$FILES"/* "$MIRROR"
  cd "$BATS_TEST_TMPDIR"
  run -0 fetch --from mirror weights clips
  came
  cmp "$FILES/$DENSENET" "$DIR/weights/$DENSENET"
  cmp "$FILES/$LITE" "$DIR/weights/$LITE"
  cmp "$FILES/test2.mp4" "$DIR/data/clips/test2.mp4"
  asked ""
}

@test "--from: a mirror without DenseNet121 is good enough, even before Keras is installed" {
  no_keras
  cp "$FILES/$YUNET" "$FILES/$LITE" "$MIRROR"
  run -0 fetch --from "$MIRROR"
  has "fetch.sh: $DENSENET: not in $MIRROR (needed only to train a densenet121 from ImageNet)"
  came
  cmp "$FILES/$LITE" "$DIR/weights/$LITE"
}

@test "--from: a bad file in the mirror is refused, the others are taken" {
  cp "$FILES/$YUNET" "$FILES/$LITE" "$MIRROR"
  echo x >>"$MIRROR/$LITE"
  run -1 fetch --from "$MIRROR"
  has "$LITE from $MIRROR: its hash is"
  [ ! -e "$DIR/weights/$LITE" ]
  [ ! -e "$DIR/weights/$LITE.part" ]
  came
}

@test "--from: a mirror with nothing in it fails" {
  run -1 fetch --from "$MIRROR"
  has "$YUNET: not in $MIRROR"
  has "nothing could be taken"
}

@test "--from: no such folder" {
  run -1 fetch --from "$MIRROR/none"
  has "expected a folder, found none at $MIRROR/none"
}

# --- data ---

@test "data: a mirror's folder with the right counts is taken, and left alone after that" {
  images "$MIRROR/real_vs_fake" 3 2 1
  run -0 fetch --from "$MIRROR" data
  [ -f "$DIR/data/real_vs_fake/real-vs-fake/train/fake/2.jpg" ]
  [ "$(ls -A "$DIR/data")" = real_vs_fake ]
  run -0 fetch data
  [ "$output" = "ok  real_vs_fake" ]
}

@test "data: every wrong count is named, and nothing is left behind" {
  images "$MIRROR/real_vs_fake" 3 2 1
  rm "$MIRROR/real_vs_fake/real-vs-fake/train/fake/0.jpg"
  rm -r "$MIRROR/real_vs_fake/real-vs-fake/test/real"
  run -1 fetch --from "$MIRROR" data
  has "real_vs_fake/real-vs-fake/train/fake: expected 3 images, found 2"
  has "real_vs_fake/real-vs-fake/test/real: expected 1 images, found 0"
  has_not "valid"
  [ -z "$(ls -A "$DIR/data")" ]
}

@test "data: without AIFACE_EXPECT it has to be all 140,000" {
  images "$MIRROR/real_vs_fake" 3 2 1
  unset AIFACE_EXPECT
  run -1 fetch --from "$MIRROR" data
  has "train/real: expected 50000 images, found 3"
  has "valid/real: expected 10000 images, found 2"
  has "test/fake: expected 10000 images, found 1"
}

@test "data: a mirror's zip is unpacked" {
  images "$BATS_TEST_TMPDIR/tree/real_vs_fake" 3 2 1
  (cd "$BATS_TEST_TMPDIR/tree" && python3 -m zipfile -c "$MIRROR/140k-real-and-fake-faces.zip" real_vs_fake)
  run -0 fetch --from "$MIRROR" data
  [ -f "$DIR/data/real_vs_fake/real-vs-fake/test/real/0.jpg" ]
  [ "$(ls -A "$DIR/data")" = real_vs_fake ]
}

@test "data: a zip that leads outside is refused" {
  python3 -c 'import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z: z.writestr("real_vs_fake/a", "a"); z.writestr("../../evil", "b")' \
    "$MIRROR/140k-real-and-fake-faces.zip"
  run -1 fetch --from "$MIRROR" data
  has "'../../evil': a path that leads outside"
  [ -z "$(find "$BATS_TEST_TMPDIR" -name evil)" ]
  [ -z "$(ls -A "$DIR/data")" ]
}

@test "data: a broken zip is named" {
  echo x >"$MIRROR/140k-real-and-fake-faces.zip"
  run -1 fetch --from "$MIRROR" data
  has "140k-real-and-fake-faces.zip: cannot unpack it"
  [ -z "$(ls -A "$DIR/data")" ]
}

@test "data: a tree in place that is not whole is named and left as it is" {
  images "$DIR/data/real_vs_fake" 1 1 1
  run -1 fetch data
  has "move it away"
  [ -f "$DIR/data/real_vs_fake/real-vs-fake/train/fake/0.jpg" ]
}

@test "data: kagglehub's download is put in its place" {
  images "$BATS_TEST_TMPDIR/tree/real_vs_fake" 3 2 1
  fake_kagglehub "return shutil.copytree('$BATS_TEST_TMPDIR/tree', cache + '/versions/2')"
  run -0 fetch data
  [ -f "$DIR/data/real_vs_fake/real-vs-fake/test/real/0.jpg" ]
  [ "$(ls -A "$DIR/data")" = real_vs_fake ]
}

@test "data: without a Kaggle token, how to get one is said" {
  fake_kagglehub "raise PermissionError('403 Client Error')"
  run -1 fetch data
  has "403 Client Error"
  has "make an API token at https://www.kaggle.com/settings"
}

@test "data: without kagglehub, what to do is said" {
  no_keras
  run -1 fetch data
  has "kagglehub is not installed"
  has "make .venv"
}

# --- use ---

@test "an unknown target is named" {
  run -2 fetch wieghts
  has "expected weights, faces, lite, clips or data, found wieghts"
}

@test "an unknown option is named" {
  run -2 fetch --form x
  has "unknown option --form"
}

@test "--from without a folder, and a bad AIFACE_EXPECT, are named" {
  run -2 fetch --from
  has "--from needs a folder"
  AIFACE_EXPECT="train=many" run -2 fetch data
  has "found train=many"
}

@test "--help names every target and variable" {
  run -0 fetch --help
  for word in weights faces lite clips data --from AIFACE_KERAS_URL AIFACE_YUNET_URL AIFACE_CLIPS_URL \
    AIFACE_WEIGHTS_DIR AIFACE_DATA_DIR AIFACE_EXPECT PYTHON; do has "$word"; done
}
