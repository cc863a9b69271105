static void affine(const float *in, float *out, const float *factor, const float *summand, int c, int plane) {
  int i;
  for (i = 0; i < c * plane; i++) out[i] = in[i] * factor[i / plane] + summand[i / plane];
}

