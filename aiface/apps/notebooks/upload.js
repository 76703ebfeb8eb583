// A button that sends a file from the browser to the kernel, part by part: Jupyter takes no message over 10 MB.
const PART = 2 ** 20;

function render({ model, el }) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "file", accept: "image/*,video/*" });
  const status = Object.assign(document.createElement("p"), { textContent: "No file chosen yet." });
  status.setAttribute("role", "status");
  label.append("A picture or a clip from this computer: ", input);
  el.append(label, status);

  let file = null;
  const send = async (start) => {
    const part = await file.slice(start, start + PART).arrayBuffer();
    model.send({ name: file.name, start, total: file.size }, undefined, [part]);
  };
  input.addEventListener("change", () => {
    file = input.files[0] ?? null;
    if (file) send(0);
  });
  model.on("msg:custom", ({ text, received }) => {
    status.textContent = text;
    if (file && received < file.size) send(received);
  });
}

export default { render };
