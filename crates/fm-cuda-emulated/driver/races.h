// Which accesses of a launch have no order: see races.cpp. Without -fsanitize=thread nothing is watched.
#pragma once
#include <cstddef>

namespace races {

#ifdef __SANITIZE_THREAD__
constexpr bool WATCHED = true;
#else
constexpr bool WATCHED = false;
#endif

// Where memory of devices lies. Its addresses are never given twice.
inline char* arena = nullptr;
constexpr size_t ARENA = size_t(8) << 30;

// Forgets the launch before.
void begin(const char* kernel);
// Whether the launch has had a race; it has been printed.
bool found();

}  // namespace races
