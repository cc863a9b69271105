static void conv(const int8_t *in, int8_t *out, const int8_t *weight, const int32_t *bias, const int32_t *multiplier,
                 const unsigned char *shift, int c, int h, int w, int oc, int oh, int ow, int k, int stride, int pad,
                 int groups, int zero, int to, int low) {
  int ic = c / groups, per = oc / groups, o, y, x, i, dy, dx;
  for (o = 0; o < oc; o++) {
    for (y = 0; y < oh; y++) {
      for (x = 0; x < ow; x++) {
        int32_t sum = bias[o];
        for (i = 0; i < ic; i++) {
          for (dy = 0; dy < k; dy++) {
            int row = y * stride + dy - pad;
            if (row < 0 || row >= h) continue;
            for (dx = 0; dx < k; dx++) {
              int column = x * stride + dx - pad;
              if (column < 0 || column >= w) continue;
              sum += (in[((o / per * ic + i) * h + row) * w + column] - zero) * weight[((o * ic + i) * k + dy) * k + dx];
            }
          }
        }
        out[(o * oh + y) * ow + x] = clamped(rounded((int64_t)sum * multiplier[o], shift[o]) + to, low);
      }
    }
  }
}

