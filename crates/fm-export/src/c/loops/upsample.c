static void upsample(const float *in, float *out, int c, int h, int w) {
  int i, y, x;
  for (i = 0; i < c; i++) {
    for (y = 0; y < 2 * h; y++) {
      for (x = 0; x < 2 * w; x++) out[(i * 2 * h + y) * 2 * w + x] = in[(i * h + y / 2) * w + x / 2];
    }
  }
}

