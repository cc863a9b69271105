// Unpacks a page's data.
const fmPage = (() => {
  // Four bytes in five characters, see text() in page/mod.rs.
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

  // Image n of images of so many pixels, from two pixels a byte, 16 levels each.
  const pixels = (halves, n, size) => {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) {
      const at = n * size + i;
      bytes[i] = 17 * (at % 2 === 0 ? halves[at >> 1] >> 4 : halves[at >> 1] & 15);
    }
    return bytes;
  };

  return { inflated, pixels };
})();
