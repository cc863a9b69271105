static void conv(const float *in, float *out, const float *weight, const float *bias, int c, int h, int w, int oc,
                 int oh, int ow, int k, int stride, int pad, int groups) {
  int ic = c / groups, per = oc / groups, o, y, x, i, dy, dx;
  for (o = 0; o < oc; o++) {
    for (y = 0; y < oh; y++) {
      for (x = 0; x < ow; x++) {
        float sum = bias[o];
        for (i = 0; i < ic; i++) {
          for (dy = 0; dy < k; dy++) {
            int row = y * stride + dy - pad;
            if (row < 0 || row >= h) continue;
            for (dx = 0; dx < k; dx++) {
              int column = x * stride + dx - pad;
              if (column < 0 || column >= w) continue;
              sum += in[((o / per * ic + i) * h + row) * w + column] * weight[((o * ic + i) * k + dy) * k + dx];
            }
          }
        }
        out[(o * oh + y) * ow + x] = sum;
      }
    }
  }
}

