// Makes the networks of the page's data, and says what they and the nearest training images make of some bytes.
const fmPlay = (() => {
  // Four bytes in five characters, see text() in mod.rs.
  const unpacked = (text) => {
    const digits = Array.from({ length: 87 }, (_, i) => i + 35).filter((code) => code !== 60 && code !== 92);
    const value = new Map(digits.map((code, digit) => [code, digit]));
    const out = new Uint8Array(Math.ceil((text.length * 4) / 5));
    const view = new DataView(out.buffer);
    for (let at = 0; at < text.length; at += 5) {
      let all = 0;
      for (let i = 0; i < 5; i++) all = all * 85 + value.get(text.charCodeAt(at + i));
      view.setUint32((at / 5) * 4, all);
    }
    return out;
  };

  const inflated = async ({ text, length }) => {
    const packed = unpacked(text).subarray(0, length);
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  const load = async (data) => {
    const networks = [];
    for (const network of data.networks) {
      const model = fmNet.load(network.spec, await inflated(network.data));
      networks.push({ ...network, model });
    }
    // Two pixels a byte, 16 levels each.
    const halves = await inflated(data.nearest.data);
    const size = data.shape.reduce((a, b) => a * b);
    const images = data.nearest.labels.map((label, n) => {
      const bytes = new Uint8Array(size);
      for (let i = 0; i < size; i++) {
        const at = n * size + i;
        bytes[i] = 17 * ((halves[at >> 1] >> (at % 2 ? 0 : 4)) & 15);
      }
      return { label, row: data.nearest.rows[n], bytes };
    });
    return { ...data, networks, images };
  };

  // Of each network the probabilities of the classes.
  const classify = (play, bytes) => {
    // As fm_images::pixel: a product of 32-bit numbers.
    const image = Float32Array.from(bytes, (byte) => Math.fround(byte * Math.fround(1 / 255)));
    return play.networks.map((network) => fmNet.softmax(fmNet.run(network.model, image)));
  };

  // The images with the least squared distance over all pixels.
  const nearest = (play, bytes, n) => {
    const away = (image) => image.bytes.reduce((sum, byte, i) => sum + (byte - bytes[i]) ** 2, 0);
    return play.images.map((image) => ({ image, away: away(image) })).sort((a, b) => a.away - b.away).slice(0, n);
  };

  return { load, classify, nearest };
})();
if (typeof module !== "undefined") module.exports = fmPlay;
