// The page: draw, drop or choose a picture, and see what is said of it.
(async () => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  if (typeof DecompressionStream === "undefined") {
    $("state").textContent = "This browser is too old to unpack the networks (it has no DecompressionStream).";
    return;
  }
  const play = await fmPlay.load(data);
  const [channels, height, width] = play.shape;
  const paper = $("paper");
  const ink = paper.getContext("2d", { willReadFrequently: true });
  const colour = channels === 3;
  $("ink").hidden = !colour;
  $("trim").hidden = colour;

  const draw = (canvas, bytes) => {
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const image = context.createImageData(width, height);
    const plane = width * height;
    for (let i = 0; i < plane; i++) {
      const [r, g, b] = channels === 3 ? [0, 1, 2].map((c) => bytes[c * plane + i]) : [bytes[i], bytes[i], bytes[i]];
      image.data.set([r, g, b, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  };

  const bars = (network, shares) => {
    const order = shares.map((share, label) => ({ share, label })).sort((a, b) => b.share - a.share);
    const rows = order.slice(0, Math.min(play.classes.length, 5)).map(({ share, label }) => {
      const row = document.createElement("tr");
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = play.classes[label];
      const bar = document.createElement("td");
      bar.className = "bar";
      const fill = document.createElement("span");
      fill.style.width = `${100 * share}%`;
      bar.append(fill);
      const number = document.createElement("td");
      number.textContent = `${(100 * share).toFixed(1)} %`;
      row.append(name, bar, number);
      return row;
    });
    network.querySelector("tbody").replaceChildren(...rows);
  };

  let serial = 0;
  const show = (bytes, what) => {
    draw($("seen"), bytes);
    const said = fmPlay.classify(play, bytes);
    said.forEach((shares, i) => bars(document.querySelectorAll(".network")[i], shares));
    const tops = new Set(said.map((shares) => shares.indexOf(Math.max(...shares))));
    $("state").textContent = play.networks.length === 1 ? what
      : `${what} ${tops.size === 1 ? "All networks say the same." : "The networks disagree."}`;
    $("nearest").replaceChildren(...fmPlay.nearest(play, bytes, 6).map(({ image }) => {
      const item = document.createElement("button");
      const picture = document.createElement("canvas");
      draw(picture, image.bytes);
      item.type = "button";
      item.title = `training image ${image.row}; click to classify it`;
      item.append(picture, play.classes[image.label]);
      item.addEventListener("click", () => show(image.bytes, `Training image ${image.row}: ${play.classes[image.label]}.`));
      return item;
    }));
    document.body.dataset.shown = String(++serial);
    return said;
  };

  const clear = () => {
    [ink.fillStyle, ink.lineWidth, ink.lineCap, ink.lineJoin] = ["#ffffff", 18, "round", "round"];
    ink.fillRect(0, 0, paper.width, paper.height);
  };
  const look = () => {
    const { bytes, inverted } = fmFit.bytes(ink.getImageData(0, 0, paper.width, paper.height), play.shape, !colour && $("cut").checked);
    show(bytes, inverted ? "Light background, inverted." : "Background kept as it is.");
  };

  let last = null;
  const place = (event) => {
    const box = paper.getBoundingClientRect();
    return [((event.clientX - box.left) * paper.width) / box.width, ((event.clientY - box.top) * paper.height) / box.height];
  };
  const line = (event) => {
    const to = place(event);
    [ink.strokeStyle, ink.lineWidth] = [colour ? $("color").value : "#000000", Number($("pen").value)];
    ink.beginPath();
    ink.moveTo(...(last ?? to));
    ink.lineTo(...to);
    ink.stroke();
    last = to;
  };
  paper.addEventListener("pointerdown", (event) => {
    paper.setPointerCapture(event.pointerId);
    last = null;
    line(event);
  });
  paper.addEventListener("pointermove", (event) => { if (event.buttons) line(event); });
  paper.addEventListener("pointerup", look);
  paper.addEventListener("pointercancel", look);
  $("clear").addEventListener("click", () => { clear(); look(); });
  $("cut").addEventListener("change", () => (loaded ? read(loaded) : look()));

  // Pixels as they are in the file, turned as its camera says.
  let loaded = null;
  const read = async (file) => {
    let bitmap;
    try {
      bitmap = await createImageBitmap(file, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
    } catch {
      $("state").textContent = `${file.name} is no picture that this browser reads.`;
      return;
    }
    loaded = file;
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const picture = context.getImageData(0, 0, bitmap.width, bitmap.height);
    clear();
    const scale = Math.min(paper.width / bitmap.width, paper.height / bitmap.height);
    const [w, h] = [bitmap.width * scale, bitmap.height * scale];
    ink.drawImage(bitmap, (paper.width - w) / 2, (paper.height - h) / 2, w, h);
    const { bytes, inverted } = fmFit.bytes(picture, play.shape, !colour && $("cut").checked);
    const how = colour ? "in colour, not inverted" : inverted ? "light background, inverted" : "dark background, not inverted";
    show(bytes, `${file.name} (${bitmap.width}x${bitmap.height}, ${how}).`);
  };
  paper.addEventListener("pointerdown", () => { [loaded, $("file").value] = [null, ""]; });
  $("file").addEventListener("change", (event) => event.target.files[0] && read(event.target.files[0]));
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) read(event.dataTransfer.files[0]);
  });

  clear();
  $("state").textContent = "Draw something, or drop a picture.";
  // For tests and the browser's console: what the networks make of bytes.
  window.fm = { play, show, read };
  document.body.dataset.ready = "true";
})();
