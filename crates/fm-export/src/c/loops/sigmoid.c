static void sigmoid(const float *in, float *out, int len) {
  int i;
  for (i = 0; i < len; i++) out[i] = 1.0f / (1.0f + expf(-in[i]));
}

