static void scale(const float *in, const float *factor, float *out, int c, int plane) {
  int i;
  for (i = 0; i < c * plane; i++) out[i] = in[i] * factor[i / plane];
}

