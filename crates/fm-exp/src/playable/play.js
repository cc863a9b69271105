// Makes the networks of the page's data, and says what they and the nearest training images make of some bytes.
const fmPlay = (() => {
  const load = async (data) => {
    const networks = [];
    for (const network of data.networks) {
      const model = fmNet.load(network.spec, await fmPage.inflated(network.data));
      networks.push({ ...network, model });
    }
    const halves = await fmPage.inflated(data.nearest.data);
    const size = data.shape.reduce((a, b) => a * b);
    const images = data.nearest.labels.map((label, n) =>
      ({ label, row: data.nearest.rows[n], bytes: fmPage.pixels(halves, n, size) }));
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
