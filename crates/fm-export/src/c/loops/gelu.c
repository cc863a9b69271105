static void gelu(const float *in, float *out, int len) {
  int i;
  for (i = 0; i < len; i++) out[i] = 0.5f * in[i] * (1.0f + erff(in[i] * 0.70710678f));
}

