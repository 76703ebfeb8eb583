#!/usr/bin/env bats
# shellcheck disable=SC2016 # the stubs of ffmpeg get their $result later
# Its clips are made by ffmpeg on the spot: a few small frames each.

bats_require_minimum_version 1.5.0
load helpers

setup() {
  command -v ffmpeg >/dev/null || skip "no ffmpeg"
  cd "$BATS_TEST_TMPDIR" || return
}

resizing() { "$ROOT/resizing.sh" "$@"; }

picture() { # FILE SIZE [OPTION...]: 5 frames, no sound
  local file=$1 size=$2
  shift 2
  ffmpeg -v error -nostdin -y -f lavfi -i "testsrc=s=$size:r=25:d=0.2" -c:v mpeg4 "$@" "file:$file"
}

with_sound() { # FILE SOUND_CODEC
  ffmpeg -v error -nostdin -y -f lavfi -i testsrc=s=128x72:r=25:d=0.4 -f lavfi -i sine=d=0.4 \
    -c:v mpeg4 -c:a "$2" "file:$1"
}

facts() { # FILE WHAT [OPTION...]: bare values
  local file=$1 what=$2
  shift 2
  ffprobe -v error "$@" -show_entries "$what" -of default=noprint_wrappers=1:nokey=1 "file:$file"
}

size() { facts "$1" stream=width,height -select_streams v:0 | paste -s -d x -; }

times() { facts "$1" frame=pts_time -select_streams v:0; }

sound_md5() { ffmpeg -v error -nostdin -i "file:$1" -map 0:a -c copy -f md5 -; }

only() { # NAMES...: this folder holds nothing else, hidden files included
  [ "$(ls -A)" = "$(printf '%s\n' "$@" | sort)" ] || { ls -A; return 1; }
}

stub_ffmpeg() { # SHELL_LINE: what it does when it is to encode; "$result" is the file it is to write
  mkdir -p stubs
  cat >stubs/ffmpeg <<SH
#!/bin/sh
for result; do :; done
case "\$*" in *libx264*) $1 ;; *) exec "$(command -v ffmpeg)" "\$@" ;; esac
SH
  chmod +x stubs/ffmpeg
  export PATH=$PWD/stubs:$PATH
}

# --- size ---

@test "a video is made to fit into 640x360, and what was done is said" {
  picture clip.mp4 1280x720
  mkdir out
  run -0 resizing clip.mp4 out/small.mp4
  [ "$output" = "clip.mp4: 1280x720 -> 640x360, 0.2 s, no audio -> out/small.mp4" ]
  [ "$(size out/small.mp4)" = 640x360 ]
  [ "$(ls -A out)" = small.mp4 ]
}

@test "aspect is kept and sides are even, whatever the shape" {
  while read -r from box to; do
    picture in.mp4 "$from"
    resizing in.mp4 out.mp4 "$box"
    [ "$(size out.mp4)" = "$to" ] || { echo "$from into $box: expected $to, got $(size out.mp4)"; return 1; }
  done <<'TABLE'
1920x1080 640x360 640x360
360x640   640x360 202x360
640x200   101x101 100x32
TABLE
}

@test "a small video is not enlarged" {
  picture in.mp4 128x72
  resizing in.mp4 out.mp4
  [ "$(size out.mp4)" = 128x72 ]
}

@test "odd sides are made even without enlarging" {
  picture in.mp4 65x37
  resizing in.mp4 out.mp4
  [ "$(size out.mp4)" = 64x36 ]
}

@test "pixels that are not square are made so" {
  picture in.mp4 64x72 -vf setsar=2
  resizing in.mp4 out.mp4
  [ "$(size out.mp4)" = 128x72 ]
  [ "$(facts out.mp4 stream=sample_aspect_ratio)" = 1:1 ]
}

@test "a clip filmed upright comes out upright" {
  picture lying.mp4 128x72
  ffmpeg -v error -nostdin -display_rotation 90 -i lying.mp4 -c copy in.mp4 2>/dev/null ||
    ffmpeg -v error -nostdin -i lying.mp4 -c copy -metadata:s:v rotate=90 in.mp4
  run -0 resizing in.mp4 out.mp4 64x64
  has "in.mp4: 72x128 -> 36x64"
  [ "$(size out.mp4)" = 36x64 ]
  [ -z "$(facts out.mp4 stream_side_data=rotation)" ]
}

@test "the pixels are yuv420p, as every player wants them" {
  picture in.mkv 128x72 -c:v ffv1 -pix_fmt yuv444p
  resizing in.mkv out.mp4
  [ "$(facts out.mp4 stream=codec_name,pix_fmt | paste -s -d ' ' -)" = "h264 yuv420p" ]
}

