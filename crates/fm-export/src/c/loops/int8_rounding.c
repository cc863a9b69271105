/* value / 2^shift, halves away from 0. */
static int32_t rounded(int64_t value, int shift) {
  int64_t half = (int64_t)1 << (shift - 1), most = (int64_t)1 << 30;
  int64_t magnitude = ((value < 0 ? -value : value) + half) >> shift;
  if (magnitude > most) magnitude = most;
  return (int32_t)(value < 0 ? -magnitude : magnitude);
}

static int8_t clamped(int32_t value, int low) {
  return (int8_t)(value < low ? low : value > 127 ? 127 : value);
}

