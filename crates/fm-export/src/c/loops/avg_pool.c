static void avg_pool(const float *in, float *out, int h, int w, int oc, int oh, int ow, int size, int stride) {
  int o, y, x, dy, dx;
  for (o = 0; o < oc; o++) {
    for (y = 0; y < oh; y++) {
      for (x = 0; x < ow; x++) {
        const float *from = in + (o * h + y * stride) * w + x * stride;
        float value = 0.0f;
        for (dy = 0; dy < size; dy++) {
          for (dx = 0; dx < size; dx++) {
            value += from[dy * w + dx];
          }
        }
        out[(o * oh + y) * ow + x] = value / (float)(size * size);
      }
    }
  }
}

