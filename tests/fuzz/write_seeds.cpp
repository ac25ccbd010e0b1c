// fuzz_seeds DIRECTORY: every target's sound inputs as files in DIRECTORY/NAME, its words in
// DIRECTORY/NAME.dict, as libFuzzer wants them.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz/target.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuzz_seeds DIRECTORY\n", stderr);
    return 2;
  }
  for (const auto* target : bitnet::fuzz::targets()) {
    const std::string folder = std::string(argv[1]) + "/" + std::string(target->name);
    std::filesystem::create_directories(folder);
    std::size_t n = 0;
    for (const std::string& seed : target->seeds()) {
      std::ofstream(folder + "/seed-" + std::to_string(n++), std::ios::binary) << seed;
    }
    std::ofstream words(folder + ".dict");
    for (const std::string& word : target->words) {
      words << '"';
      for (const char c : word) {
        char text[8];
        std::snprintf(text, sizeof text, "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
        words << text;
      }
      words << "\"\n";
    }
    if (!words.flush()) {
      std::perror(folder.c_str());
      return 1;
    }
    std::puts(std::string(target->name).c_str());
  }
  return 0;
}
