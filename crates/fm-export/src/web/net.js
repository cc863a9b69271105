// A network on one image: see Page in mod.rs. Values are flat, [channels][height][width].
const fmNet = (() => {
  // Abramowitz and Stegun 7.1.26 has an error of 1.5e-7.
  const erf = (x) => {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return Math.sign(x) * (1 - poly * Math.exp(-x * x));
  };
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const activations = {
    relu: (x) => Math.max(x, 0),
    gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
    silu: (x) => x * sigmoid(x),
    sigmoid,
  };

  const load = (spec, bytes) => {
    const levels = new Float32Array(spec.levels);
    const signed = new Int8Array(bytes.buffer, bytes.byteOffset, spec.levels);
    const last = spec.split ? Math.ceil(spec.levels / 2) : 0;
    for (let i = 0; i < spec.levels; i++) {
      levels[i] = spec.split ? 16 * signed[i] + ((bytes[spec.levels + (i >> 1)] >> (i % 2 ? 0 : 4)) & 15) : signed[i];
    }
    const rest = bytes.slice(spec.levels + last);
    const view = new DataView(rest.buffer, rest.byteOffset, rest.byteLength);
    const all = new Float32Array(spec.numbers);
    for (let i = 0; i < spec.numbers; i++) all[i] = view.getFloat32(4 * i, true);
    let level = 0;
    let number = 0;
    const numbers = (n) => all.subarray(number, (number += n));
    // Weights: levels times a scale for each of so many filters.
    const weights = (n, filters) => {
      const out = levels.subarray(level, (level += n));
      const scales = numbers(filters);
      for (let i = 0; i < n; i++) out[i] *= scales[Math.floor((i * filters) / n)];
      return out;
    };
    const steps = spec.steps.map((step) => {
      const [c] = spec.values[step.in[0]];
      const [oc] = spec.values[step.out];
      const { op, k, g } = step.do;
      const made = { ...step };
      if (op === "conv") made.w = weights((oc * c * k * k) / g, oc);
      if (op === "convT") made.w = weights(c * oc * k * k, 1);
      if (op === "conv" || op === "convT") made.b = numbers(oc);
      if (op === "affine" || op === "groupNorm") [made.w, made.b] = [numbers(oc), numbers(oc)];
      return made;
    });
    return { spec, steps };
  };

  const ops = {
    conv({ k, s, p, g }, { w, b }, [x], [c, h, wd], [oc, oh, ow], out) {
      const ic = c / g;
      const per = oc / g;
      for (let o = 0; o < oc; o++) {
        out.fill(b[o], o * oh * ow, (o + 1) * oh * ow);
        for (let i = 0; i < ic; i++) {
          const from = (Math.floor(o / per) * ic + i) * h * wd;
          for (let dy = 0; dy < k; dy++) for (let dx = 0; dx < k; dx++) {
            const weight = w[((o * ic + i) * k + dy) * k + dx];
            if (weight === 0) continue;
            for (let y = 0; y < oh; y++) {
              const row = y * s + dy - p;
              if (row < 0 || row >= h) continue;
              const to = (o * oh + y) * ow;
              for (let xx = 0; xx < ow; xx++) {
                const column = xx * s + dx - p;
                if (column >= 0 && column < wd) out[to + xx] += weight * x[from + row * wd + column];
              }
            }
          }
        }
      }
    },
    convT({ k }, { w, b }, [x], [c, h, wd], [oc, oh, ow], out) {
      for (let o = 0; o < oc; o++) out.fill(b[o], o * oh * ow, (o + 1) * oh * ow);
      for (let i = 0; i < c; i++) for (let y = 0; y < h; y++) for (let xx = 0; xx < wd; xx++) {
        const v = x[(i * h + y) * wd + xx];
        for (let o = 0; o < oc; o++) for (let dy = 0; dy < k; dy++) for (let dx = 0; dx < k; dx++) {
          out[(o * oh + y + dy) * ow + xx + dx] += v * w[((i * oc + o) * k + dy) * k + dx];
        }
      }
    },
    copy(_, __, [x], ___, ____, out) { out.set(x); },
    affine(_, { w, b }, [x], __, [, oh, ow], out) {
      const plane = oh * ow;
      for (let i = 0; i < x.length; i++) { const o = Math.floor(i / plane); out[i] = x[i] * w[o] + b[o]; }
    },
    groupNorm({ g, eps }, { w, b }, [x], [, h, wd], __, out) {
      const len = x.length / g;
      for (let group = 0; group < g; group++) {
        let mean = 0;
        let variance = 0;
        for (let i = group * len; i < (group + 1) * len; i++) mean += x[i] / len;
        for (let i = group * len; i < (group + 1) * len; i++) variance += (x[i] - mean) ** 2 / len;
        const scale = 1 / Math.sqrt(variance + eps);
        for (let i = group * len; i < (group + 1) * len; i++) {
          const o = Math.floor(i / (h * wd));
          out[i] = (x[i] - mean) * scale * w[o] + b[o];
        }
      }
    },
    pool({ op, k, s }, _, [x], [, h, wd], [oc, oh, ow], out) {
      const max = op === "maxPool";
      for (let i = 0; i < oc * oh * ow; i++) {
        const [o, y, xx] = [Math.floor(i / (oh * ow)), Math.floor(i / ow) % oh, i % ow];
        let all = max ? -Infinity : 0;
        for (let dy = 0; dy < k; dy++) for (let dx = 0; dx < k; dx++) {
          const v = x[(o * h + y * s + dy) * wd + xx * s + dx];
          all = max ? Math.max(all, v) : all + v / (k * k);
        }
        out[i] = all;
      }
    },
    add(_, __, [x, y], ___, ____, out) { for (let i = 0; i < x.length; i++) out[i] = x[i] + y[i]; },
    scale(_, __, [x, y], ___, [, oh, ow], out) {
      for (let i = 0; i < x.length; i++) out[i] = x[i] * y[Math.floor(i / (oh * ow))];
    },
    upsample(_, __, [x], [, h, wd], [oc, oh, ow], out) {
      for (let i = 0; i < oc * oh * ow; i++) {
        const [o, y, xx] = [Math.floor(i / (oh * ow)), Math.floor(i / ow) % oh, i % ow];
        out[i] = x[(o * h + (y >> 1)) * wd + (xx >> 1)];
      }
    },
  };
  ops.maxPool = ops.pool;
  ops.avgPool = ops.pool;

  const run = ({ spec, steps }, image) => {
    const values = [Float32Array.from(image)];
    for (const step of steps) {
      const shape = spec.values[step.out];
      const out = new Float32Array(shape[0] * shape[1] * shape[2]);
      const inputs = step.in.map((i) => values[i]);
      const activation = activations[step.do.op];
      if (activation) for (let i = 0; i < out.length; i++) out[i] = activation(inputs[0][i]);
      else ops[step.do.op](step.do, step, inputs, spec.values[step.in[0]], shape, out);
      if (step.relu) for (let i = 0; i < out.length; i++) if (out[i] < 0) out[i] = 0;
      values[step.out] = out;
    }
    return values[spec.output];
  };

  const softmax = (logits) => {
    const most = Math.max(...logits);
    const exps = Array.from(logits, (z) => Math.exp(z - most));
    const sum = exps.reduce((a, b) => a + b, 0);
    return exps.map((e) => e / sum);
  };

  return { load, run, softmax };
})();
if (typeof module !== "undefined") module.exports = fmNet;