# --- sound and time ---

@test "sound is copied bit by bit" {
  with_sound in.mp4 aac
  run -0 resizing in.mp4 out.mp4
  has "audio kept"
  [ "$(sound_md5 out.mp4)" = "$(sound_md5 in.mp4)" ]
}

@test "sound that mp4 cannot hold is made AAC" {
  with_sound in.avi wmav2
  run -0 resizing in.avi out.mp4
  has "audio made AAC"
  [ "$(facts out.mp4 stream=codec_name -select_streams a)" = aac ]
}

@test "sound that mkv can hold is copied into it" {
  with_sound in.avi wmav2
  run -0 resizing in.avi out.mkv
  has "audio kept"
  [ "$(facts out.mkv stream=codec_name -select_streams a)" = wmav2 ]
}

@test "frames that come unevenly keep their times, and a late start stays late" {
  ffmpeg -v error -nostdin -copyts -f lavfi -i testsrc=s=64x48:r=25:d=0.4 \
    -vf "settb=1/1000,setpts='1500+N*40+mod(N*N,7)*5'" -vsync passthrough -enc_time_base 1:1000 -c:v ffv1 in.mkv
  [ "$(times in.mkv | sort -u | wc -l)" -eq 10 ]
  [ "$(times in.mkv | head -n 1)" = 1.500000 ]
  for out in out.mp4 out.mkv; do
    resizing in.mkv "$out"
    diff <(times in.mkv) <(times "$out")
  done
}

@test "a thousand frames a second stay as many" {
  ffmpeg -v error -nostdin -f lavfi -i testsrc=s=64x48:r=1000:d=0.1 -c:v mpeg4 in.mp4
  resizing in.mp4 out.mp4
  [ "$(times out.mp4 | wc -l)" -eq 100 ]
  diff <(times in.mp4) <(times out.mp4)
}

# --- names ---

@test "odd names work" {
  picture plain.mp4 16x16
  for name in "a 'single' \"double\" 100%d.mp4" '-dash co:lon *.mp4' $'new\nline.mp4'; do
    cp plain.mp4 "./$name"
    resizing "$name" "-out $name" || { printf 'failed: %q\n' "$name"; return 1; }
    [ -s "./-out $name" ]
  done
}

@test "a folder of odd names works, too" {
  mkdir -- '-in %d'
  picture plain.mp4 16x16
  for name in '-dash *.mp4' $'new\nline.MOV' $'end\n.mp4' no.txt; do cp plain.mp4 "./-in %d/$name"; done
  run -0 resizing '-in %d' '-out:1'
  has "3 resized, 0 failed"
  for name in '-dash *.mp4' $'new\nline.mp4' $'end\n.mp4'; do [ -s "./-out:1/$name" ]; done
}

@test "OUT may be a folder, or lack its ending" {
  picture clip.mkv 16x16
  mkdir out
  resizing clip.mkv out
  [ "$(ls -A out)" = clip.mp4 ]
  resizing clip.mkv small
  only clip.mkv out small.mp4
}

# --- folders ---

@test "a folder: all are made, a bad one is named and the rest still comes" {
  mkdir in
  picture in/a.mp4 16x16
  echo "no video" >in/b.mp4
  picture in/c.MKV 16x16
  run -1 resizing in out/new
  has "resizing.sh: b.mp4: it is not a video, or it is damaged"
  has "2 resized, 1 failed"
  cd out/new
  only a.mp4 c.mp4
}

@test "a folder: two that would become one are not" {
  mkdir in
  picture in/a.mkv 16x16
  picture in/a.mp4 32x32
  run -1 resizing in out
  has "a.mp4: another video of this folder was just made a.mp4"
  [ "$(size out/a.mp4)" = 16x16 ]
}

@test "a folder without videos, into itself, or into a file is refused" {
  mkdir in
  run -1 resizing in out
  has "no video"
  picture in/a.mkv 16x16
  run -1 resizing in ./in/
  has "the same folder"
  echo keep >file
  run -1 resizing in file
  has "expected a folder"
  [ "$(cat file)" = keep ]
  [ "$(ls -A in)" = a.mkv ]
}

# --- what is refused ---

@test "IN and OUT the same file, also through links, is refused" {
  picture clip.mp4 16x16
  before=$(cksum <clip.mp4)
  ln -s clip.mp4 soft.mp4
  ln clip.mp4 hard.mp4
  for out in clip.mp4 ./clip.mp4 soft.mp4 hard.mp4 .; do
    run -1 resizing clip.mp4 "$out"
    has "clip.mp4: IN and OUT are the same file"
  done
  [ "$(cksum <clip.mp4)" = "$before" ]
  [ -L soft.mp4 ]
  only clip.mp4 hard.mp4 soft.mp4
}

