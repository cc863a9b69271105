static void max_pool(const int8_t *in, int8_t *out, int h, int w, int oc, int oh, int ow, int size, int stride,
                     int low) {
  int o, y, x, dy, dx;
  for (o = 0; o < oc; o++) {
    for (y = 0; y < oh; y++) {
      for (x = 0; x < ow; x++) {
        const int8_t *from = in + (o * h + y * stride) * w + x * stride;
        int value = low;
        for (dy = 0; dy < size; dy++) {
          for (dx = 0; dx < size; dx++) {
            if (from[dy * w + dx] > value) value = from[dy * w + dx];
          }
        }
        out[(o * oh + y) * ow + x] = (int8_t)value;
      }
    }
  }
}

