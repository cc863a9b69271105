static void group_norm(const float *in, float *out, const float *factor, const float *summand, int c, int plane,
                       int groups, float epsilon) {
  int len = c / groups * plane, g, i;
  for (g = 0; g < groups; g++) {
    const float *group = in + g * len;
    float mean = 0.0f, variance = 0.0f, scale;
    for (i = 0; i < len; i++) mean += group[i];
    mean /= (float)len;
    for (i = 0; i < len; i++) variance += (group[i] - mean) * (group[i] - mean);
    scale = 1.0f / sqrtf(variance / (float)len + epsilon);
    for (i = 0; i < len; i++) {
      int channel = (g * len + i) / plane;
      out[g * len + i] = (group[i] - mean) * scale * factor[channel] + summand[channel];
    }
  }
}