@test "a text, half a video, an empty file and no file are refused" {
  echo "no video" >text.mp4
  echo "no video" >text.txt
  picture whole.mp4 128x72
  head -c 2000 whole.mp4 >half.mp4
  rm whole.mp4
  : >empty.mp4
  for in in text.mp4 text.txt half.mp4; do
    run -1 resizing "$in" out.mp4
    has "resizing.sh: $in: it is not a video"
  done
  run -1 resizing empty.mp4 out.mp4
  has "resizing.sh: empty.mp4: it is empty"
  run -1 resizing none.mp4 out.mp4
  has "resizing.sh: none.mp4: no such file"
  only empty.mp4 half.mp4 text.mp4 text.txt
}

@test "sound alone is refused, also with a cover" {
  ffmpeg -v error -nostdin -f lavfi -i sine=d=0.2 in.m4a
  run -1 resizing in.m4a out.mp4
  has "in.m4a: it has sound but no video"
  ffmpeg -v error -nostdin -f lavfi -i sine=d=0.2 -f lavfi -i testsrc=s=16x16:d=0.04 \
    -map 0 -map 1 -c:v png -disposition:v attached_pic cover.m4a
  run -1 resizing cover.m4a out.mp4
  has "cover.m4a: it has sound but no video"
  only cover.m4a in.m4a
}

@test "an image is refused" {
  ffmpeg -v error -nostdin -f lavfi -i testsrc=s=16x16 -frames:v 1 in.png
  ffmpeg -v error -nostdin -i in.png in.jpg
  cp in.jpg named.mp4
  for in in in.png in.jpg named.mp4; do
    run -1 resizing "$in" out.mp4
    has "$in: it is not a video but an image"
  done
  only in.jpg in.png named.mp4
}

@test "a bad size is refused" {
  picture in.mp4 16x16
  for bad in 640 640x 0x360 640x-2 640X360 1x1 640x360x2 '' $'640x360\n' 999999x1; do
    run -2 resizing in.mp4 out.mp4 "$bad"
    has "expected a size like 640x360"
  done
  only in.mp4
}

@test "an OUT that holds no H.264, or whose folder is missing, is refused" {
  picture in.mp4 16x16
  run -2 resizing in.mp4 out.webm
  has "found out.webm"
  for out in none/out.mp4 none/; do
    run -1 resizing in.mp4 "$out"
    has "the folder none does not exist"
  done
  only in.mp4
}

@test "too few arguments are named; --help helps" {
  run -2 resizing in.mp4
  has "expected IN OUT [WIDTHxHEIGHT], found 1 arguments"
  run -0 resizing --help
  has "Usage: ./resizing.sh IN OUT"
}

@test "a missing ffmpeg is named" {
  picture in.mp4 16x16
  mkdir nothing
  run -1 env PATH="$PWD/nothing" "$BASH" "$ROOT/resizing.sh" in.mp4 out.mp4
  has "resizing.sh: ffmpeg is missing: install it"
  only in.mp4 nothing
}

# --- OUT is whole or as it was ---

@test "an OUT from before is replaced on success" {
  picture in.mp4 16x16
  echo old >out.mp4
  resizing in.mp4 out.mp4
  [ "$(size out.mp4)" = 16x16 ]
  only in.mp4 out.mp4
}

@test "an OUT from before is kept on failure, and ffmpeg's reason is given" {
  picture in.mp4 16x16
  echo old >out.mp4
  stub_ffmpeg 'echo half >"$result"; echo "No space left on device" >&2; exit 1'
  run -1 resizing in.mp4 out.mp4
  has "in.mp4: ffmpeg failed: No space left on device"
  [ "$(cat out.mp4)" = old ]
  only in.mp4 out.mp4 stubs
}

@test "an ffmpeg that writes nothing of use is found out" {
  picture in.mp4 16x16
  stub_ffmpeg 'echo half >"$result"'
  run -1 resizing in.mp4 out.mp4
  has "no frame of it could be read"
  only in.mp4 stubs
}

@test "an interrupt leaves no half file" {
  picture in.mp4 16x16
  echo old >out.mp4
  stub_ffmpeg 'echo half >"$result"; : >began; exec sleep 30'
  interruptible "$ROOT/resizing.sh" in.mp4 out.mp4 >out.txt 2>&1 3>&- &
  resizing_pid=$!
  until_true test -e began
  ends_by_interrupt "$resizing_pid"
  grep -q interrupted out.txt
  [ "$(cat out.mp4)" = old ]
  only began in.mp4 out.mp4 out.txt stubs
}
