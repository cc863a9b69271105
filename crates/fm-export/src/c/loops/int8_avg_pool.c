static void avg_pool(const int8_t *in, int8_t *out, int h, int w, int oc, int oh, int ow, int size, int stride,
                     int32_t multiplier, int shift, int zero, int to, int low) {
  int o, y, x, dy, dx;
  for (o = 0; o < oc; o++) {
    for (y = 0; y < oh; y++) {
      for (x = 0; x < ow; x++) {
        const int8_t *from = in + (o * h + y * stride) * w + x * stride;
        int32_t sum = 0;
        for (dy = 0; dy < size; dy++) {
          for (dx = 0; dx < size; dx++) sum += from[dy * w + dx] - zero;
        }
        out[(o * oh + y) * ow + x] = clamped(rounded((int64_t)sum * multiplier, shift) + to, low);
      }
    }
  }
}

