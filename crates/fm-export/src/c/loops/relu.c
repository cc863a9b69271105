static void relu(float *values, int len) {
  int i;
  for (i = 0; i < len; i++) {
    if (values[i] < 0.0f) values[i] = 0.0f;
  }
}

