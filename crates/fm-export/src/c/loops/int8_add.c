static void add(const int8_t *a, const int8_t *b, int8_t *out, int len, int32_t factor_a, int32_t factor_b, int bits,
                int zero_a, int zero_b, int to, int low) {
  int i;
  for (i = 0; i < len; i++) {
    int64_t sum = (int64_t)(a[i] - zero_a) * factor_a + (int64_t)(b[i] - zero_b) * factor_b;
    out[i] = clamped(rounded(sum, bits) + to, low);
  }
}

