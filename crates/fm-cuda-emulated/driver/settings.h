// What a test wants of the driver: variables FM_EMULATED_<NAME>, or fm_emulated_set for tests within a process.
// src/lib.rs lists them.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

namespace settings {

inline std::map<std::string, std::string>& given() {
  static std::map<std::string, std::string> values;
  return values;
}

inline std::string text(const char* name, const char* otherwise) {
  auto found = given().find(name);
  if (found != given().end()) return found->second;
  const char* value = getenv((std::string("FM_EMULATED_") + name).c_str());
  return value ? value : otherwise;
}

inline long long number(const char* name, long long otherwise) {
  std::string value = text(name, "");
  if (value.empty()) return otherwise;
  char* end;
  long long number = strtoll(value.c_str(), &end, 10);
  if (*end) {
    fprintf(stderr, "FM_EMULATED_%s: \"%s\" is no number\n", name, value.c_str());
    abort();
  }
  return number;
}

// Two numbers with a sign between them, such as 9.0 or 100:700.
inline bool pair(const char* name, const char* otherwise, char sign, int& first, int& second) {
  std::string value = text(name, otherwise);
  if (value.empty()) return false;
  char between;
  if (sscanf(value.c_str(), "%d%c%d", &first, &between, &second) == 3 && between == sign) return true;
  fprintf(stderr, "FM_EMULATED_%s: \"%s\" is not NUMBER%cNUMBER\n", name, value.c_str(), sign);
  abort();
}

}  // namespace settings
