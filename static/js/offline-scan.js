// The camera, where the browser reads QR by itself (BarcodeDetector); elsewhere the code is typed.

export function canScan() {
  return "BarcodeDetector" in globalThis && Boolean(navigator.mediaDevices?.getUserMedia);
}

// Shows the camera in `video` until it reads a QR or `stop` is aborted; resolves to the text, or "" where the camera was refused or stopped.
export async function scan(video, stop) {
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    return "";
  }
  video.hidden = false;
  video.srcObject = stream;
  await video.play();
  try {
    while (!stop.aborted) {
      const [found] = await detector.detect(video).catch(() => []);
      if (found) return found.rawValue;
      await new Promise(requestAnimationFrame);
    }
    return "";
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.hidden = true;
    video.srcObject = null;
  }
}
