static void max_pool(const float *in, float *out, int h, int w, int oc, int oh, int ow, int size, int stride) {
  int o, y, x, dy, dx;
  for (o = 0; o < oc; o++) {
    for (y = 0; y < oh; y++) {
      for (x = 0; x < ow; x++) {
        const float *from = in + (o * h + y * stride) * w + x * stride;
        float value = from[0];
        for (dy = 0; dy < size; dy++) {
          for (dx = 0; dx < size; dx++) {
            if (from[dy * w + dx] > value) value = from[dy * w + dx];
          }
        }
        out[(o * oh + y) * ow + x] = value;
      }
    }
  }
}

