// The page: a map of images, what is known of each, and a search.
(async () => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  if (typeof DecompressionStream === "undefined") {
    $("state").textContent = "This browser is too old to unpack the page (it has no DecompressionStream).";
    return;
  }
  const [channels, height, width] = data.shape;
  const size = channels * height * width;
  const NONE = 255;
  const narrow = ["label", "other", "learned", "suspect"];
  const of = {};
  for (const [name, packed] of Object.entries(data.columns)) {
    const bytes = await fmPage.inflated(packed);
    of[name] = narrow.includes(name) ? bytes : new Uint16Array(bytes.buffer);
  }
  const halves = await fmPage.inflated(data.pictures);
  const pictured = new Map(Array.from(new Uint32Array((await fmPage.inflated(data.pictured)).buffer), (image, n) => [image, n]));
  const count = of.label.length;

  const share = (values) => (i) => values[i] / 1e4;
  // Discrete values are spread a little, the same way each time.
  const spread = (i, salt) => (((i * 2654435761 + salt * 40503) >>> 8) % 1000) / 1000 - 0.5;
  const difficulty = (i) => 1 - of.p[i] / 1e4;
  const suspicion = (i) => (of.other[i] === NONE ? -of.p[i] / 1e4 : (of.otherP[i] - of.p[i]) / 1e4);
  const never = data.epochs + 1;
  const axes = {
    "component 1 of the pixels": (i) => of.x[i] / 65535,
    "component 2 of the pixels": (i) => of.y[i] / 65535,
    difficulty,
    "epoch learned": (i) => ((of.learned[i] === NONE ? never : of.learned[i]) + 0.8 * spread(i, 1)) / (never + 0.5),
    "share correct": (i) => share(of.correct)(i) + 0.01 * spread(i, 2),
    agreement: share(of.agreement),
    suspicion: (i) => (1 + suspicion(i)) / 2,
  };
  const palette = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#8b5cf6", "#7f7f7f", "#a0522d"];
  const scale = (v) => `hsl(${Math.round(220 - 220 * Math.min(1, Math.max(0, v)))} 80% 50%)`;
  const colours = {
    label: (i) => palette[of.label[i] % palette.length],
    difficulty: (i) => scale(difficulty(i)),
    "epoch learned": (i) => scale(((of.learned[i] === NONE ? never : of.learned[i]) - 1) / data.epochs),
    suspicion: (i) => scale((1 + suspicion(i)) / 2),
    file: (i) => palette[i < data.train ? 0 : 1],
  };
  const legends = {
    label: data.classes.map((name, c) => [name, palette[c % palette.length]]),
    difficulty: [0, 0.5, 1].map((v) => [String(v), scale(v)]),
    "epoch learned": Array.from({ length: never }, (_, e) => [e === data.epochs ? "never" : String(e + 1), scale(e / data.epochs)]),
    suspicion: [-1, 0, 1].map((v) => [String(v), scale((1 + v) / 2)]),
    file: [["train", palette[0]], ["test", palette[1]]],
  };
  const options = (id, names, chosen) => names.forEach(([text, value]) => {
    const option = new Option(text, value, false, text === chosen);
    $(id).append(option);
  });
  const plain = (object) => Object.keys(object).map((name) => [name, name]);
  options("across", plain(axes), "component 1 of the pixels");
  options("up", plain(axes), "component 2 of the pixels");
  options("colour", plain(colours), "label");
  const classes = data.classes.map((name, c) => [name, String(c)]);
  options("label", classes);
  options("other", classes);

  const name = (i) => (i < data.train ? `train ${i}` : `test ${i - data.train}`);
  // "test 12", or "12" in the file that is chosen, else in the training file.
  const found = (text) => {
    const match = /^\s*(train|test)?\s*(\d+)\s*$/.exec(text);
    if (!match) return null;
    const file = match[1] || $("file").value || "train";
    const i = Number(match[2]) + (file === "test" ? data.train : 0);
    return i < (file === "test" ? count : data.train) ? i : null;
  };
  const draw = (canvas, i) => {
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    if (!pictured.has(i)) return context.clearRect(0, 0, width, height);
    const bytes = fmPage.pixels(halves, pictured.get(i), size);
    const image = context.createImageData(width, height);
    const plane = width * height;
    for (let at = 0; at < plane; at++) {
      const [r, g, b] = channels === 3 ? [0, 1, 2].map((c) => bytes[c * plane + at]) : [bytes[at], bytes[at], bytes[at]];
      image.data.set([r, g, b, 255], 4 * at);
    }
    context.putImageData(image, 0, 0);
  };

  const map = $("map");
  const context = map.getContext("2d");
  let shown = [];
  let at = [];
  let pinned = null;
  const percent = (v) => `${(100 * v).toFixed(1)} %`;
  const tell = (i) => {
    draw($("picture"), i);
    $("shown").dataset.image = name(i);
    const runs = of.runs[i];
    const facts = [["image", name(i) + (pictured.has(i) ? "" : " (its picture is not in this page)")], ["label", data.classes[of.label[i]]]];
    if (runs > 0) {
      const other = of.other[i] === NONE ? "none" : `${data.classes[of.other[i]]}, ${percent(of.otherP[i] / 1e4)}`;
      facts.push(["runs", String(runs)], ["correct", percent(of.correct[i] / 1e4)], ["difficulty", difficulty(i).toFixed(4)],
        ["other class", other], ["suspicion", suspicion(i).toFixed(4)],
        ["learned", of.learned[i] === NONE ? "never" : `epoch ${of.learned[i]}`], ["agreement", percent(of.agreement[i] / 1e4)]);
    } else facts.push(["runs", "none held it out"]);
    $("facts").replaceChildren(...facts.flatMap(([term, text]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      [dt.textContent, dd.textContent] = [term, text];
      return [dt, dd];
    }));
  };

  const paint = () => {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    [map.width, map.height] = [map.clientWidth * ratio, map.clientHeight * ratio];
    const [x, y, colour] = [axes[$("across").value], axes[$("up").value], colours[$("colour").value]];
    const edge = 12 * ratio;
    const dot = (shown.length > 5000 ? 1.5 : 3) * ratio;
    at = new Float32Array(2 * shown.length);
    shown.forEach((i, n) => {
      at[2 * n] = edge + x(i) * (map.width - 2 * edge);
      at[2 * n + 1] = map.height - edge - y(i) * (map.height - 2 * edge);
      context.fillStyle = colour(i);
      context.fillRect(at[2 * n] - dot / 2, at[2 * n + 1] - dot / 2, dot, dot);
    });
    const n = pinned === null ? -1 : shown.indexOf(pinned);
    if (n >= 0) {
      context.strokeStyle = getComputedStyle(document.body).color;
      context.lineWidth = 2 * ratio;
      context.strokeRect(at[2 * n] - 6 * ratio, at[2 * n + 1] - 6 * ratio, 12 * ratio, 12 * ratio);
    }
    $("legend").replaceChildren(...legends[$("colour").value].map(([text, c]) => {
      const entry = document.createElement("span");
      entry.textContent = text;
      entry.style.setProperty("--c", c);
      return entry;
    }));
  };

  const list = () => {
    const hardest = [...shown].filter((i) => of.runs[i] > 0).sort((a, b) => of.p[a] - of.p[b]).slice(0, 24);
    $("list").replaceChildren(...hardest.map((i) => {
      const [button, picture] = [document.createElement("button"), document.createElement("canvas")];
      button.type = "button";
      draw(picture, i);
      const other = of.other[i] === NONE ? "" : `, runs say ${data.classes[of.other[i]]}`;
      button.append(picture, `${name(i)}: ${data.classes[of.label[i]]}${other}`);
      button.addEventListener("click", () => { pinned = i; tell(i); paint(); });
      return button;
    }));
  };

  const search = () => {
    const one = found($("index").value);
    const number = (id, otherwise) => ($(id).value === "" ? otherwise : Number($(id).value));
    const [from, to] = [number("from", 0), number("to", 1)];
    const [file, label, other] = [$("file").value, $("label").value, $("other").value];
    const wanted = (i) => (file === "" || (file === "train") === (i < data.train))
      && (label === "" || of.label[i] === Number(label)) && (other === "" || of.other[i] === Number(other))
      && (!$("suspects").checked || of.suspect[i] === 1) && difficulty(i) >= from - 1e-9 && difficulty(i) <= to + 1e-9;
    shown = [];
    for (let i = 0; i < count; i++) if (wanted(i) || i === one) shown.push(i);
    if (one !== null) pinned = one;
    if (pinned !== null) tell(pinned);
    $("state").textContent = `${shown.length} of ${count} images${$("index").value !== "" && one === null ? "; there is no such index" : ""}`;
    paint();
    list();
  };

  const nearest = (event) => {
    const box = map.getBoundingClientRect();
    const [x, y] = [((event.clientX - box.left) * map.width) / box.width, ((event.clientY - box.top) * map.height) / box.height];
    let [best, least] = [null, (20 * map.width) / box.width];
    shown.forEach((i, n) => {
      const away = Math.hypot(at[2 * n] - x, at[2 * n + 1] - y);
      if (away < least) [best, least] = [i, away];
    });
    return best;
  };
  map.addEventListener("mousemove", (event) => {
    const i = nearest(event);
    if (i !== null) tell(i);
  });
  map.addEventListener("mouseleave", () => pinned !== null && tell(pinned));
  map.addEventListener("click", (event) => {
    pinned = nearest(event);
    if (pinned !== null) tell(pinned);
    paint();
  });
  $("search").addEventListener("input", search);
  $("search").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("resize", paint);
  search();
  if (shown.length > 0) tell([...shown].sort((a, b) => of.p[a] - of.p[b])[0]);
})();
