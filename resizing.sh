#!/usr/bin/env bash
# Makes videos small enough to go through quickly. `resizing.sh --help` says how.
# Written for bash 3.2 too, which is what macOS has.
set -euo pipefail
shopt -s nullglob

child='' tmp=''  # what an interrupt has to stop and remove
why=''           # why the video at work failed

usage() {
  cat <<'EOF'
Usage: ./resizing.sh IN OUT [WIDTHxHEIGHT]

Makes the video IN fit into WIDTHxHEIGHT (640x360 unless given) and writes it to OUT as H.264.
It is never enlarged. Aspect, sound and the time of every frame are kept. A clip that was filmed
upright comes out upright.

IN may be a folder: every video in it (not in its subfolders) is made OUT/NAME.mp4. A bad one is
named and skipped; the exit status is then 1.
OUT may be a folder, too. Its name says what it will be: .mp4, .m4v, .mov or .mkv; .mp4 if none.
EOF
}

warn() { printf 'resizing.sh: %s\n' "$*" >&2; }
die() { warn "$@"; exit 1; }
wrong_use() { warn "$*; see ./resizing.sh --help"; exit 2; }
fail() { why=$1; return 1; }

shown() { # PATH: as it can be printed on one line
  case $1 in
    *[[:cntrl:]]*) printf '%q' "${1#./}" ;;
    *) printf '%s' "${1#./}" ;;
  esac
}

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
    kill -KILL "$child" 2>/dev/null || :  # nobody needs the file that it would now end nicely
    wait "$child" 2>/dev/null || :
  fi
  warn "interrupted; the video at work was not written"
  exit "$1"
}

clean() {
  [ -z "$tmp" ] || rm -rf "$tmp"
  tmp=''
}

# --- one video ---

probe() { # FILE WHAT [OPTION...]: prints lines of key=value
  local file=$1 what=$2
  shift 2
  ffprobe -v quiet "$@" -show_entries "$what" -of default=noprint_wrappers=1 "$file" </dev/null
}

value() { awk -F = -v key="$1" '$1 == key { print $2; exit }' <<<"$2"; } # KEY PROBED

# Sets kinds, the types of all streams, and video, the facts of the first real video stream: the
# cover of a song is none.
look_at() { # FILE
  [ -e "$1" ] || fail "no such file" || return
  [ -r "$1" ] || fail "it cannot be read; check its permissions" || return
  [ -s "$1" ] || fail "it is empty" || return
  kinds=$(probe "$1" format=format_name:stream=codec_type) || fail "it is not a video, or it is damaged" || return
  case $(value format_name "$kinds") in
    *_pipe | image2 | ico | tty) fail "it is not a video but an image or a text" || return ;;
  esac
  video=$(probe "$1" stream=width,height,time_base:stream_side_data=rotation -select_streams V:0) || video=''
  [ -z "$(value width "$video")" ] || return 0
  case $kinds in
    *codec_type=audio*) fail "it has sound but no video" ;;
    *) fail "it has no video" ;;
  esac
}

seen_size() { # PROBED: its size as it is seen, that is after the rotation
  local turn
  turn=$(value rotation "$1")
  case ${turn#-} in
    90 | 270) echo "$(value height "$1")x$(value width "$1")" ;;
    *) echo "$(value width "$1")x$(value height "$1")" ;;
  esac
}

# Pixels that are not square are made so, as whoever cuts out faces looks at pixels alone. Sides have
# to be even for yuv420p; they are rounded, as always cutting off would squeeze small videos.
scaling() { # SIZE
  local w=${1%x*} h=${1#*x} shrink
  shrink="min(1,min($((w / 2 * 2))/(iw*sar),$((h / 2 * 2))/ih))"
  printf '%s' "scale=w='2*max(1,min(round(iw*sar*$shrink/2),floor(iw*sar/2)))'" \
    ":h='2*max(1,min(round(ih*$shrink/2),floor(ih/2)))',setsar=1,format=yuv420p"
}

# Some sound, like a camera's PCM or WMA, fits no mp4. Writing a second of it tells.
sound_fits() { # IN RESULT
  ffmpeg -v quiet -nostdin -y -i "$1" -map 0:a -c copy -t 1 "$2"
}

# -copyts, passthrough and IN's own time base keep every frame's time, also where frames come unevenly.
encode() { # IN RESULT SIZE SOUND_CODEC
  local base
  base=$(value time_base "$video")
  run logged ffmpeg -v error -nostdin -y -copyts -i "$1" -map 0:V:0 -map '0:a?' -sn -dn \
    -vf "$(scaling "$3")" "$sync_option" passthrough -enc_time_base "${base/\//:}" \
    -c:v libx264 -crf 18 -preset fast -c:a "$4" -movflags +faststart "$2"
}

logged() { exec "$@" 2>"$tmp/log"; }  # in here, so that `stop` still reaches the terminal

reason() { { grep -m 1 . "$tmp/log" || echo "it gave no reason"; } | LC_ALL=C tr -d '[:cntrl:]'; }

# -fps_mode came with ffmpeg 5.1; -vsync, its older name, went away later.
find_sync_option() {
  local help
  help=$(ffmpeg -hide_banner -h long 2>/dev/null) || :
  case $help in *-fps_mode*) sync_option=-fps_mode ;; *) sync_option=-vsync ;; esac
}

