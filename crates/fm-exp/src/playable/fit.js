// A picture as a network sees it, as picture.rs makes it: colours on white, grey, inverted where the border is light,
// fitted to the network's shape with black around. Pictures are { width, height, data }, data as RGBA bytes.
const fmFit = (() => {
  // What is transparent would show the page it lies on, and pages are white.
  const onWhite = (value, alpha) => Math.floor((value * alpha + 255 * (255 - alpha) + 127) / 255);

  const grey = ({ width, height, data }) => {
    const out = new Uint8Array(width * height);
    for (let i = 0; i < out.length; i++) {
      const [r, g, b, a] = data.subarray(4 * i, 4 * i + 4);
      // Rec. 709.
      out[i] = onWhite(Math.floor((2126 * r + 7152 * g + 722 * b) / 10000), a);
    }
    return out;
  };

  const colour = ({ width, height, data }, channel) => {
    const out = new Uint8Array(width * height);
    for (let i = 0; i < out.length; i++) out[i] = onWhite(data[4 * i + channel], data[4 * i + 3]);
    return out;
  };

  // Whether most of the frame, a twentieth of the shorter side wide, is light.
  const isBorderLight = (pixels, w, h) => {
    const frame = Math.max(1, Math.floor(Math.min(w, h) / 20));
    let [sum, count] = [0, 0];
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
      if (x < frame || y < frame || x + frame >= w || y + frame >= h) {
        sum += pixels[y * w + x];
        count += 1;
      }
    }
    return 2 * sum > 255 * count;
  };

  // Without the edges that are close to the corners' grey.
  const trimmed = (pixels, w, h) => {
    const whole = { pixels, w, h };
    const close = (x, y) => Math.abs(pixels[y * w + x] - pixels[0]) <= 12;
    if (!close(w - 1, 0) || !close(0, h - 1) || !close(w - 1, h - 1)) return whole;
    let [left, right, top, bottom] = [w, -1, h, -1];
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
      if (!close(x, y)) {
        [left, right] = [Math.min(left, x), Math.max(right, x)];
        [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
      }
    }
    if (right < 0) return whole;
    const [cw, ch] = [right - left + 1, bottom - top + 1];
    const cut = new Uint8Array(cw * ch);
    for (let y = 0; y < ch; y++) cut.set(pixels.subarray((top + y) * w + left, (top + y) * w + left + cw), y * cw);
    return { pixels: cut, w: cw, h: ch };
  };

  // For each new place along a side, from where and with which weights: a triangle as wide as what becomes a pixel.
  const triangle = (from, to) => {
    const ratio = from / to;
    const scale = Math.max(1, ratio);
    return Array.from({ length: to }, (_, out) => {
      const at = (out + 0.5) * ratio;
      const left = Math.min(Math.max(Math.floor(at - scale), 0), from - 1);
      const right = Math.min(Math.max(Math.ceil(at + scale), left + 1), from);
      const weights = [];
      for (let i = left; i < right; i++) weights.push(Math.max(0, 1 - Math.abs((i - (at - 0.5)) / scale)));
      const sum = weights.reduce((a, b) => a + b, 0);
      return { left, weights: weights.map((w) => w / sum) };
    });
  };

  const resized = (pixels, w, h, nw, nh) => {
    if (w === nw && h === nh) return pixels;
    const tall = new Float32Array(w * nh);
    triangle(h, nh).forEach(({ left, weights }, y) => weights.forEach((weight, i) => {
      for (let x = 0; x < w; x++) tall[y * w + x] += pixels[(left + i) * w + x] * weight;
    }));
    const out = new Uint8Array(nw * nh);
    triangle(w, nw).forEach(({ left, weights }, x) => {
      for (let y = 0; y < nh; y++) {
        let sum = 0;
        weights.forEach((weight, i) => { sum += tall[y * w + left + i] * weight; });
        out[y * nw + x] = Math.min(255, Math.max(0, Math.round(sum)));
      }
    });
    return out;
  };

  const fit = (pixels, w, h, height, width) => {
    const scale = Math.min(width / w, height / h);
    const side = (length, most) => Math.min(most, Math.max(1, Math.round(length * scale)));
    const [nw, nh] = [side(w, width), side(h, height)];
    const small = resized(pixels, w, h, nw, nh);
    const whole = new Uint8Array(width * height);
    const [left, top] = [Math.floor((width - nw) / 2), Math.floor((height - nh) / 2)];
    for (let y = 0; y < nh; y++) whole.set(small.subarray(y * nw, (y + 1) * nw), (top + y) * width + left);
    return whole;
  };

  // Bytes [channels][height][width], and whether the picture was inverted.
  const bytes = (picture, [channels, height, width], trim) => {
    const { width: w, height: h } = picture;
    if (channels === 3) {
      const all = new Uint8Array(3 * height * width);
      for (let c = 0; c < 3; c++) all.set(fit(colour(picture, c), w, h, height, width), c * height * width);
      return { bytes: all, inverted: false };
    }
    const pixels = grey(picture);
    const inverted = isBorderLight(pixels, w, h);
    const cut = trim ? trimmed(pixels, w, h) : { pixels, w, h };
    const turned = inverted ? cut.pixels.map((v) => 255 - v) : cut.pixels;
    return { bytes: fit(turned, cut.w, cut.h, height, width), inverted };
  };

  return { bytes };
})();
if (typeof module !== "undefined") module.exports = fmFit;
