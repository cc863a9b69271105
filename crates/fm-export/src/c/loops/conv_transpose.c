static void conv_transpose(const float *in, float *out, const float *weight, const float *bias, int c, int h, int w,
                           int oc, int oh, int ow, int k) {
  int i, o, y, x, dy, dx;
  for (o = 0; o < oc; o++) {
    for (i = 0; i < oh * ow; i++) out[o * oh * ow + i] = bias[o];
  }
  for (i = 0; i < c; i++) {
    for (y = 0; y < h; y++) {
      for (x = 0; x < w; x++) {
        float v = in[(i * h + y) * w + x];
        for (o = 0; o < oc; o++) {
          for (dy = 0; dy < k; dy++) {
            for (dx = 0; dx < k; dx++) {
              out[(o * oh + y + dy) * ow + x + dx] += v * weight[((i * oc + o) * k + dy) * k + dx];
            }
          }
        }
      }
    }
  }
}

