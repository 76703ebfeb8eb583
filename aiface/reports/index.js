// The index: its columns sort, and answer, score, origin and name filter.
const table = document.querySelector("table")
const filters = document.querySelector(".filters")
const heads = [...table.tHead.rows[0].cells]
const rows = [...table.tBodies[0].rows]
const FALLING_FIRST = ["score", "people"]
const words = new Intl.Collator(undefined, { numeric: true })

const value = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent
const numbers = new Set(["verdict", "score", "people"].map((name) => heads.findIndex((head) => head.textContent === name)))

function compare(column, a, b) {
  if (a === "" || b === "") return null // what has none comes last, either way
  return numbers.has(column) ? a - b : words.compare(a, b)
}

function sort(column, falling) {
  const sorted = rows
    .map((row, index) => [value(row, column), index, row]) // each asked for once: asking the page is slow
    .sort(([a, i], [b, j]) => {
      const found = compare(column, a, b)
      return (found === null ? (a === "") - (b === "") : falling ? -found : found) || i - j
    })
  const body = table.tBodies[0]
  body.remove() // rows that move out of sight cost no layout
  for (const [, , row] of sorted) body.append(row)
  table.append(body)
  heads.forEach((head, at) => head.setAttribute("aria-sort", at !== column ? "none" : falling ? "descending" : "ascending"))
}

function fits({ dataset: { verdict, score, says }, cells }, want) {
  if (want.verdict && verdict !== want.verdict) return false
  if (want.says && says !== want.says) return false
  if (want.low !== "" && !(score !== "" && score >= Number(want.low))) return false
  if (want.high !== "" && !(score !== "" && score <= Number(want.high))) return false
  return cells[0].textContent.toLowerCase().includes(want.name.toLowerCase())
}

function filter() {
  const want = Object.fromEntries(new FormData(filters))
  for (const row of rows) row.hidden = !fits(row, want)
  const left = rows.filter((row) => !row.hidden).length
  document.querySelector(".status").textContent = left < rows.length ? `${left} of ${rows.length} are shown.` : ""
}

heads.forEach((head, column) => {
  const button = document.createElement("button")
  button.type = "button"
  button.textContent = head.textContent
  head.replaceChildren(button)
  head.setAttribute("aria-sort", "none")
  button.addEventListener("click", () => {
    const now = head.getAttribute("aria-sort")
    const falling = FALLING_FIRST.includes(button.textContent)
    sort(column, now === "none" ? falling : now === "ascending")
  })
})
for (const name of ["input", "change"]) filters.addEventListener(name, filter)
filters.addEventListener("submit", (event) => event.preventDefault())
filters.addEventListener("reset", () => setTimeout(filter))
filters.hidden = false
filter() // a browser that comes back to the page keeps what was chosen
