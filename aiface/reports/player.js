// The player, its timeline and what jumps to a moment: they move together. `data-at` is a moment in seconds.
const clip = document.querySelector("video")
const timeline = document.querySelector(".timeline")
const end = Number(timeline.getAttribute("aria-valuemax"))
const moments = [...document.querySelectorAll("[data-at]")]
const EXACTLY = 0.002 // seconds: just after a frame's time that frame is shown, just before it the one before

function show() {
  const at = Math.min(clip.currentTime, end)
  timeline.querySelector(".hand").style.left = `${(100 * at) / end}%`
  timeline.setAttribute("aria-valuenow", at.toFixed(1))
  timeline.setAttribute("aria-valuetext", `${at.toFixed(1)} seconds`)
  for (const each of moments) each.classList.toggle("now", Math.abs(each.dataset.at - at) < 0.1)
}

function follow() {
  show()
  if (!clip.paused && !clip.ended) requestAnimationFrame(follow)
}

function jump(at) {
  clip.currentTime = Math.max(0, Math.min(at, end)) + EXACTLY
  show()
}

function toggle() {
  if (clip.paused) clip.play()
  else clip.pause()
}

function point(event) {
  const { left, width } = timeline.getBoundingClientRect()
  jump((end * (event.clientX - left)) / width)
}

const KEYS = {
  " ": toggle,
  ArrowLeft: () => jump(clip.currentTime - STEP()),
  ArrowRight: () => jump(clip.currentTime + STEP()),
  PageDown: () => jump(clip.currentTime - end / 10),
  PageUp: () => jump(clip.currentTime + end / 10),
  Home: () => jump(0),
  End: () => jump(end),
}
const STEP = () => Math.min(1, end / 20)

document.querySelector(".plays").addEventListener("keydown", (event) => {
  if (event.target === clip || event.altKey || event.ctrlKey || event.metaKey || !KEYS[event.key]) return
  event.preventDefault()
  KEYS[event.key]()
})
timeline.addEventListener("pointerdown", (event) => {
  timeline.setPointerCapture(event.pointerId)
  point(event)
})
timeline.addEventListener("pointermove", (event) => {
  if (event.buttons & 1) point(event)
})
for (const each of moments)
  each.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return // a tab of its own
    event.preventDefault()
    jump(Number(each.dataset.at))
    clip.scrollIntoView({ block: "nearest" })
  })
for (const name of ["loadedmetadata", "timeupdate", "seeking", "seeked"]) clip.addEventListener(name, show)
clip.addEventListener("play", follow)
clip.addEventListener("error", () => (document.querySelector(".gone").hidden = false))
if (clip.error) document.querySelector(".gone").hidden = false
show()