# OUT appears whole or not at all: it is made in a folder beside it, then moved.
make() { # IN OUT SIZE; sets done_what
  local dir=${2%/*} result sound=copy heard='audio kept' facts
  [ -d "$dir" ] || fail "the folder $(shown "$dir") does not exist; make it first" || return
  [ ! -d "$2" ] || fail "$(shown "$2") is a folder; move it away" || return
  [ ! "$1" -ef "$2" ] || fail "IN and OUT are the same file; give OUT another name" || return
  look_at "$1" || return
  tmp=$(mktemp -d "$dir/.resizing.XXXXXX") || { tmp=''; fail "cannot write in $(shown "$dir"); check its permissions and the free space"; return; }
  result=$tmp/out.${2##*.}

  if [[ $kinds != *codec_type=audio* ]]; then
    heard='no audio'
  elif ! sound_fits "$1" "$result"; then
    sound=aac heard='audio made AAC'
  fi
  encode "$1" "$result" "$3" "$sound" || fail "ffmpeg failed: $(reason)" || return
  facts=$(probe "$result" packet=size:stream=width,height:format=duration -select_streams v:0 -read_intervals '%+#1') || facts=''
  [ -n "$(value size "$facts")" ] || fail "no frame of it could be read: $(reason)" || return
  [ ! -s "$tmp/log" ] || warn "$(shown "${1##*/}"): it may be damaged, ffmpeg said: $(reason)"
  done_what="$(seen_size "$video") -> $(seen_size "$facts"), $(value duration "$facts" | awk '{ printf "%.1f", $1 }') s, $heard"
  mv -f "$result" "$2" || fail "cannot write $(shown "$2")"
}

resize() { # IN OUT SIZE
  local rc=0
  make "$@" || rc=$?
  clean
  if [ "$rc" = 0 ]; then
    printf '%s\n' "$(shown "${1##*/}"): $done_what -> $(shown "$2")"
  else
    warn "$(shown "${1##*/}"): $why"
  fi
  return "$rc"
}

# --- files and folders ---

mp4_name() { # PATH: sets mp4 to its name with .mp4; in a variable, as $( ) would eat a newline at the end
  mp4=${1##*/}
  case $mp4 in ?*.*) mp4=${mp4%.*} ;; esac
  mp4=$mp4.mp4
}

resize_file() { # IN OUT SIZE
  local out=$2
  if [ -d "$out" ]; then
    mp4_name "$1"
    out=${out%/}/$mp4
  fi
  case ${out##*/} in
    '' | *.[mM][pP]4 | *.[mM]4[vV] | *.[mM][oO][vV] | *.[mM][kK][vV]) ;;
    *.*) wrong_use "OUT: expected a name that ends in .mp4, .m4v, .mov or .mkv, found $(shown "${out##*/}")" ;;
    *) out=$out.mp4 ;;
  esac
  resize "$1" "$out" "$3"
}

resize_folder() { # IN OUT SIZE
  local video_file good=0 bad=0 names=/  # no name has a slash in it
  [ ! "$1" -ef "$2" ] || die "IN and OUT are the same folder; give OUT another one"
  [ ! -e "$2" ] || [ -d "$2" ] || die "OUT: expected a folder, as IN is one, found the file $(shown "$2")"
  mkdir -p "$2" || die "cannot make the folder $(shown "$2") (reason above)"
  for video_file in "${1%/}"/*.*; do
    case ${video_file##*.} in
      [mM][pP]4 | [mM][oO][vV] | [mM]4[vV] | [mM][kK][vV] | [wW][eE][bB][mM] | [aA][vV][iI] | [mM][pP][gG] | [mM][pP][eE][gG]) ;;
      *) continue ;;
    esac
    mp4_name "$video_file"
    if [[ $names == *"/$mp4/"* ]]; then
      warn "$(shown "${video_file##*/}"): another video of this folder was just made $(shown "$mp4"); rename one of them"
      bad=$((bad + 1))
    elif resize "$video_file" "${2%/}/$mp4" "$3"; then
      good=$((good + 1)) names=$names$mp4/
    else
      bad=$((bad + 1))
    fi
  done
  [ "$((good + bad))" -gt 0 ] || die "no video (mp4, mov, m4v, mkv, webm, avi, mpg, mpeg) in $(shown "$1")"
  echo "$good resized, $bad failed"
  [ "$bad" = 0 ]
}

main() {
  case ${1:-} in -h | --help) usage; exit ;; esac
  [ $# = 2 ] || [ $# = 3 ] || wrong_use "expected IN OUT [WIDTHxHEIGHT], found $# arguments"
  if [ -z "$1" ] || [ -z "$2" ]; then wrong_use "IN and OUT must not be empty"; fi
  local in=$1 out=$2 size=${3-640x360}
  [[ $size =~ ^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$ && $size != 1x* && $size != *x1 ]] ||
    wrong_use "expected a size like 640x360, each side from 2 to 99999, found $(shown "$size")"
  # ./ keeps a leading dash from being taken for an option, and what is before a colon for a protocol.
  case $in in /*) ;; *) in=./$in ;; esac
  case $out in /*) ;; *) out=./$out ;; esac
  { command -v ffmpeg && command -v ffprobe; } >/dev/null ||
    die "ffmpeg is missing: install it with its ffprobe (apt install ffmpeg, or brew install ffmpeg)"
  find_sync_option
  trap 'stop 130' INT
  trap 'stop 143' TERM
  trap 'stop 129' HUP
  trap clean EXIT
  if [ -d "$in" ]; then resize_folder "$in" "$out" "$size"; else resize_file "$in" "$out" "$size"; fi
}

main "$@"
