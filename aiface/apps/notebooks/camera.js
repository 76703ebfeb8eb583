// The browser's camera, sent to the kernel picture by picture: the next one only when the last was answered.
const WIDTH = 960;
const INTERVAL = 200; // milliseconds between pictures at least
const PATIENCE = 10000; // milliseconds without an answer after which it is tried again, as after a kernel's restart

function render({ model, el }) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Start the camera" });
  const answer = document.createElement("div");
  el.append(button, answer);
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  const canvas = document.createElement("canvas");
  let stream = null;
  let timer = 0;

  const send = () => {
    const scale = Math.min(1, WIDTH / video.videoWidth);
    canvas.width = Math.round(scale * video.videoWidth);
    canvas.height = Math.round(scale * video.videoHeight);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    canvas.toBlob(async (blob) => stream && model.send({}, undefined, [await blob.arrayBuffer()]), "image/jpeg", 0.92);
    timer = setTimeout(send, PATIENCE);
  };
  const stop = () => {
    clearTimeout(timer);
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    button.textContent = "Start the camera";
  };
  const start = async () => {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: true });
      video.srcObject = stream;
      await video.play();
      button.textContent = "Stop the camera";
      send();
    } catch (error) {
      stop();
      answer.textContent = `No camera: ${error.message}. Browsers give theirs to localhost and https pages alone.`;
    }
  };
  button.addEventListener("click", () => (stream ? stop() : start()));
  model.on("msg:custom", ({ page }) => {
    answer.innerHTML = page; // what comes from outside was escaped by the kernel
    clearTimeout(timer);
    if (stream) timer = setTimeout(send, INTERVAL);
  });
  return stop;
}

export default { render };
