static void add(const float *a, const float *b, float *out, int len) {
  int i;
  for (i = 0; i < len; i++) out[i] = a[i] + b[i];
}

