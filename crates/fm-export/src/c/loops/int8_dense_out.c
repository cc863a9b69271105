static void dense_out(const int8_t *in, float *out, const int8_t *weight, const int32_t *bias, const float *scale,
                      int c, int oc, int zero) {
  int o, i;
  for (o = 0; o < oc; o++) {
    int32_t sum = bias[o];
    for (i = 0; i < c; i++) sum += (in[i] - zero) * weight[o * c + i];
    out[o] = (float)sum * scale[o];
  }
}

