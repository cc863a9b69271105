static void copy(const float *in, float *out, int len) {
  int i;
  for (i = 0; i < len; i++) out[i] = in[i];
}

