static void copy(const int8_t *in, int8_t *out, int len, int low) {
  int i;
  for (i = 0; i < len; i++) out[i] = (int8_t)(in[i] < low ? low : in[i]);
}

